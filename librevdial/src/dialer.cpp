// How it works: run() reads the listener's reports; a second task, the writer, sends keep-alives and one
// conn-ready for each dial, in the original's order (every conn-ready is followed by a keep-alive). A dial is a
// Waiter in a queue; whatever settles it first (connection, report, time, end) takes it out, so nothing that
// comes later can reach it.
//
// Each conn-ready has a token of its own, under which `asked_` has its Waiter. A dial that gives up leaves its token
// behind, without a Waiter, for as long as its pick-up may still come: a connection for it is then taken and closed,
// which the listener does not report.
//
// Invariant: a Waiter is in waiters_ exactly as long as it is not settled and its dial() still waits. Each token in
// asked_, and no other of ours, is in Pickups.
#include <revdial/dialer.h>

#include "control_channel.h"

#include <revdial/switch.h>

#include <io/event.h>

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

namespace revdial {

namespace {

struct Waiter {
  explicit Waiter(const io::Executor& executor) : settled(executor) {}

  bool asked = false;  // its conn-ready is sent
  io::StreamPtr connection;
  std::optional<DialError> error;
  io::Event settled;

  bool is_settled() const noexcept { return connection != nullptr || error.has_value(); }
};
using WaiterPtr = std::shared_ptr<Waiter>;

struct Asked {
  std::string token;
  io::Instant when;
  WaiterPtr waiter;  // null: the dial gave up
};

/// What a pick-up path is in front of its token.
std::string path_start(const DialerOptions& options) {
  const std::string_view join = options.conn_path.find('?') == std::string::npos ? "?" : "&";
  std::string path = options.conn_path;
  path.append(join).append(kDialerParameter).append("=");
  return path;
}

}  // namespace

class Dialer::Impl final : public Pickups::Taker {
 public:
  Impl(io::StreamPtr control, io::Clock& clock, Pickups& pickups, DialerOptions options)
      : channel_(std::move(control), clock, options.user_timeout),
        pickups_(pickups),
        options_(std::move(options)),
        path_start_(path_start(options_)),
        work_(channel_.stream().executor()),
        writer_ended_(channel_.stream().executor()) {
    if (!is_request_path(path_start_) || path_start_.size() + kTokenDigits > kMaxOwnPath) {
      throw std::invalid_argument("revdial: \"" + options_.conn_path + "\" cannot be a path for pick-ups");
    }
    if (!options_.random) throw std::invalid_argument("revdial: a Dialer needs random bytes");
  }

  static io::Task<SessionEnd> run(std::shared_ptr<Impl> self);
  static io::Task<io::StreamPtr> dial(std::shared_ptr<Impl> self, io::Duration limit);
  PickupResult take(std::string_view token, io::StreamPtr connection) override;
  void end(SessionEnd::Cause cause, const std::string& text);
  /// As end(), and gives the control channel up without a goodbye if nobody is there to say one.
  void close() noexcept;

  bool ended() const noexcept { return channel_.ended(); }
  std::size_t waiting() const noexcept { return waiters_.size(); }
  std::string peer() { return channel_.stream().peer(); }

 private:
  static io::Task<> write_messages(std::shared_ptr<Impl> self);
  io::Task<> read_reports();
  io::Task<> write_until_end();
  io::Task<> wait_for_work();
  std::string ask_for(const WaiterPtr& waiter);
  void pickup_failed(const ControlMessage& report);
  std::deque<Asked>::iterator find(std::string_view token);
  WaiterPtr take_out(std::deque<Asked>::iterator asked);
  void settle(const WaiterPtr& waiter, io::StreamPtr connection, std::optional<DialError> error);
  void give_up(const WaiterPtr& waiter);
  void forget_lost_pickups();
  WaiterPtr next_to_ask() const;

