// One connection of a Server: request after request until it ends or is hijacked.
#pragma once

#include "wire.h"

#include <build/net/server.h>

#include <list>
#include <memory>
#include <optional>
#include <string>

namespace build::net {

class Exchange;

class Connection {
 public:
  /// In the server's list for as long as it lives.
  Connection(Server& server, io::StreamPtr stream);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Throws only what is not the client's doing: a cancellation.
  io::Task<> run();

  /// Since when it waits for a request; nothing while one is being read or answered.
  std::optional<io::Instant> idle_since() const { return idle_since_; }
  /// Closes it and tells a handler that its client has gone.
  void abort();

 private:
  enum class Next { request, nothing };
  enum class Unread { nothing, something };

  io::Task<Next> serve_one();
  io::Task<bool> wait_for_request();
  io::Task<bool> read_head(io::RequestHead& head);
  io::Task<Next> answer(Exchange& exchange);
  io::Task<bool> answer_failure(Exchange& exchange, std::exception_ptr error);
  io::Task<> refuse(int status, std::string public_text);
  io::Task<> say_goodbye(Unread unread);

  Server& server_;
  std::shared_ptr<Wire> wire_;
  std::list<Connection*>::iterator place_;
  std::optional<io::Instant> idle_since_;
  bool first_ = true;
  bool hijacked_ = false;
};

}  // namespace build::net
