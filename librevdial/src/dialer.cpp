// How it works: run() reads the listener's reports; a second task, the writer, sends keep-alives and conn-readys, in
// the original's order (every conn-ready is followed by a keep-alive). A dial takes a connection that is ready, or
// becomes a Waiter in a queue; whatever settles it first (connection, report, time, end) takes it out, so nothing that
// comes later can reach it.
//
// Each conn-ready has a token of its own, under which `asked_` knows what it is for: a dial, or to be kept ready. A
// dial that gives up leaves its token behind for as long as its pick-up may still come: a connection for it is then
// taken and closed, which the listener does not report. A connection that was to be kept serves the dial that has
// waited for the longest, if one waits; that dial's own connection is then kept in its place.
//
// Invariant: a Waiter is in waiters_ exactly as long as it is not settled and its dial() still waits.
#include <revdial/dialer.h>

#include "asked_pickups.h"
#include "control_channel.h"
#include "ready_set.h"

#include <io/event.h>

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <ratio>
#include <utility>

namespace revdial {

namespace {

using QuarterSeconds = std::chrono::duration<std::int64_t, std::ratio<1, 4>>;

/// Not later than `period` from now, and at the same instant as the keep-alives of other sessions: thousands of
/// sessions then wake the program four times a second, not once for each. A short period is kept exactly.
io::Instant next_keep_alive(io::Instant now, io::Duration period) {
  const io::Instant due = now + period;
  return period < std::chrono::seconds{5} ? due : std::chrono::floor<QuarterSeconds>(due);
}

}  // namespace

class Dialer::Impl final : public Pickups::Taker {
 public:
  Impl(io::StreamPtr control, io::Clock& clock, Pickups& pickups, DialerOptions options)
      : channel_(std::move(control), clock, options.user_timeout),
        options_(std::move(options)),
        asked_(pickups, *this, clock, options_),
        work_(channel_.stream().executor()),
        ready_(channel_.stream().executor(), clock, options_.max_ready, options_.ready_period,
               [this] { work_.notify_all(); }),
        writer_ended_(channel_.stream().executor()) {}

  static io::Task<SessionEnd> run(std::shared_ptr<Impl> self);
  static io::Task<Dialed> dial(std::shared_ptr<Impl> self, DialOptions options);
  static io::Task<io::StreamPtr> dial_stream(std::shared_ptr<Impl> self, io::Duration limit);
  bool expects(std::string_view token) override;
  PickupResult take(std::string_view token, io::StreamPtr connection) override;
  void end(SessionEnd::Cause cause, const std::string& text);
  /// As end(), and gives the control channel up without a goodbye if nobody is there to say one.
  void close() noexcept;

  void set_keep_alive(io::Duration period);

  bool ended() const noexcept { return channel_.ended(); }
  std::size_t waiting() const noexcept { return waiters_.size(); }
  std::size_t ready() const noexcept { return ready_.size(); }
  std::string peer() { return channel_.stream().peer(); }
  io::Executor executor() { return channel_.stream().executor(); }

 private:
  using Purpose = AskedPickups::Purpose;

  static io::Task<> write_messages(std::shared_ptr<Impl> self);
  io::Task<> read_reports();
  io::Task<> write_until_end();
  io::Task<> wait_for_work();
  std::optional<std::string> next_path();
  bool has_work();
  void pickup_failed(const ControlMessage& report);
  void settle(const WaiterPtr& waiter, io::StreamPtr connection, std::optional<DialError> error);
  void give_up(const WaiterPtr& waiter);
  void forget_lost_pickups();
  WaiterPtr next_to_ask() const;
  static io::Task<io::StreamPtr> wait_for_connection(std::shared_ptr<Impl> self, io::Duration limit);