  ControlChannel channel_;
  Pickups& pickups_;
  DialerOptions options_;
  std::string path_start_;
  std::deque<WaiterPtr> waiters_;
  std::deque<Asked> asked_;
  io::Event work_;  // something for the writer: a dial, the end
  bool writer_runs_ = false;
  io::Event writer_ended_;
};

void Dialer::Impl::end(SessionEnd::Cause cause, const std::string& text) {
  if (!channel_.set_end(cause, text)) return;
  while (!asked_.empty()) take_out(asked_.begin());
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
  auto asked = asked_.end();
  if (report.conn_path.starts_with(path_start_)) {
    asked = find(std::string_view(report.conn_path).substr(path_start_.size()));
  } else if (report.conn_path.empty() && asked_.size() == 1) {
    asked = asked_.begin();  // the original does not always say which one, but there is only one
  }
  if (asked == asked_.end()) return;
  const WaiterPtr waiter = take_out(asked);
  if (!waiter) return;
  settle(waiter, nullptr,
         DialError(DialError::Reason::pickup_failed, "revdial listener failed to pick up connection: " + report.err));
}

PickupResult Dialer::Impl::take(std::string_view token, io::StreamPtr connection) {
  const auto asked = find(token);
  const WaiterPtr waiter = asked == asked_.end() ? nullptr : take_out(asked);
  if (!waiter) {
    connection->close();
    return PickupResult::nobody_waiting;
  }
  settle(waiter, std::move(connection), std::nullopt);
  return PickupResult::taken;
}

/// The path of the pick-up.
std::string Dialer::Impl::ask_for(const WaiterPtr& waiter) {
  waiter->asked = true;
  forget_lost_pickups();
  const std::string token = make_pickup_token(options_.random);
  pickups_.add(token, *this);
  asked_.push_back({token, channel_.clock().now(), waiter});
  return path_start_ + token;
}

std::deque<Asked>::iterator Dialer::Impl::find(std::string_view token) {
  return std::find_if(asked_.begin(), asked_.end(), [&](const Asked& asked) { return asked.token == token; });
}

/// The token is used up.
WaiterPtr Dialer::Impl::take_out(std::deque<Asked>::iterator asked) {
  WaiterPtr waiter = std::move(asked->waiter);
  pickups_.remove(asked->token);
  asked_.erase(asked);
  return waiter;
}

/// Of those who gave up, that is: whoever waits is waited for.
void Dialer::Impl::forget_lost_pickups() {
  const io::Instant oldest = channel_.clock().now() - options_.pickup_memory;
  for (auto asked = asked_.begin(); asked != asked_.end();) {
    if (asked->waiter || (asked->when >= oldest && asked_.size() < 2 * options_.max_waiting)) {
      ++asked;
      continue;
    }
    pickups_.remove(asked->token);
    asked = asked_.erase(asked);
  }
}

void Dialer::Impl::settle(const WaiterPtr& waiter, io::StreamPtr connection, std::optional<DialError> error) {
  std::erase(waiters_, waiter);
  waiter->connection = std::move(connection);
  waiter->error = std::move(error);
  waiter->settled.notify_all();
}

void Dialer::Impl::give_up(const WaiterPtr& waiter) {
  std::erase(waiters_, waiter);
  for (Asked& asked : asked_) {
    if (asked.waiter == waiter) asked.waiter = nullptr;
  }
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

io::Task<> Dialer::Impl::write_until_end() {
  while (!ended()) {
    ControlMessage keep_alive{.command = std::string(kKeepAlive), .conn_path = {}, .err = {}};
    co_await channel_.write(std::move(keep_alive), options_.write_limit);
    co_await wait_for_work();
    const WaiterPtr waiter = next_to_ask();
    if (ended() || !waiter) continue;
    ControlMessage ready{.command = std::string(kConnReady), .conn_path = ask_for(waiter), .err = {}};
    co_await channel_.write(std::move(ready), options_.write_limit);
  }
}

/// Returns when there is a dial to ask for, the session is over, or a keep-alive is due.
io::Task<> Dialer::Impl::wait_for_work() {
  bool due = false;
  const io::Alarm alarm = channel_.clock().call_after(channel_.stream().executor(), options_.keep_alive, [this, &due] {
    due = true;
    work_.notify_all();
  });
  while (!due && !ended() && !next_to_ask()) co_await work_.wait();
}

WaiterPtr Dialer::Impl::next_to_ask() const {
  const auto found = std::find_if(waiters_.begin(), waiters_.end(), [](const WaiterPtr& w) { return !w->asked; });
  return found == waiters_.end() ? nullptr : *found;
}

io::Task<io::StreamPtr> Dialer::Impl::dial(std::shared_ptr<Impl> self, io::Duration limit) {
  if (self->ended()) throw DialError(DialError::Reason::closed, "revdial.Dialer closed");
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
  } entry{*self, std::make_shared<Waiter>(self->channel_.stream().executor())};
  Waiter& waiter = *entry.waiter;
  self->waiters_.push_back(entry.waiter);
  self->work_.notify_all();

  const io::Alarm alarm =
      self->channel_.clock().call_after(self->channel_.stream().executor(), limit, [&impl = *self, &entry, limit] {
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
io::Task<io::StreamPtr> Dialer::dial(io::Duration limit) { return Impl::dial(impl_, limit); }
void Dialer::close() noexcept { impl_->close(); }
bool Dialer::closed() const noexcept { return impl_->ended(); }
std::size_t Dialer::waiting() const noexcept { return impl_->waiting(); }
std::string Dialer::peer() const { return impl_->peer(); }

}  // namespace revdial
