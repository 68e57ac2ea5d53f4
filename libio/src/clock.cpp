#include <io/clock.h>
#include <io/event.h>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <utility>
#include <vector>

namespace io {

Task<> Clock::sleep_for(Duration delay) {
  Executor executor = co_await asio::this_coro::executor;
  Event woken(executor);
  bool due = false;
  // The alarm goes before `woken` and `due` do, so the callback never finds them gone.
  const Alarm alarm = call_after(executor, delay, [&woken, &due] {
    due = true;
    woken.notify_all();
  });
  while (!due) co_await woken.wait();
}

namespace {

class RealAlarm final : public Alarm::State, public std::enable_shared_from_this<RealAlarm> {
 public:
  RealAlarm(Executor executor, Instant when, std::function<void()> callback)
      : timer_(executor, when), callback_(std::move(callback)) {}

  void start() {
    timer_.async_wait([self = shared_from_this()](boost::system::error_code error) {
      if (error || !self->callback_) return;
      const auto callback = std::exchange(self->callback_, nullptr);
      callback();
    });
  }

  void cancel() noexcept override {
    callback_ = nullptr;
    timer_.cancel();
  }

 private:
  asio::steady_timer timer_;
  std::function<void()> callback_;
};

}  // namespace

Instant RealClock::now() const { return std::chrono::steady_clock::now(); }

WallTime RealClock::wall_now() const {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

Alarm RealClock::call_at(Executor executor, Instant when, std::function<void()> callback) {
  auto state = std::make_shared<RealAlarm>(std::move(executor), when, std::move(callback));
  state->start();
  return Alarm(std::move(state));
}

class VirtualClock::Pending final : public Alarm::State {
 public:
  Pending(VirtualClock& clock, Executor executor, std::function<void()> callback)
      : clock_(&clock), executor_(std::move(executor)), callback_(std::move(callback)) {}

  void queued_at(std::multimap<Instant, std::shared_ptr<Pending>>::iterator position) { position_ = position; }
  void forget_clock() { clock_ = nullptr; }

  static void post(std::shared_ptr<Pending> pending) {
    pending->forget_clock();
    const Executor executor = pending->executor_;
    asio::post(executor, [pending = std::move(pending)] {
      if (!pending->callback_) return;
      const auto callback = std::exchange(pending->callback_, nullptr);
      callback();
    });
  }

  void cancel() noexcept override {
    callback_ = nullptr;
    if (clock_ != nullptr) std::exchange(clock_, nullptr)->pending_.erase(position_);
  }

 private:
  VirtualClock* clock_;  // null once it is no longer in the clock's list
  std::multimap<Instant, std::shared_ptr<Pending>>::iterator position_;
  Executor executor_;
  std::function<void()> callback_;
};

VirtualClock::VirtualClock(WallTime start) : wall_start_(start) {}

VirtualClock::~VirtualClock() {
  for (auto& [when, pending] : pending_) pending->forget_clock();
}

Instant VirtualClock::now() const { return now_; }

WallTime VirtualClock::wall_now() const {
  return wall_start_ + std::chrono::floor<std::chrono::milliseconds>(now().time_since_epoch());
}

Alarm VirtualClock::call_at(Executor executor, Instant when, std::function<void()> callback) {
  auto pending = std::make_shared<Pending>(*this, std::move(executor), std::move(callback));
  pending->queued_at(pending_.emplace(when, pending));
  return Alarm(std::move(pending));
}

std::optional<Instant> VirtualClock::next_due() const {
  if (pending_.empty()) return std::nullopt;
  return pending_.begin()->first;
}

void VirtualClock::advance(Duration amount, const std::function<void()>& settle) {
  const Instant target = now() + amount;
  settle();
  while (!pending_.empty() && pending_.begin()->first <= target) {
    now_ = std::max(now(), pending_.begin()->first);
    std::vector<std::shared_ptr<Pending>> due;
    while (!pending_.empty() && pending_.begin()->first <= now()) {
      due.push_back(std::move(pending_.begin()->second));
      pending_.erase(pending_.begin());
    }
    for (auto& pending : due) Pending::post(std::move(pending));
    settle();
  }
  now_ = target;
}

Deadline::Deadline(Clock& clock, Executor executor, Duration limit, std::function<void()> on_expiry)
    : clock_(clock), executor_(std::move(executor)), limit_(limit), on_expiry_(std::move(on_expiry)) {
  restart();
}

void Deadline::restart() {
  if (expired_) return;
  alarm_ = clock_.call_after(executor_, limit_, [this] {
    expired_ = true;
    on_expiry_();
  });
}

}  // namespace io
