// The life of a connection: wait, read a head, let the handler answer, skip what it left of the body, again.
//
// Refusals that come before there is a request to hand to a handler look like those of Go's server: a bare status
// line, the status repeated as the body, no Date.

#include "connection.h"

#include "exchange.h"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <utility>

namespace build::net {

namespace {

constexpr std::size_t kHeadRead = 4096;

// What the codec leaves to servers. The text goes to the client.
const char* host_complaint(const io::RequestHead& head) {
  const std::vector<std::string> hosts = head.fields.values("Host");
  if (hosts.empty() && head.minor >= 1) return "missing required Host header";
  if (hosts.size() > 1) return "too many Host headers";
  if (!hosts.empty() && hosts.front().find_first_of(" \t/\\@?#\"<>") != std::string::npos)
    return "malformed Host header";
  return nullptr;
}

}  // namespace

Connection::Connection(Server& server, io::StreamPtr stream)
    : server_(server), wire_(std::make_shared<Wire>(std::move(stream), server.clock_)) {
  place_ = server_.connections_.insert(server_.connections_.end(), this);
}

Connection::~Connection() {
  server_.connections_.erase(place_);
  server_.changed_.notify_all();
}

void Connection::abort() {
  wire_->close();
  wire_->tell_gone();
}

io::Task<> Connection::run() {
  std::exception_ptr failure;
  try {
    while (co_await serve_one() == Next::request) {
    }
  } catch (const ConnectionLost& lost) {
    if (lost.why() == ConnectionLost::Why::timeout) server_.say(lost.what());
  } catch (const boost::system::system_error& error) {
    if (error.code() == boost::asio::error::operation_aborted) {
      failure = std::current_exception();
    } else {
      server_.say("serving " + wire_->peer() + ": " + error.what());
    }
  } catch (const std::exception& error) {
    server_.say("serving " + wire_->peer() + ": " + error.what());
  }
  if (!hijacked_) wire_->close();
  co_await wire_->settled();
  if (failure) std::rethrow_exception(failure);
}

io::Task<Connection::Next> Connection::serve_one() {
  if (!co_await wait_for_request()) co_return Next::nothing;
  int refused = 0;
  std::string public_text;
  std::optional<Exchange> exchange;
  try {
    io::RequestHead head;
    if (!co_await read_head(head)) co_return Next::nothing;
    if (const char* complaint = host_complaint(head)) {
      refused = 400;
      public_text = complaint;
    } else {
      Exchange::Context context{wire_, server_.limits_, [this] {
                                  return !server_.stopping_ && server_.accepted_ < server_.limits_.max_connections;
                                }};
      exchange.emplace(std::move(context), std::move(head));
    }
  } catch (const HttpError& error) {
    refused = error.status();
    server_.say("refused a request from " + wire_->peer() + ": " + error.what());
  }
  if (refused != 0) {
    co_await refuse(refused, public_text);
    co_return Next::nothing;
  }
  co_return co_await answer(*exchange);
}

io::Task<bool> Connection::wait_for_request() {
  const bool first = std::exchange(first_, false);
  if (!wire_->buffered().empty()) co_return true;
  if (server_.stopping_) co_return false;
  idle_since_ = server_.clock_.now();
  bool came = false;
  try {
    io::Deadline deadline(server_.clock_, wire_->executor(),
                          first ? server_.limits_.first_timeout : server_.limits_.idle_timeout,
                          [this] { wire_->close(); });
    came = co_await wire_->fill(kHeadRead, "waiting for a request", deadline);
  } catch (const ConnectionLost&) {
    // Between two requests either side may end the connection as it likes.
    came = false;
  }
  idle_since_.reset();
  co_return came;
}

io::Task<bool> Connection::read_head(io::RequestHead& head) {
  io::HeadScanner scanner(server_.limits_.head);
  std::optional<io::Deadline> deadline;  // not for a head that is there already
  while (true) {
    if (const std::optional<std::size_t> size = scanner.scan(wire_->buffered())) {
      head = io::parse_request_head(wire_->buffered().substr(0, *size), server_.limits_.head);
      wire_->consume(*size);
      co_return true;
    }
    if (!deadline)
      deadline.emplace(server_.clock_, wire_->executor(), server_.limits_.head_timeout, [this] { wire_->close(); });
    if (!co_await wire_->fill(kHeadRead, "reading a request's head", *deadline)) co_return false;
  }
}

io::Task<Connection::Next> Connection::answer(Exchange& exchange) {
  Request request(exchange);
  Response response(exchange);
  std::exception_ptr error;
  try {
    co_await server_.handler_(request, response);
  } catch (const std::exception&) {
    error = std::current_exception();
  }
  if (exchange.hijacked()) {
    hijacked_ = true;
    if (error) co_await answer_failure(exchange, error);  // says it to the log, there is nobody else to tell
    co_return Next::nothing;
  }
  if (error && !co_await answer_failure(exchange, error)) co_return Next::nothing;
  if (!exchange.started()) co_await response.send(200);
  if (exchange.broken()) co_return Next::nothing;
  if (!exchange.finished()) co_await response.finish();

  if (exchange.keep_alive()) {
    bool clean = false;
    try {
      clean = co_await exchange.drain_body();
    } catch (const HttpError& malformed) {
      // The answer was given already, so there is nothing to say to the client.
      server_.say("closed " + wire_->peer() + ": " + malformed.what());
    }
    if (clean) co_return Next::request;
  }
  const bool unread = !exchange.body().ended() || !wire_->buffered().empty();
  co_await say_goodbye(unread ? Unread::something : Unread::nothing);
  co_return Next::nothing;
}

// Whether the exchange can go on to its end. Tells the client what it may know and the log the rest.
io::Task<bool> Connection::answer_failure(Exchange& exchange, std::exception_ptr error) {
  int status = 500;
  bool expected = true;
  std::string text = "The server failed to answer this request.", why;
  try {
    std::rethrow_exception(error);
  } catch (const AbortExchange&) {
    co_return false;
  } catch (const HttpError& refusal) {
    status = refusal.status();
    text = why = refusal.what();
  } catch (const ConnectionLost& lost) {
    // That the client left while it was answered is nobody's failure; that it took nothing may be worth a look.
    if (exchange.broken()) {
      if (lost.why() == ConnectionLost::Why::timeout) server_.say(lost.what());
      co_return false;
    }
    expected = false;
    why = lost.what();
  } catch (const std::exception& failure) {
    expected = false;
    why = failure.what();
  }
  if (status >= 500)
    server_.say(exchange.head().method + " " + exchange.path() + " from " + wire_->peer() + " failed: " + why);
  if (exchange.started()) co_return exchange.finished();
  if (!expected) exchange.fields() = io::Fields();
  co_await exchange.send_error(status, text);
  co_return true;
}

io::Task<> Connection::refuse(int status, std::string public_text) {
  std::string line = std::to_string(status) + " " + std::string(io::reason_phrase(status));
  if (!public_text.empty()) line += ": " + public_text;
  const std::string bytes =
      "HTTP/1.1 " + line + "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n" + line;
  co_await wire_->write(bytes, "refusing a request", server_.limits_.write_timeout);
  co_await say_goodbye(Unread::something);
}

// If a client still sends while its connection is closed, the kernel may throw away the answer on its way to it. So
// what it sends is read for a moment more.
io::Task<> Connection::say_goodbye(Unread unread) {
  const io::Duration limit = unread == Unread::something ? server_.limits_.linger : server_.limits_.write_timeout;
  io::Deadline deadline(server_.clock_, wire_->executor(), limit, [this] { wire_->close(); });
  try {
    co_await wire_->stream().shutdown_write();
    while (unread == Unread::something) {
      wire_->consume(wire_->buffered().size());
      if (!co_await wire_->fill(16 * 1024, "closing a connection", deadline)) break;
    }
  } catch (const ConnectionLost&) {
    co_return;  // it was to end anyway
  } catch (const boost::system::system_error&) {
    co_return;
  }
}

}  // namespace build::net
