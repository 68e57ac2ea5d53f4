#include <revdial/blocking.h>
#include <revdial/switch.h>

#include <io/event.h>

#include <boost/asio/post.hpp>

#include <utility>

namespace revdial {

namespace {

io::Task<std::size_t> read_on(std::shared_ptr<io::ByteStream> stream, io::asio::mutable_buffer into) {
  co_return co_await stream->read_some(into);
}

io::Task<> write_on(std::shared_ptr<io::ByteStream> stream, std::string_view bytes) { co_await stream->write(bytes); }

io::Task<> end_on(std::shared_ptr<io::ByteStream> stream) { co_await stream->shutdown_write(); }

io::Task<> close_on(std::shared_ptr<io::ByteStream> stream) {
  stream->close();
  co_return;
}

io::Task<io::StreamPtr> dial_on(std::shared_ptr<Dialer> dialer, io::Duration limit) {
  co_return co_await dialer->dial(limit);
}

}  // namespace

BlockingStream::BlockingStream(io::LoopThread& loop, io::StreamPtr stream) : loop_(&loop) {
  if (!stream) return;
  // It goes where it lives, whoever lets it go; should the loop be at its end, with the loop.
  const io::Executor executor = stream->executor();
  stream_ = std::shared_ptr<io::ByteStream>(stream.release(), [executor](io::ByteStream* last) {
    io::asio::post(executor, [kept = io::StreamPtr(last)] { kept->close(); });
  });
}

std::size_t BlockingStream::read(std::span<char> into) {
  return loop_->run(read_on(stream_, io::asio::buffer(into.data(), into.size())));
}
void BlockingStream::write(std::string_view bytes) { loop_->run(write_on(stream_, bytes)); }
void BlockingStream::shutdown_write() { loop_->run(end_on(stream_)); }
void BlockingStream::close() { loop_->run(close_on(stream_)); }

BlockingStream BlockingDialer::dial(io::Duration limit) { return {loop_, loop_.run(dial_on(dialer_, limit))}; }

struct BlockingListener::Impl {
  explicit Impl(io::LoopThread& on) : loop(on), over(on.executor()) {}

  static io::Task<> begin(Impl& self, io::Clock& clock, DialServer dial_server, io::RequestHead registration,
                          ListenerOptions options) {
    io::StreamPtr stream = co_await dial_server();
    io::StreamPtr control =
        co_await switch_protocols(std::move(stream), std::move(registration), clock, options.switch_limit);
    self.listener = std::make_unique<Listener>(std::move(control), std::move(dial_server), clock, options);
    self.running = true;
    self.listener->async_run([&self](const std::exception_ptr&, const SessionEnd&) {
      self.running = false;
      self.over.notify_all();
    });
  }
  static io::Task<> close(Impl& self) {
    if (self.listener) self.listener->close();
    co_return;
  }
  static io::Task<> end(Impl& self) {
    if (self.listener) self.listener->close();
    while (self.running) co_await self.over.wait();
    self.listener.reset();
  }

  io::LoopThread& loop;
  std::unique_ptr<Listener> listener;
  bool running = false;
  io::Event over;
};

BlockingListener::BlockingListener(io::LoopThread& loop, io::Clock& clock, DialServer dial_server,
                                   io::RequestHead registration, ListenerOptions options)
    : impl_(std::make_unique<Impl>(loop)) {
  loop.run(Impl::begin(*impl_, clock, std::move(dial_server), std::move(registration), options));
}

BlockingListener::~BlockingListener() { impl_->loop.run(Impl::end(*impl_)); }

BlockingStream BlockingListener::accept() { return {impl_->loop, impl_->loop.run(impl_->listener->accept())}; }
void BlockingListener::close() { impl_->loop.run(Impl::close(*impl_)); }

}  // namespace revdial
