// Reverse dialing for code that blocks: the same objects, on an io::LoopThread, with calls that wait.
//
// Every call blocks its thread until it is done and throws what the awaiting form throws. Threads: any but the loop's;
// one read and one write may be under way on a stream at the same time, and several dials and accepts. close() may be
// called while they are: it ends them. The LoopThread and the clock outlive all of it.
#pragma once

#include <io/byte_stream.h>
#include <io/clock.h>
#include <io/http1.h>
#include <io/loop_thread.h>
#include <revdial/dialer.h>
#include <revdial/listener.h>

#include <functional>
#include <memory>
#include <span>
#include <string_view>

namespace revdial {

/// A connection. Closed with the last copy of it.
class BlockingStream {
 public:
  BlockingStream() = default;
  BlockingStream(io::LoopThread& loop, io::StreamPtr stream);

  /// False for the one that BlockingListener::accept() gives when the session is over.
  explicit operator bool() const noexcept { return stream_ != nullptr; }

  /// Waits for at least one byte; 0 is the end.
  std::size_t read(std::span<char> into);
  /// All of it.
  void write(std::string_view bytes);
  /// Nothing more will be written; reading goes on.
  void shutdown_write();
  void close();

 private:
  io::LoopThread* loop_ = nullptr;
  std::shared_ptr<io::ByteStream> stream_;
};

/// The server's end of a session: dials the worker.
class BlockingDialer {
 public:
  BlockingDialer(io::LoopThread& loop, std::shared_ptr<Dialer> dialer) : loop_(loop), dialer_(std::move(dialer)) {}

  BlockingStream dial(io::Duration limit);

 private:
  io::LoopThread& loop_;
  std::shared_ptr<Dialer> dialer_;
};

/// The worker's end: dials the server, registers, and accepts what the server dials back.
class BlockingListener {
 public:
  /// Connects by `dial_server` (which runs on the loop), sends `registration`, and waits for the 101 within
  /// ListenerOptions::switch_limit. Throws SwitchError, or what `dial_server` throws.
  BlockingListener(io::LoopThread& loop, io::Clock& clock, DialServer dial_server, io::RequestHead registration,
                   ListenerOptions options = {});
  /// As close(). Waits until the session has ended.
  ~BlockingListener();
  BlockingListener(const BlockingListener&) = delete;
  BlockingListener& operator=(const BlockingListener&) = delete;

  /// The next connection; one that is false when the session is over.
  BlockingStream accept();
  void close();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace revdial
