// How it works: a connection is set up (handshake, request, answer) by a task of its own, which ends with it being a
// pick-up or a session. A session's Dialer is run by another task. gate_ counts all of them.
#include <revdial/pickups.h>
#include <revdial/server.h>
#include <revdial/switch.h>

#include <io/event.h>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <array>
#include <optional>
#include <set>
#include <stdexcept>
#include <utility>

namespace revdial {

namespace {

using io::HttpError;

struct Refusal {
  int status = 0;
  std::string text;
  std::string allow;
};

io::Task<std::optional<io::RequestHead>> read_request(io::ByteStream& stream, const io::HeadLimits& limits,
                                                      std::string& held) {
  io::HeadScanner scanner(limits);
  for (;;) {
    if (const auto length = scanner.scan(held)) {
      io::RequestHead head = io::parse_request_head(std::string_view(held).substr(0, *length), limits);
      held.erase(0, *length);
      co_return head;
    }
    std::array<char, 1024> piece;
    const auto room = io::asio::buffer(piece);
    const std::size_t count = co_await stream.read_some(room);
    if (count == 0) co_return std::nullopt;
    held.append(piece.data(), count);
  }
}

std::string refusal_bytes(const Refusal& refusal) {
  io::ResponseHead head;
  head.status = refusal.status;
  const std::string body = refusal.text + "\n";
  if (!refusal.allow.empty()) head.fields.add("Allow", refusal.allow);
  head.fields.add("Connection", "close");
  head.fields.add("Content-Length", std::to_string(body.size()));
  head.fields.add("Content-Type", "text/plain; charset=utf-8");
  return io::serialize(head) + body;
}

}  // namespace

class Server::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(io::Executor executor, io::Clock& clock, const io::TlsServerContext& tls, ServerOptions options)
      : executor_(std::move(executor)),
        clock_(clock),
        tls_(tls),
        options_(std::move(options)),
        changed_(executor_),
        gate_(executor_) {
    if (!options_.admit || !options_.on_session || !options_.dialer.random) {
      throw std::invalid_argument("a revdial server needs admit, on_session and a source of random bytes");
    }
  }

  static io::Task<> accept_all(std::shared_ptr<Impl> self, io::TcpListener& listener);
  static io::Task<> set_up(std::shared_ptr<Impl> self, io::StreamPtr connection);
  static io::Task<> stop(std::shared_ptr<Impl> self);
  std::size_t sessions() const noexcept { return sessions_.size(); }

 private:
  static io::Task<> shake_hands(std::shared_ptr<Impl> self, io::StreamPtr transport);
  static io::Task<> run(std::shared_ptr<Impl> self, std::shared_ptr<Dialer> dialer);
  io::Task<> answer(io::StreamPtr& connection);
  io::Task<Refusal> answer_request(io::StreamPtr& connection, io::RequestHead head, std::string held);
  io::Task<> switch_over(io::StreamPtr& connection, std::string held);
  Refusal check_registration(const io::ByteStream& connection, const io::RequestHead& head) const;
  void begin_session(const io::RequestHead& head, io::StreamPtr control);
  void start(io::Task<> task) {
    io::spawn(executor_, std::move(task), [](std::exception_ptr) {});
  }

  io::Executor executor_;
  io::Clock& clock_;
  const io::TlsServerContext& tls_;
  ServerOptions options_;
  Pickups pickups_;
  std::set<std::shared_ptr<Dialer>> sessions_;
  std::set<io::TcpListener*> listeners_;
  std::set<io::ByteStream*> setting_up_;
  std::size_t accepted_ = 0;  // and not set up yet
  bool stopping_ = false;
  io::Event changed_;
  io::Gate gate_;
};

io::Task<> Server::Impl::accept_all(std::shared_ptr<Impl> self, io::TcpListener& listener) {
  if (self->stopping_) co_return;
  const io::Gate::Pass pass = self->gate_.enter();
  struct Entry {
    std::set<io::TcpListener*>& listeners;
    io::TcpListener* listener;
    ~Entry() { listeners.erase(listener); }
  } entry{self->listeners_, *self->listeners_.insert(&listener).first};
  while (!self->stopping_) {
    while (self->accepted_ >= self->options_.max_connections && !self->stopping_) co_await self->changed_.wait();
    io::StreamPtr transport;
    try {
      transport = co_await listener.accept(self->clock_);
    } catch (const boost::system::system_error& error) {
      if (error.code() == boost::asio::error::operation_aborted) co_return;  // the listener was closed
      throw;
    }
    self->start(shake_hands(self, std::move(transport)));
  }
}

io::Task<> Server::Impl::shake_hands(std::shared_ptr<Impl> self, io::StreamPtr transport) {
  struct Entry {
    Impl& impl;
    explicit Entry(Impl& server) : impl(server) { ++impl.accepted_; }
    ~Entry() {
      --impl.accepted_;
      impl.changed_.notify_all();
    }
  } entry(*self);
  const io::Gate::Pass pass = self->gate_.enter();
  // A handshake that fails is the client's affair.
  io::StreamPtr stream = co_await self->tls_.accept(std::move(transport), self->clock_, self->options_.handshake_limit);
  co_await set_up(self, std::move(stream));
}

