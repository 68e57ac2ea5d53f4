// The plain tar inside of what a source gives: gzip or zstd is undone here.
#pragma once

#include <tarutil/extract.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace tarutil {

/// Compressed data that is damaged, or cut short.
class StreamError : public std::runtime_error {
 public:
  StreamError(bool cut, const std::string& sentence) : std::runtime_error(sentence), cut_(cut) {}
  bool cut() const noexcept { return cut_; }

 private:
  bool cut_;
};

/// One way of undoing a compression.
class Decoder {
 public:
  virtual ~Decoder() = default;
  /// The next bytes, valid until the next call; empty at the end. Throws StreamError and what the source throws.
  virtual std::span<const char> next() = 0;
};

class TarStream {
 public:
  /// Reads the first bytes, which tell the packing; gzip is undone by `threads` threads. Both are borrowed. Throws
  /// ExtractError if the packing is not accepted, and what the source throws.
  TarStream(const Source& source, const ExtractOptions& options, unsigned threads);
  ~TarStream();

  /// As Decoder::next().
  std::span<const char> next();

  std::uint64_t bytes_in() const noexcept { return bytes_in_; }    ///< asked of the source so far
  std::uint64_t bytes_out() const noexcept { return bytes_out_; }  ///< given to the caller

 private:
  std::size_t read(std::span<char> into);

  const Source& source_;
  const std::function<void()>& stop_source_;
  std::vector<char> head_;  // read already, to be given again
  std::size_t head_given_ = 0;
  std::atomic<std::uint64_t> bytes_in_ = 0;
  std::uint64_t bytes_out_ = 0;
  std::unique_ptr<Decoder> decoder_;
};

}  // namespace tarutil
