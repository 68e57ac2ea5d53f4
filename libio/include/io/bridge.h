// The bridge between awaiting and blocking code: a bounded pipe of bytes, one end in a coroutine, the other
// on a thread of the BlockingPool.
//
// Ownership: shared by both ends (std::shared_ptr). One writer, one reader. Either end may give up; the
// other then gets an error, so neither waits for ever on a peer that is gone. An end that goes without saying
// finish(), fail() or stop_reading() leaves the other waiting. Functions for the blocking side may be called from any
// thread while the executor's event loop exists, all others on the executor given. Cancelling a coroutine that
// waits ends the wait with operation_aborted; part of what it was writing may have gone over.
#pragma once

#include <io/task.h>

#include <boost/asio/buffer.hpp>

#include <exception>
#include <memory>
#include <span>

namespace io {

/// A coroutine writes, a blocking thread reads (feeding libarchive from a request body).
class ToBlocking {
 public:
  /// `executor` is the writer's. At most `capacity` bytes are held.
  explicit ToBlocking(Executor executor, std::size_t capacity = 256 * 1024);
  ~ToBlocking();

  /// Waits for room. Throws the reader's error once the reader has given up.
  Task<> write(asio::const_buffer bytes);
  /// End of the stream; the reader sees 0 after the last byte.
  void finish();
  /// The writer's failure: the reader's next read() throws `error`, bytes still held are dropped.
  void fail(std::exception_ptr error);

  /// For the blocking side: waits for at least one byte; 0 is the end. Throws what fail() was given.
  std::size_t read(std::span<char> into);
  /// For the blocking side: no more will be read. Pending and later writes throw `error`; if it is null they
  /// succeed and the bytes are dropped. A read() that waits in another thread, and later ones, give 0.
  void stop_reading(std::exception_ptr error = {});

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

/// A blocking thread writes, a coroutine reads (streaming an archive while it is made).
class FromBlocking {
 public:
  /// `executor` is the reader's.
  explicit FromBlocking(Executor executor, std::size_t capacity = 256 * 1024);
  ~FromBlocking();

  /// For the blocking side: waits for room; throws std::runtime_error once the reader has given up.
  void write(std::span<const char> bytes);
  void finish();
  /// The writer's failure: the reader's next read_some() throws `error`, bytes still held are dropped.
  void fail(std::exception_ptr error);

  /// At least one byte, 0 at the end; throws what fail() was given.
  Task<std::size_t> read_some(asio::mutable_buffer into);
  /// No more will be read; bytes still held are dropped.
  void stop_reading();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace io
