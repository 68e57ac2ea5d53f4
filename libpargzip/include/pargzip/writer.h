// Writing gzip with several threads: a chain of gzip members, one for each chunk of the input.
//
// Any gunzip reads the result. Each member also says how long it is (docs/pargzip-format.md), so that Reader inflates
// members side by side.
//
// Threads: one object is used by one thread at a time. It starts threads of its own, which only compress; the sink
// is called on the thread that calls write() or finish(), and only during those calls. With one thread none is started.
//
// Memory: at most 4 x threads x chunk_size, and for each thread the engine's state (0.7 MiB; twice that at level 7;
// 8.6 MiB from level 10 on).
#pragma once

#include <pargzip/export.h>
#include <pargzip/limits.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

namespace pargzip {

/// Takes the next bytes of the gzip file. What it throws comes out of the write() or finish() that called it and out
/// of each one after that, and ends the work.
using Sink = std::function<void(std::span<const char> bytes)>;

struct WriterOptions {
  /// 0 stores, 1 is the fastest, 12 the smallest; 6 is about as small as gzip's 6, 7 somewhat smaller.
  int level = 6;
  /// Bytes of input for each member, 1 to kMaxChunkSize.
  std::size_t chunk_size = std::size_t{1} << 20;
  /// How many threads compress, at most kMaxThreads; 0: one for each core this process may use.
  unsigned threads = 0;
  /// As the original's pargzip: no size in the header, a write larger than an empty buffer forms members of
  /// its own (so short ones may stand in the middle), and no bytes at all if there was no input.
  bool compat = false;
};

class PARGZIP_API Writer {
 public:
  /// Throws std::invalid_argument for options out of range.
  explicit Writer(Sink sink, const WriterOptions& options = {});
  /// Without finish() the output has no valid end: what was accepted and not yet given to the sink is dropped.
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  /// Takes a copy of `bytes`; waits while all threads are busy. Throws what the sink threw, std::logic_error after
  /// finish().
  void write(std::span<const char> bytes);
  /// Compresses what is left and gives everything to the sink. A second call does nothing. Throws as write() does.
  void finish();

  std::uint64_t bytes_in() const noexcept;   ///< taken by write()
  std::uint64_t bytes_out() const noexcept;  ///< given to the sink

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pargzip
