// A world on one thread and a virtual clock: an event loop that runs only what is ready, tasks whose outcome can
// be looked at, and the far end of a connection as a test wants to see it.
#pragma once

#include <doctest/doctest.h>

#include <io/byte_stream.h>
#include <io/clock.h>
#include <io/event_loop.h>
#include <io/task.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/system/system_error.hpp>

#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace testing {

using namespace std::chrono_literals;

/// What became of a task.
template <typename T>
class Running {
 public:
  bool done() const { return state_->done; }
  /// Rethrows what the task threw.
  T& value() {
    REQUIRE(done());
    if (state_->error) std::rethrow_exception(state_->error);
    return *state_->value;
  }
  /// The text of what it threw; empty if nothing.
  std::string error() const {
    REQUIRE(done());
    if (!state_->error) return "";
    try {
      std::rethrow_exception(state_->error);
    } catch (const std::exception& error) {
      return error.what();
    }
  }
  bool was_cancelled() const {
    try {
      if (done() && state_->error) std::rethrow_exception(state_->error);
    } catch (const boost::system::system_error& error) {
      return error.code() == boost::asio::error::operation_aborted;
    } catch (const std::exception&) {
      return false;
    }
    return false;
  }
  void cancel() { state_->signal.emit(boost::asio::cancellation_type::terminal); }

 private:
  friend class World;
  struct State {
    bool done = false;
    std::optional<T> value;
    std::exception_ptr error;
    boost::asio::cancellation_signal signal;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

class World {
 public:
  io::VirtualClock clock;  // before the loop, whose tasks may have alarms
  io::EventLoop loop;

  io::Executor executor() { return loop.executor(); }

  /// Runs everything that is ready.
  void settle() {
    while (loop.poll() > 0) {
    }
  }
  void advance(io::Duration time) {
    settle();
    clock.advance(time, [this] { settle(); });
  }

  /// Starts `task` and runs what is ready.
  template <typename T>
  Running<T> start(io::Task<T> task) {
    Running<T> running;
    auto state = running.state_;
    boost::asio::co_spawn(
        executor(), std::move(task),
        boost::asio::bind_cancellation_slot(state->signal.slot(), [state](const std::exception_ptr& error, T value) {
          state->done = true;
          state->error = error;
          if (!error) state->value.emplace(std::move(value));
        }));
    settle();
    return running;
  }
  void start(io::Task<> task) {
    boost::asio::co_spawn(executor(), std::move(task), [](const std::exception_ptr&) {});
    settle();
  }
};

/// The far end of a connection: reads all the time (unless told not to), keeps what it has read.
class Peer {
 public:
  enum class Reads { yes, no };

  Peer(World& world, io::StreamPtr stream, Reads reads = Reads::yes) : world_(world), stream_(std::move(stream)) {
    if (reads == Reads::yes) world_.start(read_all(stream_, state_));
  }

  void send(std::string_view text) { world_.start(write(stream_, std::string(text))); }
  void end() { world_.start(shut_down(stream_)); }
  void close() {
    stream_->close();
    world_.settle();
  }

  /// What came since the last call.
  std::string take() {
    world_.settle();
    return std::exchange(state_->received, "");
  }
  bool saw_end() {
    world_.settle();
    return state_->ended;
  }

 private:
  struct State {
    std::string received;
    bool ended = false;
  };
  static io::Task<> read_all(std::shared_ptr<io::ByteStream> stream, std::shared_ptr<State> state) {
    for (;;) {
      char piece[256];
      const auto room = boost::asio::buffer(piece);
      const std::size_t count = co_await stream->read_some(room);
      state->received.append(piece, count);
      if (count == 0) break;
    }
    state->ended = true;
  }
  static io::Task<> write(std::shared_ptr<io::ByteStream> stream, std::string text) { co_await stream->write(text); }
  static io::Task<> shut_down(std::shared_ptr<io::ByteStream> stream) { co_await stream->shutdown_write(); }

  World& world_;
  std::shared_ptr<io::ByteStream> stream_;
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

/// Bytes that a stream has ready now.
inline std::string read_ready(World& world, io::ByteStream& stream) {
  static const auto read = [](io::ByteStream& from) -> io::Task<std::string> {
    char piece[4096];
    const auto room = boost::asio::buffer(piece);
    const std::size_t count = co_await from.read_some(room);
    co_return std::string(piece, count);
  };
  auto running = world.start(read(stream));
  return running.done() ? running.value() : "";
}

}  // namespace testing
