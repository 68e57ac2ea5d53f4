// A server of registrations and pick-ups, for programs that have no HTTP server of their own.
//
// It speaks TLS and as much HTTP as reverse dialing needs: `GET <register_path>` begins a session, `GET <conn_path>` is
// a pick-up, everything else is refused. Each session has a Dialer, which the server runs.
//
// Ownership: clock and `tls` must outlive the server; the server must outlive its serve(), and owns the sessions until
// they are over; a Dialer may be kept for longer, it is then closed. Threads: everything on the executor given.
#pragma once

#include <io/byte_stream.h>
#include <io/clock.h>
#include <io/http1.h>
#include <io/tcp.h>
#include <io/tls.h>
#include <revdial/dialer.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace revdial {

struct ServerOptions {
  /// Of every session; its random bytes are needed.
  DialerOptions dialer;
  std::string register_path = "/reverse";
  /// Decides about a registration by its fields: empty for a welcome, else the text of a 403. Who may register may
  /// answer in the worker's place, so this is where a secret is checked (in constant time).
  std::function<std::string(const io::RequestHead&)> admit;
  /// Called with each new session; its Dialer may be used at once.
  std::function<void(const io::RequestHead&, std::shared_ptr<Dialer>)> on_session;
  io::Duration handshake_limit = std::chrono::seconds{10};  ///< TLS
  io::Duration head_limit = std::chrono::seconds{10};       ///< for a whole request, and for taking its answer
  io::HeadLimits head = {.max_bytes = 16 * 1024, .max_fields = 64};
  /// Connections that have not become a session or a pick-up yet; at the cap, accepting waits.
  std::size_t max_connections = 256;
  std::size_t max_sessions = 1000;  ///< further registrations are answered 503
};

class Server {
 public:
  /// Throws std::invalid_argument if there is no `admit`, no `on_session` or no source of random bytes.
  Server(io::Executor executor, io::Clock& clock, const io::TlsServerContext& tls, ServerOptions options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Accepts and serves until stop(), or until the listener is closed. The listener must outlive the call.
  io::Task<> serve(io::TcpListener& listener);
  /// One connection, whose TLS handshake has been made already if it is to be accepted at all (ByteStream::secure()).
  /// Ends when it has become a session or a pick-up, or was refused.
  io::Task<> serve(io::StreamPtr connection);

  /// Ends all sessions and waits until nothing of the server runs any more. Connections that were dialed live on.
  io::Task<> stop();

  std::size_t sessions() const noexcept;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace revdial
