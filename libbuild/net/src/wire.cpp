#include "wire.h"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <utility>

namespace build::net {

namespace {

constexpr std::size_t kWritePiece = 32 * 1024;

bool was_aborted(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const boost::system::system_error& failure) {
    return failure.code() == boost::asio::error::operation_aborted;
  } catch (const std::exception&) {
    return false;
  }
}

std::string text_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const boost::system::system_error& failure) {
    return failure.code().message();
  } catch (const std::exception& failure) {
    return failure.what();
  }
}

}  // namespace

Wire::Wire(io::StreamPtr stream, io::Clock& clock)
    : clock_(clock),
      stream_(std::move(stream)),
      executor_(stream_->executor()),
      peer_(stream_->peer()),
      changed_(executor_) {}

void Wire::consume(std::size_t count) {
  begin_ += count;
  if (begin_ == buffer_.size()) {
    // Also gives the memory back, which matters for connections that are idle for long.
    buffer_ = std::string();
    begin_ = 0;
  }
  if (watch_wanted_) read_ahead();
}

void Wire::lost(std::exception_ptr error, std::string_view doing, bool timed_out) const {
  const std::string what = std::string(doing) + " (" + peer_ + "): ";
  if (timed_out) throw ConnectionLost(ConnectionLost::Why::timeout, what + "timed out");
  if (closed_) throw ConnectionLost(ConnectionLost::Why::closed, what + "the connection was closed");
  // Neither a time limit nor close(): somebody cancelled the waiting task.
  if (was_aborted(error)) std::rethrow_exception(error);
  throw ConnectionLost(ConnectionLost::Why::failed, what + text_of(error));
}

io::Task<bool> Wire::fill_raw(std::size_t room) {
  const std::size_t before = buffered().size();
  while (watch_reading_) {
    co_await changed_.wait();
    if (buffered().size() > before) co_return true;
  }
  if (watch_error_) std::rethrow_exception(watch_error_);
  if (ended_) co_return false;
  // Not into the string: that would fill the whole room with zeros first. The space is kept for the next time: with
  // many connections the heap's end would otherwise go back to the kernel and come again, page by page.
  Space space = std::exchange(space_, {});
  if (space.size < room) space = {std::make_unique_for_overwrite<char[]>(room), room};
  const std::size_t count = co_await stream_->read_some(boost::asio::buffer(space.bytes.get(), room));
  buffer_.erase(0, std::exchange(begin_, 0));
  buffer_.append(space.bytes.get(), count);
  if (space.size <= kKeptSpace) space_ = std::move(space);
  if (count == 0) ended_ = true;
  co_return count > 0;
}

io::Task<bool> Wire::fill(std::size_t room, std::string_view doing, const io::Deadline& deadline) {
  std::exception_ptr error;
  try {
    co_return co_await fill_raw(room);
  } catch (const std::exception&) {
    error = std::current_exception();
  }
  lost(error, doing, deadline.expired());
}

io::Task<bool> Wire::fill(std::size_t room, std::string_view doing, io::Duration limit) {
  const bool limited = limit > io::Duration::zero();
  io::Deadline deadline(clock_, executor_, limited ? limit : std::chrono::hours{24}, [this] { close(); });
  if (!limited) deadline.disarm();
  co_return co_await fill(room, doing, deadline);
}

io::Task<std::size_t> Wire::read_some(boost::asio::mutable_buffer into, std::string_view doing, io::Duration limit) {
  if (buffered().empty() && (watch_reading_ || watch_error_ || ended_)) {
    if (!co_await fill(into.size(), doing, limit)) co_return 0;
  }
  const std::string_view ready = buffered();
  if (!ready.empty()) {
    const std::size_t count = std::min(ready.size(), into.size());
    std::memcpy(into.data(), ready.data(), count);
    consume(count);
    co_return count;
  }
  const bool limited = limit > io::Duration::zero();
  io::Deadline deadline(clock_, executor_, limited ? limit : std::chrono::hours{24}, [this] { close(); });
  if (!limited) deadline.disarm();
  std::exception_ptr error;
  try {
    const std::size_t count = co_await stream_->read_some(into);
    if (count == 0) ended_ = true;
    co_return count;
  } catch (const std::exception&) {
    error = std::current_exception();
  }
  lost(error, doing, deadline.expired());
}

io::Task<> Wire::write(std::string_view bytes, std::string_view doing, io::Duration limit) {
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, kWritePiece);
    io::Deadline deadline(clock_, executor_, limit, [this] { close(); });
    std::exception_ptr error;
    try {
      co_await stream_->write(piece);
    } catch (const std::exception&) {
      error = std::current_exception();
    }
    if (error) {
      tell_gone();
      lost(error, doing, deadline.expired());
    }
    bytes.remove_prefix(piece.size());
  }
}

void Wire::watch(std::size_t ahead) {
  watch_wanted_ = true;
  watch_ahead_ = ahead;
  read_ahead();
}

void Wire::read_ahead() {
  if (watch_reading_) return;
  if (ended_ || watch_error_ || closed_) {
    // Told later, as always: the caller may still be setting up what `gone` refers to.
    boost::asio::post(executor_, [self = shared_from_this()] { self->tell_gone(); });
    return;
  }
  if (buffered().size() >= watch_ahead_) return;
  watch_reading_ = true;
  io::spawn(executor_, watch_loop(shared_from_this()), [](std::exception_ptr) {});
}

void Wire::unwatch() {
  watch_wanted_ = false;
  gone_ = nullptr;
}

void Wire::tell_gone() {
  if (auto gone = std::exchange(gone_, nullptr)) gone();
}

io::Task<> Wire::watch_loop(std::shared_ptr<Wire> self) {
  // A buffer of its own: the shared one may be consumed while the read is under way.
  std::array<char, 2048> bytes;
  try {
    bool enough = false;
    while (self->watch_wanted_ && !enough) {
      const std::size_t count = co_await self->stream_->read_some(boost::asio::buffer(bytes));
      self->buffer_.erase(0, std::exchange(self->begin_, 0));
      self->buffer_.append(bytes.data(), count);
      self->ended_ = count == 0;
      if (self->ended_) break;
      enough = self->buffered().size() >= self->watch_ahead_;
      self->changed_.notify_all();
    }
  } catch (const std::exception&) {
    self->watch_error_ = std::current_exception();
  }
  self->watch_reading_ = false;
  self->changed_.notify_all();
  if (self->ended_ || self->watch_error_) self->tell_gone();
}

io::Task<> Wire::settled() {
  while (watch_reading_) co_await changed_.wait();
}

void Wire::close() noexcept {
  closed_ = true;
  if (stream_) stream_->close();
}

io::StreamPtr Wire::take() {
  if (watch_reading_) throw std::logic_error("a connection cannot be handed on while it is being watched");
  std::string surplus(buffered());
  consume(surplus.size());
  if (surplus.empty()) return std::move(stream_);
  return io::with_surplus(std::move(surplus), std::move(stream_));
}

}  // namespace build::net
