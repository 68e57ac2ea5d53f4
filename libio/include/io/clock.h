// Time as an object that is handed in. Nothing outside libio asks the system what time it is or waits on
// its own: it asks a Clock, which is the real one in programs and a VirtualClock in tests.
//
// Threads: now() and wall_now() may be called from any thread; everything else on the executor given.
#pragma once

#include <io/task.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>

namespace io {

using Duration = std::chrono::nanoseconds;
/// Monotonic time: for timers and durations, never shown to people.
using Instant = std::chrono::time_point<std::chrono::steady_clock, Duration>;
/// Calendar time in UTC: for records and people, never for timers.
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

/// A pending call. Destroying or cancelling it means the call does not happen any more, provided that is
/// done on the executor the call was asked for.
class Alarm {
 public:
  class State {
   public:
    virtual ~State() = default;
    virtual void cancel() noexcept = 0;
  };

  Alarm() = default;
  explicit Alarm(std::shared_ptr<State> state) : state_(std::move(state)) {}
  Alarm(Alarm&&) noexcept = default;
  Alarm& operator=(Alarm&& other) noexcept {
    if (this != &other) {
      cancel();
      state_ = std::move(other.state_);
    }
    return *this;
  }
  ~Alarm() { cancel(); }

  void cancel() noexcept {
    if (auto state = std::move(state_)) state->cancel();
  }

 private:
  std::shared_ptr<State> state_;
};

class Clock {
 public:
  virtual ~Clock() = default;

  virtual Instant now() const = 0;
  virtual WallTime wall_now() const = 0;

  /// Calls `callback` once on `executor`, not before `when`. It must not throw.
  [[nodiscard]] virtual Alarm call_at(Executor executor, Instant when, std::function<void()> callback) = 0;

  [[nodiscard]] Alarm call_after(Executor executor, Duration delay, std::function<void()> callback) {
    // A hundred years at most: "for ever" must not overflow.
    const Duration bounded = std::min<Duration>(delay, std::chrono::hours{24 * 365 * 100});
    return call_at(std::move(executor), now() + bounded, std::move(callback));
  }

  /// Waits. Cancelling the awaiting coroutine ends the wait with boost::system::system_error
  /// (operation_aborted).
  Task<> sleep_for(Duration delay);
};

class RealClock final : public Clock {
 public:
  Instant now() const override;
  WallTime wall_now() const override;
  Alarm call_at(Executor executor, Instant when, std::function<void()> callback) override;
};

/// Stands still until it is told to move. Callbacks due at the same instant run in the order they were
/// asked for. Use it on a single-threaded event loop only.
class VirtualClock final : public Clock {
 public:
  explicit VirtualClock(WallTime start = WallTime{std::chrono::hours{24 * 365 * 50}});
  ~VirtualClock() override;

  Instant now() const override;
  WallTime wall_now() const override;
  Alarm call_at(Executor executor, Instant when, std::function<void()> callback) override;

  /// When the next callback is due, if there is one.
  std::optional<Instant> next_due() const;

  /// Moves time forward by `amount`, stopping at each instant where callbacks are due: they are posted to
  /// their executors, then `settle` is called, which runs everything that became ready (normally
  /// [&]{ loop.poll(); }). It is called once before time moves, too, so that coroutines just spawned get to ask.
  void advance(Duration amount, const std::function<void()>& settle);

 private:
  class Pending;
  std::multimap<Instant, std::shared_ptr<Pending>> pending_;
  std::atomic<Instant> now_{};
  WallTime wall_start_;
};

/// Closes something that takes too long: runs `on_expiry` unless destroyed (or disarmed) in time.
/// The usual form of a time limit on one phase of an exchange:
///
///   Deadline deadline(clock, stream.executor(), 10s, [&] { stream.close(); });
///   co_await stream.read_some(...);   // fails with operation_aborted when the time is over
///   if (deadline.expired()) ...
class Deadline {
 public:
  Deadline(Clock& clock, Executor executor, Duration limit, std::function<void()> on_expiry);
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  bool expired() const noexcept { return expired_; }
  /// Starts the whole limit anew, counted from now. No effect once expired.
  void restart();
  void disarm() noexcept { alarm_.cancel(); }

 private:
  Clock& clock_;
  Executor executor_;
  Duration limit_;
  std::function<void()> on_expiry_;
  bool expired_ = false;
  Alarm alarm_;
};

}  // namespace io
