// How it works: run() reads the server's requests. Each becomes a pick-up task (at most max_pickups at once, the
// rest wait in pending_): dial, switch, put into accepted_. Failures go into reports_, which a writer task sends.
//
// Invariant: tasks_ counts every task that uses the Impl apart from run(); run() returns when it is 0. The end of
// the session cancels them all.
#include <revdial/listener.h>

#include "control_channel.h"

#include <io/event.h>
#include <revdial/switch.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <charconv>
#include <deque>
#include <optional>
#include <set>
#include <utility>

namespace revdial {

namespace {

constexpr std::size_t kMaxReports = 1024;

/// A task that can be cancelled from outside.
using Signal = io::asio::cancellation_signal;
using SignalPtr = std::shared_ptr<Signal>;

/// One call of the DialServer function. It goes on by itself, so that its caller can give up waiting.
struct Attempt {
  explicit Attempt(const io::Executor& executor) : ended(executor) {}

  bool is_ended = false;
  bool wanted = true;
  io::StreamPtr connection;
  std::exception_ptr error;
  io::Event ended;
};
using AttemptPtr = std::shared_ptr<Attempt>;

io::Task<> make_attempt(DialServer dial_server, AttemptPtr attempt) {
  try {
    io::StreamPtr connection = co_await dial_server();
    if (attempt->wanted) {
      attempt->connection = std::move(connection);
    } else if (connection) {
      connection->close();
    }
  } catch (const std::exception&) {
    attempt->error = std::current_exception();
  }
  attempt->is_ended = true;
  attempt->ended.notify_all();
}

io::Task<io::StreamPtr> dial_over_tls(io::Executor executor, io::Clock& clock, io::HostPort server,
                                      const io::TlsClientContext& tls, io::Duration connect_limit,
                                      io::Duration handshake_limit) {
  io::StreamPtr transport = co_await io::tcp_connect(executor, clock, server, connect_limit);
  co_return co_await tls.connect(std::move(transport), server.host, clock, handshake_limit);
}

}  // namespace

DialServer over_tls(io::Executor executor, io::Clock& clock, io::HostPort server, const io::TlsClientContext& tls,
                    io::Duration connect_limit, io::Duration handshake_limit) {
  return [=, &clock, &tls] { return dial_over_tls(executor, clock, server, tls, connect_limit, handshake_limit); };
}

class Listener::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(io::StreamPtr control, DialServer dial_server, io::Clock& clock, ListenerOptions options)
      : channel_(std::move(control), clock, options.user_timeout),
        dial_server_(std::move(dial_server)),
        options_(options),
        executor_(channel_.stream().executor()),
        report_added_(executor_),
        accepted_changed_(executor_),
        task_ended_(executor_) {}

  static io::Task<SessionEnd> run(std::shared_ptr<Impl> self);
  static io::Task<io::StreamPtr> accept(std::shared_ptr<Impl> self);
  void end(SessionEnd::Cause cause, const std::string& text);
  void close() noexcept;
  bool ended() const noexcept { return channel_.ended(); }
  const io::Executor& executor() const noexcept { return executor_; }

 private:
  io::Duration silence_after(const ControlMessage& message, io::Duration before) const;
  io::Task<> read_requests();
  void requested(std::string path);
  void start_pending();
  void start(io::Task<> task, const SignalPtr& signal, std::function<void()> on_end);
  void report(const std::string& path, const std::string& err);

  static io::Task<> pick_up(std::shared_ptr<Impl> self, std::string path);
  io::Task<io::StreamPtr> dial_and_switch(const std::string& path);
  io::Task<io::StreamPtr> dial();
  io::Task<> hand_over(io::StreamPtr connection);
  static io::Task<> write_reports(std::shared_ptr<Impl> self);

  ControlChannel channel_;
  DialServer dial_server_;
  ListenerOptions options_;
  io::Executor executor_;

  std::deque<std::string> pending_;  // paths of pick-ups that wait for their turn
  std::size_t pickups_ = 0;          // under way
  std::deque<ControlMessage> reports_;
  io::Event report_added_;
  std::deque<io::StreamPtr> accepted_;
  io::Event accepted_changed_;
  bool runs_ = false;
  std::size_t tasks_ = 0;
  std::set<SignalPtr> signals_;
  io::Event task_ended_;
};

void Listener::Impl::end(SessionEnd::Cause cause, const std::string& text) {
  if (!channel_.set_end(cause, text)) return;
  pending_.clear();
  reports_.clear();
  for (const io::StreamPtr& connection : accepted_) connection->close();
  accepted_.clear();
  accepted_changed_.notify_all();
  report_added_.notify_all();
  const std::set<SignalPtr> signals = signals_;  // a task that ends takes its own out
  for (const SignalPtr& signal : signals) signal->emit(io::asio::cancellation_type::terminal);
}

