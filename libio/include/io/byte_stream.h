// One connection, whatever carries it: TCP, TLS, a pair in memory.
//
// Everything that speaks a protocol is written against this type once, instead of being a template over
// socket types. A stream lives on one executor (see task.h). At most one read and one write may be under
// way at a time; a read and a write may overlap. An operation that was started ends before the stream is
// destroyed: whoever owns a stream closes it and lets its tasks end first.
#pragma once

#include <io/task.h>

#include <boost/asio/buffer.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace io {

class ByteStream {
 public:
  virtual ~ByteStream() = default;

  virtual Executor executor() = 0;

  /// Waits for and reads at least 1 and at most into.size() bytes. 0 means the peer ended its side in an
  /// orderly way. Failures (reset, close() called, TLS cut short) throw boost::system::system_error.
  virtual Task<std::size_t> read_some(asio::mutable_buffer into) = 0;

  /// Writes all of `from`, in the order of calls; returns when the transport below has taken the last
  /// byte. On TLS each write starts a record of its own. Throws like read_some.
  virtual Task<> write(asio::const_buffer from) = 0;

  /// Says that nothing more will be written (FIN, TLS close_notify); reading goes on. Not while a write is under
  /// way. Later writes fail.
  virtual Task<> shutdown_write() = 0;

  /// Gives up the connection at once. Pending and later operations fail with operation_aborted.
  /// May be called more than once.
  virtual void close() noexcept = 0;

  /// Bounds how long what was written may stay unacknowledged, or the peer's window shut, before the connection counts
  /// as lost (TCP_USER_TIMEOUT); zero: as long as the kernel thinks fit. Only for connections whose peer never stops
  /// reading. No effect on streams that have no such thing.
  virtual void set_user_timeout(std::chrono::milliseconds) noexcept {}

  /// True if the peer cannot be overheard or forged on the way (TLS).
  virtual bool secure() const noexcept = 0;

  /// The other end, for people and logs: "192.0.2.7:4711", "memory".
  virtual std::string peer() const = 0;

  Task<> write(std::string_view text) { return write(asio::buffer(text.data(), text.size())); }
};

using StreamPtr = std::unique_ptr<ByteStream>;

/// A stream that first gives `surplus` (bytes already read from `stream`), then what `stream` gives.
/// Used after a protocol switch, so that nothing that came early is lost.
StreamPtr with_surplus(std::string surplus, StreamPtr stream);

struct StreamPair {
  StreamPtr first, second;
};

/// Two connected streams in memory. Each direction holds at most `capacity` bytes; a writer waits for room.
/// When one is closed or destroyed, the other still reads what had been written to it, then 0 (as TCP's peer sees
/// a FIN); its writes, also one that waits for room, fail with connection_reset. Here a stream may be destroyed
/// with operations under way: they end with operation_aborted.
StreamPair make_memory_pair(Executor executor, std::size_t capacity = 64 * 1024);

}  // namespace io
