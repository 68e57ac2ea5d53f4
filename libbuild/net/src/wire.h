// One connection's bytes: buffered reading, writing with time limits, and noticing that the peer has gone.
#pragma once

#include <build/net/body.h>
#include <io/byte_stream.h>
#include <io/clock.h>
#include <io/event.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace build::net {

/// Shared by whoever reads and writes it, because a read in the background may outlive its owner for the moment
/// it takes to end after close().
class Wire : public std::enable_shared_from_this<Wire> {
 public:
  Wire(io::StreamPtr stream, io::Clock& clock);

  io::ByteStream& stream() { return *stream_; }
  io::Executor executor() { return executor_; }
  io::Clock& clock() { return clock_; }
  const std::string& peer() const { return peer_; }

  /// Bytes received and not consumed.
  std::string_view buffered() const { return std::string_view(buffer_).substr(begin_); }
  void consume(std::size_t count);

  /// Waits for more bytes and puts up to `room` of them behind the buffered ones; false at the end of the stream.
  /// `deadline`, made by timeout(), may have closed the connection meanwhile. Throws ConnectionLost; its text
  /// begins with `doing`, which must outlive the call.
  io::Task<bool> fill(std::size_t room, std::string_view doing, const io::Deadline& deadline);
  /// The same with a limit for this one wait; zero is none.
  io::Task<bool> fill(std::size_t room, std::string_view doing, io::Duration limit);
  /// Gives buffered bytes, else waits for some; 0 at the end of the stream.
  io::Task<std::size_t> read_some(boost::asio::mutable_buffer into, std::string_view doing, io::Duration limit);

  /// Writes all of it; `limit` is for each 32 KiB. A failure calls what arm() was given, but closes nothing, so that
  /// what the peer has sent can still be read; only a timeout closes.
  io::Task<> write(std::string_view bytes, std::string_view doing, io::Duration limit);

  /// `gone` is called once when a write fails, or when the background read finds the stream ended or broken.
  void arm(std::function<void()> gone) { gone_ = std::move(gone); }
  /// Reads in the background whenever fewer than `ahead` bytes are buffered, until unwatch().
  void watch(std::size_t ahead);
  /// No more reads in the background (one may still be under way); forgets what arm() was given.
  void unwatch();
  /// Calls what arm() was given, if it was not called yet.
  void tell_gone();
  bool watching() const { return watch_reading_; }
  /// Waits until no background read is under way; close() first, or it may take for ever.
  io::Task<> settled();

  void close() noexcept;
  bool closed() const { return closed_; }

  /// The stream, with buffered bytes in front. No background read may be under way.
  io::StreamPtr take();

 private:
  static constexpr std::size_t kKeptSpace = 4096;  ///< of a request's head: an idle connection has no more
  struct Space {
    std::unique_ptr<char[]> bytes;
    std::size_t size = 0;
  };

  static io::Task<> watch_loop(std::shared_ptr<Wire> self);
  void read_ahead();
  io::Task<bool> fill_raw(std::size_t room);
  [[noreturn]] void lost(std::exception_ptr error, std::string_view doing, bool timed_out) const;

  io::Clock& clock_;
  io::StreamPtr stream_;
  io::Executor executor_;
  std::string peer_;
  std::string buffer_;
  std::size_t begin_ = 0;
  Space space_;  ///< to read into, while nothing is read
  bool closed_ = false;
  bool ended_ = false;
  std::size_t watch_ahead_ = 0;
  bool watch_wanted_ = false, watch_reading_ = false;
  std::exception_ptr watch_error_;
  std::function<void()> gone_;
  io::Event changed_;
};

}  // namespace build::net
