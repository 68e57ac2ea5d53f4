#include <build/net/server.h>

#include "connection.h"

#include <boost/system/system_error.hpp>

#include <algorithm>
#include <utility>

namespace build::net {

namespace {

std::string sentence_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& failure) {
    return failure.what();
  }
}

}  // namespace

Server::Server(io::Executor executor, io::Clock& clock, Handler handler, ServerLimits limits, ServerLog log)
    : executor_(executor),
      clock_(clock),
      handler_(std::move(handler)),
      limits_(limits),
      log_(std::move(log)),
      changed_(executor),
      gate_(executor) {}

Server::~Server() = default;

void Server::say(const std::string& sentence) const {
  if (log_) log_(sentence);
}

io::Task<> Server::serve(io::StreamPtr stream) {
  if (gate_.closed() || stopping_) co_return;
  const io::Gate::Pass pass = gate_.enter();
  Connection connection(*this, std::move(stream));
  co_await connection.run();
}

io::Task<> Server::serve(io::TcpListener& listener, const io::TlsServerContext* tls) {
  if (gate_.closed() || stopping_) co_return;
  const io::Gate::Pass pass = gate_.enter();
  listeners_.push_back(&listener);
  std::exception_ptr failure;
  try {
    while (true) {
      co_await wait_for_room();
      if (stopping_) break;
      io::StreamPtr stream = co_await listener.accept(clock_);
      ++accepted_;
      io::spawn(executor_, serve_accepted(std::move(stream), tls),
                [this](std::exception_ptr error) { say("a connection failed: " + sentence_of(error)); });
    }
  } catch (const std::exception&) {
    failure = std::current_exception();
  }
  std::erase(listeners_, &listener);
  if (!failure) co_return;
  try {
    std::rethrow_exception(failure);
  } catch (const boost::system::system_error& error) {
    // How accept() says that the listener was closed.
    if (error.code() != boost::asio::error::operation_aborted) throw;
  }
}

io::Task<> Server::serve_accepted(io::StreamPtr stream, const io::TlsServerContext* tls) {
  struct Leaving {
    Server& server;
    ~Leaving() {
      --server.accepted_;
      server.changed_.notify_all();
    }
  } leaving{*this};
  if (gate_.closed() || stopping_) co_return;
  const io::Gate::Pass pass = gate_.enter();
  if (tls) {
    const std::string peer = stream->peer();
    try {
      stream = co_await tls->accept(std::move(stream), clock_, limits_.tls_handshake_timeout);
    } catch (const std::exception& failure) {
      say("TLS handshake with " + peer + " failed: " + failure.what());
      co_return;
    }
  }
  co_await serve(std::move(stream));
}

io::Task<> Server::wait_for_room() {
  while (accepted_ >= limits_.max_connections && !stopping_) {
    Connection* longest = longest_idle();
    const io::Instant now = clock_.now();
    const io::Instant due = (longest ? *longest->idle_since() : now) + limits_.least_idle;
    io::Alarm look_again;
    if (longest && due <= now)
      longest->abort();
    else
      look_again = clock_.call_at(executor_, due, [this] { changed_.notify_all(); });
    co_await changed_.wait();
  }
}

Connection* Server::longest_idle() const {
  Connection* longest = nullptr;
  for (Connection* connection : connections_)
    if (connection->idle_since() && (!longest || *connection->idle_since() < *longest->idle_since()))
      longest = connection;
  return longest;
}

void Server::close_connections() {
  // abort() may run code that ends connections, so not over the list itself.
  const std::vector<Connection*> all(connections_.begin(), connections_.end());
  for (Connection* connection : all)
    if (std::find(connections_.begin(), connections_.end(), connection) != connections_.end()) connection->abort();
}

io::Task<> Server::stop(io::Duration grace) {
  stopping_ = true;
  changed_.notify_all();
  for (io::TcpListener* listener : listeners_) listener->close();
  const std::vector<Connection*> all(connections_.begin(), connections_.end());
  for (Connection* connection : all)
    if (connection->idle_since()) connection->abort();
  if (grace <= io::Duration::zero()) {
    close_connections();
    co_await gate_.close();
    co_return;
  }
  io::Deadline deadline(clock_, executor_, grace, [this] { close_connections(); });
  co_await gate_.close();
}

}  // namespace build::net