  ControlChannel channel_;
  DialerOptions options_;
  AskedPickups asked_;
  std::deque<WaiterPtr> waiters_;
  io::Instant keep_alive_at_{};  ///< when the next one is due
  io::Event work_;               // something for the writer: a dial, a connection to be kept, the end
  ReadySet ready_;
  bool writer_runs_ = false;
  io::Event writer_ended_;
};

void Dialer::Impl::end(SessionEnd::Cause cause, const std::string& text) {
  if (!channel_.set_end(cause, text)) return;
  asked_.clear();
  ready_.close();
  while (!waiters_.empty()) {
    settle(WaiterPtr(waiters_.front()), nullptr, DialError(DialError::Reason::closed, "revdial.Dialer closed"));
  }
  work_.notify_all();
}

void Dialer::Impl::close() noexcept {
  end(SessionEnd::Cause::closed_here, "the session was closed on this side");
  if (!writer_runs_) channel_.stream().close();
}

io::Task<SessionEnd> Dialer::Impl::run(std::shared_ptr<Impl> self) {
  self->writer_runs_ = true;
  io::spawn(self->channel_.stream().executor(), write_messages(self), [self](const std::exception_ptr& error) {
    const SessionEnd end = self->channel_.cause_of(error, "writing to the control channel");
    self->end(end.cause, end.text);
  });

  std::exception_ptr error;
  try {
    co_await self->read_reports();
  } catch (const std::exception&) {
    error = std::current_exception();
  }
  // From here on the waits are not interrupted: what is still under way has to end before this task may.
  const auto state = co_await io::asio::this_coro::cancellation_state;
  const bool cancelled = state.cancelled() != io::asio::cancellation_type::none;
  co_await io::asio::this_coro::reset_cancellation_state(io::asio::disable_cancellation());
  if (cancelled) {
    self->end(SessionEnd::Cause::closed_here, "the session was cancelled");
  } else if (error) {
    const SessionEnd end = self->channel_.cause_of(error, "reading the control channel");
    self->end(end.cause, end.text);
  }
  while (self->writer_runs_) co_await self->writer_ended_.wait();
  if (cancelled) throw boost::system::system_error(boost::asio::error::operation_aborted);
  co_return self->channel_.end();
}

io::Task<> Dialer::Impl::read_reports() {
  LineReader lines(channel_.stream());
  for (;;) {
    const std::optional<std::string> line = co_await lines.next();
    if (!line) {
      end(SessionEnd::Cause::closed_by_peer, "the listener closed the session");
      co_return;
    }
    const ControlMessage message = parse_control_line(*line);
    if (message.command == kPickupFailed) pickup_failed(message);
  }
}

void Dialer::Impl::pickup_failed(const ControlMessage& report) {
  forget_lost_pickups();
  const auto asked = asked_.take_reported(report.conn_path);
  if (!asked) return;
  if (asked->purpose == Purpose::keep) ready_.failed();
  if (!asked->waiter) return;
  settle(asked->waiter, nullptr,
         DialError(DialError::Reason::pickup_failed, "revdial listener failed to pick up connection: " + report.err));
}

bool Dialer::Impl::expects(std::string_view token) {
  forget_lost_pickups();
  return asked_.has(token);
}

PickupResult Dialer::Impl::take(std::string_view token, io::StreamPtr connection) {
  const auto asked = asked_.take(token);
  WaiterPtr waiter = asked ? asked->waiter : nullptr;
  if (asked && asked->purpose == Purpose::keep) {
    if (waiters_.empty()) return ready_.add(std::move(connection)) ? PickupResult::kept : PickupResult::nobody_waiting;
    waiter = waiters_.front();
    asked_.keep(waiter);
  }
  if (!waiter) {
    connection->close();
    return PickupResult::nobody_waiting;
  }
  settle(waiter, std::move(connection), std::nullopt);
  ready_.rest();
  return PickupResult::taken;
}

void Dialer::Impl::forget_lost_pickups() {
  if (asked_.forget_lost()) ready_.failed();
}

void Dialer::Impl::settle(const WaiterPtr& waiter, io::StreamPtr connection, std::optional<DialError> error) {
  std::erase(waiters_, waiter);
  waiter->connection = std::move(connection);
  waiter->error = std::move(error);
  waiter->settled.notify_all();
}

void Dialer::Impl::give_up(const WaiterPtr& waiter) {
  std::erase(waiters_, waiter);
  asked_.give_up(waiter);
  work_.notify_all();  // while it waited no connection was made to be kept
}

io::Task<> Dialer::Impl::write_messages(std::shared_ptr<Impl> self) {
  struct Finally {
    Impl& impl;
    ~Finally() {
      impl.channel_.stream().close();  // also ends the reading
      impl.writer_runs_ = false;
      impl.writer_ended_.notify_all();
    }
  } finally{*self};
  try {
    co_await self->write_until_end();
  } catch (const std::exception&) {
    const SessionEnd end = self->channel_.cause_of(std::current_exception(), "writing to the control channel");
    self->end(end.cause, end.text);
  }
  co_await self->channel_.say_goodbye();
}

void Dialer::Impl::set_keep_alive(io::Duration period) {
  options_.keep_alive = period;
  keep_alive_at_ = channel_.clock().now();
  work_.notify_all();
}

io::Task<> Dialer::Impl::write_until_end() {
  while (!ended()) {
    std::string period;
    if (options_.announce_keep_alive)
      period = std::to_string(std::chrono::ceil<std::chrono::seconds>(options_.keep_alive).count());
    keep_alive_at_ = next_keep_alive(channel_.clock().now(), options_.keep_alive);
    ControlMessage keep_alive{.command = std::string(kKeepAlive), .conn_path = {}, .err = {}, .period = period};
    co_await channel_.write(std::move(keep_alive), options_.write_limit);
    co_await wait_for_work();
    const std::optional<std::string> path = next_path();
    if (!path) continue;
    ControlMessage ready{.command = std::string(kConnReady), .conn_path = *path, .err = {}};
    co_await channel_.write(std::move(ready), options_.write_limit);
  }
}

/// Returns when there is a connection to ask for, the session is over, or a keep-alive is due.
io::Task<> Dialer::Impl::wait_for_work() {
  io::Clock& clock = channel_.clock();
  while (!ended() && !has_work() && clock.now() < keep_alive_at_) {
    const bool resting = waiters_.empty() && ready_.missing(asked_.to_keep()) > 0;
    const io::Instant wake_at = resting ? std::min(ready_.not_before(), keep_alive_at_) : keep_alive_at_;
    const io::Alarm alarm = clock.call_at(executor(), wake_at, [this] { work_.notify_all(); });
    co_await work_.wait();
  }
}

WaiterPtr Dialer::Impl::next_to_ask() const {
  const auto found = std::find_if(waiters_.begin(), waiters_.end(), [](const WaiterPtr& w) { return !w->asked; });
  return found == waiters_.end() ? nullptr : *found;
}

/// Connections are made to be kept only while no dial waits: they would be in its way.
bool Dialer::Impl::has_work() {
  if (!waiters_.empty()) return next_to_ask() != nullptr;
  return ready_.missing(asked_.to_keep()) > 0 && channel_.clock().now() >= ready_.not_before();
}

/// Where the listener is to go now, if it is to go anywhere.
std::optional<std::string> Dialer::Impl::next_path() {
  forget_lost_pickups();
  if (ended() || !has_work()) return std::nullopt;
  const WaiterPtr waiter = next_to_ask();
  if (waiter) waiter->asked = true;
  return asked_.ask(waiter);
}

io::Task<Dialed> Dialer::Impl::dial(std::shared_ptr<Impl> self, DialOptions options) {
  if (self->ended()) throw DialError(DialError::Reason::closed, "revdial.Dialer closed");
  Dialed dialed;
  if (options.source == DialOptions::Source::any) dialed.stream = self->ready_.take();
  dialed.was_ready = dialed.stream != nullptr;
  if (!dialed.was_ready) dialed.stream = co_await wait_for_connection(self, options.limit);
  co_return dialed;
}

io::Task<io::StreamPtr> Dialer::Impl::dial_stream(std::shared_ptr<Impl> self, io::Duration limit) {
  const DialOptions options{.limit = limit};
  Dialed dialed = co_await dial(std::move(self), options);
  co_return std::move(dialed.stream);
}

io::Task<io::StreamPtr> Dialer::Impl::wait_for_connection(std::shared_ptr<Impl> self, io::Duration limit) {
  if (self->waiters_.size() >= self->options_.max_waiting) {
    throw DialError(DialError::Reason::too_many,
                    "revdial: " + std::to_string(self->waiters_.size()) + " dials to this worker wait already");
  }
  // Takes the dial out of the queue however this coroutine ends; a connection it did not take is closed.
  struct Entry {
    Impl& impl;
    WaiterPtr waiter;
    ~Entry() {
      impl.give_up(waiter);
      if (waiter->connection) waiter->connection->close();
    }
  } entry{*self, std::make_shared<Waiter>(self->executor())};
  Waiter& waiter = *entry.waiter;
  self->waiters_.push_back(entry.waiter);
  self->work_.notify_all();

  const io::Alarm alarm = self->channel_.clock().call_after(self->executor(), limit, [&impl = *self, &entry, limit] {
    if (entry.waiter->is_settled()) return;
    impl.give_up(entry.waiter);
    impl.settle(entry.waiter, nullptr,
                DialError(DialError::Reason::timed_out,
                          "revdial: no connection from " + impl.peer() + " within " + in_seconds(limit)));
  });
  while (!waiter.is_settled()) co_await waiter.settled.wait();
  if (waiter.error) throw DialError(*waiter.error);
  co_return std::exchange(waiter.connection, nullptr);
}

Dialer::Dialer(io::StreamPtr control, io::Clock& clock, Pickups& pickups, DialerOptions options)
    : impl_(std::make_shared<Impl>(std::move(control), clock, pickups, std::move(options))) {}
Dialer::~Dialer() { close(); }

io::Task<SessionEnd> Dialer::run() { return Impl::run(impl_); }
io::Task<Dialed> Dialer::dial(DialOptions options) { return Impl::dial(impl_, options); }
io::Task<io::StreamPtr> Dialer::dial(io::Duration limit) { return Impl::dial_stream(impl_, limit); }
void Dialer::close() noexcept { impl_->close(); }
void Dialer::set_keep_alive(io::Duration period) { impl_->set_keep_alive(period); }

bool Dialer::closed() const noexcept { return impl_->ended(); }
std::size_t Dialer::waiting() const noexcept { return impl_->waiting(); }
std::size_t Dialer::ready() const noexcept { return impl_->ready(); }
std::string Dialer::peer() const { return impl_->peer(); }
io::Executor Dialer::executor() const { return impl_->executor(); }

}  // namespace revdial
