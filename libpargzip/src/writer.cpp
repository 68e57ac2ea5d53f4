#include <pargzip/writer.h>

#include <algorithm>
#include <exception>
#include <stdexcept>

#include "chunk_line.h"

namespace pargzip {
namespace {

const WriterOptions& checked(const WriterOptions& options) {
  if (options.level < 0 || options.level > kMaxLevel) throw std::invalid_argument("pargzip: the level is 0 to 12");
  if (options.chunk_size < 1 || options.chunk_size > kMaxChunkSize) {
    throw std::invalid_argument("pargzip: a chunk has 1 byte to 64 MiB");
  }
  if (options.threads > kMaxThreads) throw std::invalid_argument("pargzip: more than 1024 threads");
  return options;
}

}  // namespace

struct Writer::Impl {
  Impl(Sink sink_given, const WriterOptions& options)
      : sink(std::move(sink_given)),
        chunk_size(options.chunk_size),
        compat(options.compat),
        line(options, [this](std::span<const char> member) { give(member); }) {}

  void give(std::span<const char> member) {
    sink(member);
    bytes_out += member.size();
  }

  /// Whatever goes wrong stays wrong: a later call must not go on behind a hole.
  template <class Work>
  void guarded(Work work) {
    if (error) std::rethrow_exception(error);
    try {
      work();
    } catch (...) {  // a sink throws what it likes
      error = std::current_exception();
      line.stop();
      throw;
    }
  }

  void add(std::span<const char> bytes) {
    while (!bytes.empty()) {
      const std::size_t size = std::min(bytes.size(), chunk_size - line.open_size());
      if (size == chunk_size) {
        line.whole_chunk(bytes.first(size));
      } else {
        line.append(bytes.first(size));
        if (line.open_size() == chunk_size) line.close_chunk();
      }
      bytes = bytes.subspan(size);
    }
  }

  /// As a buffered writer of chunk_size in front of one that cuts what it gets: a full buffer waits for the next byte.
  void add_as_the_original(std::span<const char> bytes) {
    while (bytes.size() > chunk_size - line.open_size()) {
      if (line.open_size() == 0) {
        for (; !bytes.empty(); bytes = bytes.subspan(std::min(bytes.size(), chunk_size))) {
          line.whole_chunk(bytes.first(std::min(bytes.size(), chunk_size)));
        }
        return;
      }
      const std::size_t size = chunk_size - line.open_size();
      line.append(bytes.first(size));
      line.close_chunk();
      bytes = bytes.subspan(size);
    }
    line.append(bytes);
  }

  const Sink sink;
  const std::size_t chunk_size;
  const bool compat;
  std::uint64_t bytes_in = 0, bytes_out = 0;
  std::exception_ptr error;
  bool finished = false;
  ChunkLine line;
};

Writer::Writer(Sink sink, const WriterOptions& options)
    : impl_(std::make_unique<Impl>(std::move(sink), checked(options))) {}

Writer::~Writer() = default;

void Writer::write(std::span<const char> bytes) {
  if (impl_->finished) throw std::logic_error("pargzip: write() after finish()");
  impl_->guarded([&] {
    impl_->bytes_in += bytes.size();
    if (impl_->compat) {
      impl_->add_as_the_original(bytes);
    } else {
      impl_->add(bytes);
    }
  });
}

void Writer::finish() {
  if (impl_->finished) return;
  impl_->guarded([&] {
    if (impl_->bytes_in == 0 && !impl_->compat) impl_->line.compress_here({});
    impl_->line.drain();
    impl_->finished = true;
  });
}

std::uint64_t Writer::bytes_in() const noexcept { return impl_->bytes_in; }
std::uint64_t Writer::bytes_out() const noexcept { return impl_->bytes_out; }

}  // namespace pargzip
