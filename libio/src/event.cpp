// An Event is a timer that never expires: waiting is waiting for the timer, notifying cancels it. A wait that
// ends without the generation having moved was cancelled, not notified. The state is shared with the waiting
// coroutines, so that one that is resumed after the Event has gone still finds it.
#include <io/event.h>

#include "failure.h"

#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <cstdint>
#include <utility>

namespace io {

struct Event::Impl {
  explicit Impl(Executor executor) : timer(executor, asio::steady_timer::time_point::max()) {}

  static Task<> wait(std::shared_ptr<Impl> impl) {
    const std::uint64_t seen = impl->generation;
    boost::system::error_code ignored;
    co_await impl->timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    if (impl->generation == seen) {
      throw Failure(asio::error::operation_aborted, "wait for an event");
    }
  }

  asio::steady_timer timer;
  std::uint64_t generation = 0;
};

Event::Event(Executor executor) : impl_(std::make_shared<Impl>(std::move(executor))) {}

Event::~Event() { impl_->timer.cancel(); }

Task<> Event::wait() { return Impl::wait(impl_); }

void Event::notify_all() {
  ++impl_->generation;
  impl_->timer.cancel();
}

Gate::Gate(Executor executor) : changed_(std::move(executor)) {}

Gate::~Gate() = default;

Gate::Pass::Pass(Gate& gate) : gate_(&gate) { ++gate.inside_; }

Gate::Pass::Pass(Pass&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}

Gate::Pass::~Pass() {
  if (gate_ != nullptr && --gate_->inside_ == 0) gate_->changed_.notify_all();
}

Task<> Gate::close() {
  closed_ = true;
  while (inside_ > 0) co_await changed_.wait();
}

}  // namespace io
