// Reading gzip: any number of members, each one's CRC-32 and length checked.
//
// Members that say how long they are (Writer's, and BGZF's) are inflated side by side; all others (gzip, pigz, Go)
// as a stream, still on a thread of their own if there may be more than one.
//
// Threads: one object is used by one thread at a time. With `threads` > 1 the source is called on a thread of the
// Reader's, one call at a time, until the Reader is destroyed; the destructor waits for a call that is under way. With
// `threads` == 1 no thread is started and the source is called during read() only.
//
// Memory: bounded whatever the input says; at most kMaxParallelMember bytes of output and as much input are held for
// each thread in each of two stages; a longer member is streamed in pieces.
#pragma once

#include <pargzip/export.h>
#include <pargzip/limits.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>

namespace pargzip {

/// Gives the next bytes of the gzip file: at least one, 0 at its end. What it throws comes out of read().
using Source = std::function<std::size_t(std::span<char> into)>;

enum class ReadErrorKind {
  not_gzip,          ///< the first bytes are no gzip header
  truncated,         ///< the file ends within a member (or is empty)
  bad_header,        ///< a member's header is damaged, or its size field lies
  bad_data,          ///< no valid deflate stream
  bad_checksum,      ///< the CRC-32 is another
  bad_length,        ///< the length at the member's end is another
  trailing_garbage,  ///< after the last member comes something else; all members were read. Zeros are let pass, as gzip
                     ///< does
  limit,             ///< more output than ReaderOptions::max_output
};

/// what() is a sentence with the place: "gzip: bad checksum in the member at byte 1048601".
class PARGZIP_API ReadError : public std::runtime_error {
 public:
  ReadError(ReadErrorKind kind, std::uint64_t offset, const std::string& sentence);
  ~ReadError() override;
  ReadErrorKind kind() const noexcept { return kind_; }
  /// In the compressed file: where the damaged member (or the garbage) begins; for truncated: where the file ends.
  std::uint64_t offset() const noexcept { return offset_; }

 private:
  ReadErrorKind kind_;
  std::uint64_t offset_;
};

struct ReaderOptions {
  /// How many threads inflate, at most kMaxThreads; 0: one for each core this process may use.
  unsigned threads = 0;
  /// Of output; the read() that would pass it throws.
  std::uint64_t max_output = std::numeric_limits<std::uint64_t>::max();
};

class PARGZIP_API Reader {
 public:
  /// Throws std::invalid_argument for more than kMaxThreads.
  explicit Reader(Source source, const ReaderOptions& options = {});
  ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  /// The next bytes of output: at least one, 0 at the end of the last member. Everything before an
  /// error is given first. Throws ReadError and what the source threw, again and again once it did.
  std::size_t read(std::span<char> into);

  /// The same without a copy: bytes that stay valid until the next call; empty at the end.
  std::span<const char> next();

  std::uint64_t bytes_in() const noexcept;   ///< of members that were read to their end
  std::uint64_t bytes_out() const noexcept;  ///< given to the caller
  std::uint64_t members() const noexcept;    ///< read to their end

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pargzip