io::Task<> Server::Impl::set_up(std::shared_ptr<Impl> self, io::StreamPtr connection) {
  if (self->stopping_) co_return connection->close();
  const io::Gate::Pass pass = self->gate_.enter();
  struct Entry {
    std::set<io::ByteStream*>& streams;
    io::ByteStream* stream;
    ~Entry() { streams.erase(stream); }
  } entry{self->setting_up_, *self->setting_up_.insert(connection.get()).first};
  try {
    co_await self->answer(connection);
  } catch (const boost::system::system_error&) {
    // The client went, or was too slow: there is nobody to tell.
  }
  if (connection) connection->close();
}

/// Null in `connection` means that it became something else.
io::Task<> Server::Impl::answer(io::StreamPtr& connection) {
  io::ByteStream& stream = *connection;
  io::Deadline deadline(clock_, executor_, options_.head_limit, [&stream] { stream.close(); });
  std::string held;
  Refusal refusal;
  try {
    std::optional<io::RequestHead> head = co_await read_request(stream, options_.head, held);
    if (!head) co_return;
    if (io::framing_of(*head).kind != io::BodyFraming::Kind::none) {
      refusal = {413, "a request with a body is none of ours", {}};
    } else {
      refusal = co_await answer_request(connection, std::move(*head), std::move(held));
    }
  } catch (const HttpError& error) {
    refusal = {error.status(), error.what(), {}};
  }
  if (refusal.status == 0) co_return;
  const std::string bytes = refusal_bytes(refusal);
  co_await stream.write(bytes);
  co_await stream.shutdown_write();
  // Closed while it still sends, a client might never see the answer. The deadline ends this.
  for (std::array<char, 1024> dropped;;) {
    const auto room = io::asio::buffer(dropped);
    const std::size_t count = co_await stream.read_some(room);
    if (count == 0) co_return;
  }
}

io::Task<Refusal> Server::Impl::answer_request(io::StreamPtr& connection, io::RequestHead head, std::string held) {
  const std::size_t question = head.target.find('?');
  const std::string path = head.target.substr(0, question);
  if (path == options_.register_path) {
    Refusal refusal = check_registration(*connection, head);
    if (refusal.status != 0) co_return refusal;
    co_await switch_over(connection, std::move(held));
    begin_session(head, std::move(connection));
    co_return Refusal();
  }
  if (path != options_.dialer.conn_path.substr(0, options_.dialer.conn_path.find('?'))) {
    co_return Refusal{404, "404 page not found", {}};
  }
  const std::string query = question == std::string::npos ? "" : head.target.substr(question + 1);
  const std::string token = io::parse_query(query, 16).get(kDialerParameter);
  const PickupAnswer answer = check_pickup(connection->secure(), head.method, token, pickups_);
  if (answer.status != 101) co_return Refusal{answer.status, std::string(answer.text), std::string(answer.allow)};
  co_await switch_over(connection, std::move(held));
  pickups_.offer(token, std::move(connection));
  co_return Refusal();
}

io::Task<> Server::Impl::switch_over(io::StreamPtr& connection, std::string held) {
  co_await connection->write(kSwitchResponse);
  setting_up_.erase(connection.get());
  connection = io::with_surplus(std::move(held), std::move(connection));
}

Refusal Server::Impl::check_registration(const io::ByteStream& connection, const io::RequestHead& head) const {
  if (!connection.secure()) return {500, "registration requires TLS", {}};
  if (head.method != "GET") return {405, "expected GET request to register", "GET"};
  if (stopping_ || sessions_.size() >= options_.max_sessions) return {503, "there are too many sessions already", {}};
  if (std::string refusal = options_.admit(head); !refusal.empty()) return {403, std::move(refusal), {}};
  return {};
}

void Server::Impl::begin_session(const io::RequestHead& head, io::StreamPtr control) {
  if (stopping_) return control->close();
  const auto dialer = std::make_shared<Dialer>(std::move(control), clock_, pickups_, options_.dialer);
  sessions_.insert(dialer);
  start(run(shared_from_this(), dialer));
  options_.on_session(head, dialer);
}

io::Task<> Server::Impl::run(std::shared_ptr<Impl> self, std::shared_ptr<Dialer> dialer) {
  const io::Gate::Pass pass = self->gate_.enter();
  co_await dialer->run();
  self->sessions_.erase(dialer);
}

io::Task<> Server::Impl::stop(std::shared_ptr<Impl> self) {
  self->stopping_ = true;
  for (io::TcpListener* listener : self->listeners_) listener->close();
  for (io::ByteStream* stream : self->setting_up_) stream->close();
  for (const auto& dialer : std::set<std::shared_ptr<Dialer>>(self->sessions_)) dialer->close();
  self->changed_.notify_all();
  co_await self->gate_.close();
}

Server::Server(io::Executor executor, io::Clock& clock, const io::TlsServerContext& tls, ServerOptions options)
    : impl_(std::make_shared<Impl>(std::move(executor), clock, tls, std::move(options))) {}
Server::~Server() = default;

io::Task<> Server::serve(io::TcpListener& listener) { return Impl::accept_all(impl_, listener); }
io::Task<> Server::serve(io::StreamPtr connection) { return Impl::set_up(impl_, std::move(connection)); }
io::Task<> Server::stop() { return Impl::stop(impl_); }
std::size_t Server::sessions() const noexcept { return impl_->sessions(); }

}  // namespace revdial