void Listener::Impl::close() noexcept {
  end(SessionEnd::Cause::closed_here, "the session was closed on this side");
  if (!runs_) channel_.stream().close();
}

void Listener::Impl::start(io::Task<> task, const SignalPtr& signal, std::function<void()> on_end) {
  ++tasks_;
  signals_.insert(signal);
  auto ended = [self = shared_from_this(), signal, on_end = std::move(on_end)](const std::exception_ptr& error) {
    self->signals_.erase(signal);
    --self->tasks_;
    if (error) {
      const SessionEnd end = self->channel_.cause_of(error, "a task of the session");
      self->end(end.cause, end.text);
    }
    on_end();
    self->task_ended_.notify_all();
  };
  io::asio::co_spawn(executor_, std::move(task), io::asio::bind_cancellation_slot(signal->slot(), std::move(ended)));
}

io::Task<SessionEnd> Listener::Impl::run(std::shared_ptr<Impl> self) {
  self->runs_ = true;
  // Not among the signals: it says goodbye after the end, and ends by itself.
  ++self->tasks_;
  io::asio::co_spawn(self->executor_, write_reports(self), [self](const std::exception_ptr& error) {
    --self->tasks_;
    if (error) {
      const SessionEnd end = self->channel_.cause_of(error, "writing to the control channel");
      self->end(end.cause, end.text);
    }
    self->channel_.stream().close();  // also ends the reading
    self->task_ended_.notify_all();
  });

  std::exception_ptr error;
  try {
    co_await self->read_requests();
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
  while (self->tasks_ > 0) co_await self->task_ended_.wait();
  if (cancelled) throw boost::system::system_error(boost::asio::error::operation_aborted);
  co_return self->channel_.end();
}

/// What the listener waits for the next control line, at most; zero: for ever.
io::Duration Listener::Impl::silence_after(const ControlMessage& message, io::Duration before) const {
  unsigned seconds = 0;
  const char* const end = message.period.data() + message.period.size();
  if (std::from_chars(message.period.data(), end, seconds).ptr != end || seconds == 0) return before;
  const io::Duration announced = 3 * std::chrono::seconds{seconds} + std::chrono::seconds{1};
  return options_.silence_limit == io::Duration::zero() ? announced : std::min(announced, options_.silence_limit);
}

io::Task<> Listener::Impl::read_requests() {
  io::Duration limit = options_.silence_limit;
  std::optional<io::Deadline> silence;
  const auto wait_anew = [&] {
    if (limit == io::Duration::zero()) return;
    silence.emplace(channel_.clock(), executor_, limit, [this, &limit] {
      end(SessionEnd::Cause::peer_silent, "nothing was heard from the server for " + in_seconds(limit));
      channel_.stream().close();
    });
  };
  wait_anew();
  LineReader lines(channel_.stream());
  for (;;) {
    const std::optional<std::string> line = co_await lines.next();
    if (!line) {
      end(SessionEnd::Cause::closed_by_peer, "the server closed the session");
      co_return;
    }
    if (ended()) co_return;
    ControlMessage message = parse_control_line(*line);
    limit = silence_after(message, limit);
    wait_anew();
    if (message.command == kConnReady) requested(std::move(message.conn_path));
  }
}

void Listener::Impl::requested(std::string path) {
  if (!is_request_path(path)) {
    report("", "connPath of a conn-ready message is not a path");
  } else if (pending_.size() >= options_.max_pending) {
    report(path, "too many pick-ups wait already");
  } else {
    pending_.push_back(std::move(path));
    start_pending();
  }
}

void Listener::Impl::start_pending() {
  while (!ended() && !pending_.empty() && pickups_ < options_.max_pickups) {
    ++pickups_;
    io::Task<> task = pick_up(shared_from_this(), std::move(pending_.front()));
    pending_.pop_front();
    start(std::move(task), std::make_shared<Signal>(), [this] {
      --pickups_;
      start_pending();
    });
  }
}

void Listener::Impl::report(const std::string& path, const std::string& err) {
  if (ended()) return;
  if (reports_.size() >= kMaxReports) {
    end(SessionEnd::Cause::peer_silent, "the server does not take our reports of failed pick-ups");
    return;
  }
  ControlMessage message{.command = std::string(kPickupFailed), .conn_path = {}, .err = err};
  if (path.size() <= kMaxOwnPath) message.conn_path = path;
  reports_.push_back(std::move(message));
  report_added_.notify_all();
}

io::Task<> Listener::Impl::pick_up(std::shared_ptr<Impl> self, std::string path) {
  std::optional<std::string> failure;
  try {
    io::StreamPtr connection = co_await self->dial_and_switch(path);
    co_await self->hand_over(std::move(connection));
  } catch (const std::exception& error) {
    failure = error.what();
  }
  if (failure) self->report(path, *failure);
}

io::Task<io::StreamPtr> Listener::Impl::dial_and_switch(const std::string& path) {
  io::StreamPtr connection = co_await dial();
  io::RequestHead request = switch_request(path);
  try {
    co_return co_await switch_protocols(std::move(connection), std::move(request), channel_.clock(),
                                        options_.switch_limit);
  } catch (const TooManyRedirects&) {
    throw;
  } catch (const SwitchError& error) {
    throw std::runtime_error(std::string("switch failed: ") + error.what());
  } catch (const boost::system::system_error& error) {
    throw std::runtime_error(std::string("switch failed: error reading response: ") + error.what());
  }
}

io::Task<io::StreamPtr> Listener::Impl::dial() {
  // Gives the attempt up however this coroutine ends.
  struct Entry {
    SignalPtr signal;
    AttemptPtr attempt;
    ~Entry() {
      attempt->wanted = false;
      if (!attempt->is_ended) signal->emit(io::asio::cancellation_type::terminal);
      if (attempt->connection) attempt->connection->close();
    }
  } entry{std::make_shared<Signal>(), std::make_shared<Attempt>(executor_)};
  Attempt& attempt = *entry.attempt;
  start(make_attempt(dial_server_, entry.attempt), entry.signal, [] {});

  io::Deadline deadline(channel_.clock(), executor_, options_.dial_limit,
                        [attempt = entry.attempt] { attempt->ended.notify_all(); });
  while (!attempt.is_ended && !deadline.expired()) co_await attempt.ended.wait();
  if (!attempt.is_ended) {
    throw std::runtime_error("dialing the server took longer than " + in_seconds(options_.dial_limit));
  }
  if (attempt.error) std::rethrow_exception(attempt.error);
  if (!attempt.connection) throw std::runtime_error("dialing the server gave no connection");
  co_return std::exchange(attempt.connection, nullptr);
}

io::Task<> Listener::Impl::hand_over(io::StreamPtr connection) {
  // Closes the connection if it is not taken.
  struct Entry {
    io::StreamPtr connection;
    ~Entry() {
      if (connection) connection->close();
    }
  } entry{std::move(connection)};
  while (!ended() && accepted_.size() >= options_.accept_queue) co_await accepted_changed_.wait();
  if (ended()) co_return;
  accepted_.push_back(std::move(entry.connection));
  accepted_changed_.notify_all();
}

io::Task<> Listener::Impl::write_reports(std::shared_ptr<Impl> self) {
  try {
    while (!self->ended()) {
      if (self->reports_.empty()) {
        co_await self->report_added_.wait();
        continue;
      }
      ControlMessage message = std::move(self->reports_.front());
      self->reports_.pop_front();
      co_await self->channel_.write(std::move(message), self->options_.write_limit);
    }
  } catch (const std::exception&) {
    const SessionEnd end = self->channel_.cause_of(std::current_exception(), "writing to the control channel");
    self->end(end.cause, end.text);
  }
  co_await self->channel_.say_goodbye();
}

io::Task<io::StreamPtr> Listener::Impl::accept(std::shared_ptr<Impl> self) {
  while (self->accepted_.empty() && !self->ended()) co_await self->accepted_changed_.wait();
  if (self->ended()) co_return nullptr;
  io::StreamPtr connection = std::move(self->accepted_.front());
  self->accepted_.pop_front();
  self->accepted_changed_.notify_all();
  co_return connection;
}

Listener::Listener(io::StreamPtr control, DialServer dial_server, io::Clock& clock, ListenerOptions options)
    : impl_(std::make_shared<Impl>(std::move(control), std::move(dial_server), clock, options)) {}
Listener::~Listener() { close(); }

io::Task<SessionEnd> Listener::run() { return Impl::run(impl_); }
io::Task<io::StreamPtr> Listener::accept() { return Impl::accept(impl_); }
void Listener::close() noexcept { impl_->close(); }
bool Listener::closed() const noexcept { return impl_->ended(); }
io::Executor Listener::executor() const { return impl_->executor(); }

}  // namespace revdial
