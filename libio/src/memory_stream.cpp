// Two pipes, each held by both ends and by the coroutines that use it, so that an end may go while the other
// goes on.
#include <io/byte_stream.h>
#include <io/event.h>

#include "byte_ring.h"
#include "failure.h"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <utility>

namespace io {
namespace {

using boost::system::system_error;

struct Pipe {
  Pipe(const Executor& executor, std::size_t capacity) : bytes(capacity), changed(executor) {}

  ByteRing bytes;
  Event changed;
  bool ended = false;          // by shutdown_write()
  bool writer_closed = false;  // by close() of the writing end
  bool reader_closed = false;  // by close() of the reading end
};

using PipePtr = std::shared_ptr<Pipe>;

Task<std::size_t> read_pipe(PipePtr pipe, asio::mutable_buffer into) {
  if (into.size() == 0) co_return 0;
  for (;;) {
    if (pipe->reader_closed) throw Failure(asio::error::operation_aborted, "read from memory");
    if (!pipe->bytes.empty()) break;
    if (pipe->ended || pipe->writer_closed) co_return 0;
    co_await pipe->changed.wait();
  }
  const std::size_t count = pipe->bytes.take({static_cast<char*>(into.data()), into.size()});
  pipe->changed.notify_all();
  co_return count;
}

Task<> write_pipe(PipePtr pipe, asio::const_buffer from) {
  for (;;) {
    if (pipe->writer_closed) throw Failure(asio::error::operation_aborted, "write to memory");
    if (pipe->ended) throw Failure(asio::error::shut_down, "write to memory");
    if (pipe->reader_closed) throw Failure(asio::error::connection_reset, "write to memory");
    if (from.size() == 0) co_return;
    const std::size_t count = pipe->bytes.put({static_cast<const char*>(from.data()), from.size()});
    from += count;
    if (count > 0) pipe->changed.notify_all();
    if (from.size() == 0) co_return;
    co_await pipe->changed.wait();
  }
}

Task<> end_pipe(PipePtr pipe) {
  if (pipe->writer_closed) throw Failure(asio::error::operation_aborted, "shut down memory");
  pipe->ended = true;
  pipe->changed.notify_all();
  co_return;
}

class MemoryStream final : public ByteStream {
 public:
  MemoryStream(Executor executor, PipePtr in, PipePtr out)
      : executor_(std::move(executor)), in_(std::move(in)), out_(std::move(out)) {}
  ~MemoryStream() override { close(); }

  Executor executor() override { return executor_; }
  Task<std::size_t> read_some(asio::mutable_buffer into) override { return read_pipe(in_, into); }
  Task<> write(asio::const_buffer from) override { return write_pipe(out_, from); }
  Task<> shutdown_write() override { return end_pipe(out_); }

  void close() noexcept override {
    if (std::exchange(closed_, true)) return;
    in_->reader_closed = true;
    in_->bytes.clear();
    out_->writer_closed = true;
    in_->changed.notify_all();
    out_->changed.notify_all();
  }

  bool secure() const noexcept override { return false; }
  std::string peer() const override { return "memory"; }

 private:
  Executor executor_;
  PipePtr in_, out_;
  bool closed_ = false;
};

}  // namespace

StreamPair make_memory_pair(Executor executor, std::size_t capacity) {
  auto forth = std::make_shared<Pipe>(executor, capacity);
  auto back = std::make_shared<Pipe>(executor, capacity);
  return {std::make_unique<MemoryStream>(executor, back, forth), std::make_unique<MemoryStream>(executor, forth, back)};
}

}  // namespace io
