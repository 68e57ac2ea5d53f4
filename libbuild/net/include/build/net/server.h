// The HTTP/1 server: one coroutine per connection, over any io::ByteStream.
//
// Ownership: a Server owns the connections given to serve() until they end or are hijacked. Request and
// Response live while the handler runs, not longer. Everything is on the server's executor.
//
// Every phase of an exchange has a time limit (ServerLimits); a connection that exceeds one is closed. The
// answers look like those of Go's net/http server, byte for byte but for the date: fields set by the handler
// sorted by name, then Date, Content-Length, a guessed Content-Type, Connection, Transfer-Encoding.
#pragma once

#include <build/net/body.h>
#include <io/byte_stream.h>
#include <io/clock.h>
#include <io/event.h>
#include <io/http1.h>
#include <io/tcp.h>
#include <io/tls.h>

#include <cstddef>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace build::net {

struct ServerLimits {
  io::HeadLimits head;
  io::ChunkLimits chunks;
  io::Duration head_timeout = std::chrono::seconds{10};   ///< for a whole request head, from its first byte
  io::Duration first_timeout = std::chrono::seconds{10};  ///< until the first byte on a new connection
  io::Duration idle_timeout = std::chrono::minutes{2};    ///< between two requests
  io::Duration body_timeout = std::chrono::seconds{30};   ///< for the next bytes of a request body
  io::Duration write_timeout = std::chrono::seconds{30};  ///< for the client to take up to 32 KiB
  io::Duration linger = std::chrono::seconds{1};  ///< how long a refused client that still sends is listened to,
                                                  ///< so that it can read the answer
  io::Duration tls_handshake_timeout = std::chrono::seconds{10};
  std::size_t max_connections = 1000;  ///< accepted ones; at the cap the one idle for longest makes room, if it has
                                       ///< been so for least_idle; else accepting waits
  /// Many clients that come at once have all connected before the first is answered: none of them may be taken for
  /// idle.
  io::Duration least_idle = std::chrono::seconds{2};
  std::size_t drain_limit = 256 * 1024;  ///< unread request body that is skipped to keep a connection
  std::size_t read_ahead = 64 * 1024;    ///< bytes kept of further requests while on_client_gone() watches
};

class Exchange;

/// What the client asked.
class Request {
 public:
  explicit Request(Exchange& exchange);

  const io::RequestHead& head() const noexcept;
  const std::string& method() const noexcept { return head().method; }
  const io::Fields& fields() const noexcept { return head().fields; }
  /// Percent-decoded, without the query: "/build/7". Do not use it as a file path.
  const std::string& path() const noexcept;
  /// The same as sent: a %2F in it is not a separator.
  const std::string& raw_path() const noexcept;
  /// What stands after the question mark, as sent.
  const std::string& raw_query() const noexcept;
  const io::Params& query() const noexcept;
  /// The value a router pattern's {name} stands for, decoded; empty if the pattern has no such name.
  std::string path_param(std::string_view name) const { return path_params_.get(name); }
  bool http_at_least(int major, int minor) const noexcept;
  /// Whether the connection is TLS.
  bool secure() const noexcept;
  /// The pattern of the route that was found ("/build/{id}"); empty before a router found one.
  const std::string& route() const noexcept { return route_; }
  /// Who asks, as somebody in front of the handler found out; empty if nobody did.
  const std::string& user() const noexcept { return user_; }
  void set_user(std::string name) { user_ = std::move(name); }
  /// Whether who asks may change something too, as the same one found out: for pages that offer it.
  bool may_act() const noexcept { return may_act_; }
  void set_may_act(bool may_act) { may_act_ = may_act; }
  /// The client's address, for logs.
  std::string peer() const;
  BodyReader& body() noexcept;
  /// The body as a urlencoded form; no pairs if the Content-Type is another one. Throws like
  /// BodyReader::read_all.
  io::Task<io::Params> read_form(std::size_t limit = 10 * 1024 * 1024);

 private:
  friend class Router;
  Exchange& exchange_;
  io::Params path_params_;
  std::string route_, user_;
  bool may_act_ = false;
};

/// The answer. Either send() once, or start(), any number of write()s and finish(), or hijack().
/// A handler that returns without any of them answers 200 with no body; finish() may be left out.
///
/// All of these throw ConnectionLost when the client is gone or takes nothing for the write timeout, and
/// std::logic_error when called out of order.
class Response {
 public:
  explicit Response(Exchange& exchange);

  /// Fields for the head; may be changed until it is sent. Naming a field in "Trailer" here makes the answer
  /// chunked. Date, Content-Length, Connection and Transfer-Encoding are the server's to write; a
  /// Content-Length set here for start() is kept to: the writes must add up to it.
  io::Fields& fields() noexcept;

  /// A complete answer. Without a Content-Type one is guessed from a body that is not empty: application/x-gzip,
  /// text/plain or application/octet-stream, never anything a browser would execute.
  io::Task<> send(int status, std::string body = {});
  io::Task<> send(int status, std::string_view content_type, std::string body);
  /// Adds `fields` to fields() first.
  io::Task<> send(int status, io::Fields fields, std::string body);

  /// A refusal in plain text, as Go's http.Error gives it: the text and a newline, not to be sniffed.
  /// Throwing HttpError from the handler does the same (and is logged if its status is 500 or more).
  io::Task<> send_error(int status, std::string text);

  /// Sends the head; the body follows in pieces. An HTTP/1.0 client gets it without chunks (and trailers), ended
  /// by the end of the connection.
  io::Task<> start(int status);
  io::Task<> start(int status, io::Fields fields, std::vector<std::string> trailer_names);
  /// One chunk, on its way when this returns. Empty text is nothing.
  io::Task<> write(std::string_view text);
  io::Task<> finish();
  /// `trailers` should have been announced by start() or in fields().
  io::Task<> finish(io::Fields trailers);

  /// True once a byte of the head may have been sent.
  bool started() const noexcept;
  /// Of the answer; 0 before it started, 101 once hijacked.
  int status() const noexcept;

  /// Takes the connection out of the server: `raw_head` (a whole 101 answer with its empty line) is sent as one
  /// write of its own, bytes that the client sent after its request are kept. Not before the request's
  /// body has been read, not after start() or on_client_gone().
  io::Task<io::StreamPtr> hijack(std::string raw_head);

  /// `gone` is called at most once, while the handler runs, when the client has closed the connection, broken it
  /// off or stopped taking the answer, or the server is being stopped. It notices the first two as long as no more
  /// than ServerLimits::read_ahead bytes of the body and of further requests wait to be read. It must not throw;
  /// it normally cancels what the handler waits for. Not while a read of the body is under way.
  void on_client_gone(std::function<void()> gone);

 private:
  Exchange& exchange_;
};

using Handler = std::function<io::Task<>(Request&, Response&)>;

/// Thrown by a handler to break the connection off without (the rest of) an answer.
class AbortExchange : public std::exception {
 public:
  const char* what() const noexcept override { return "the exchange was broken off"; }
};

/// Finds the handler for a request by method and path. Patterns are matched segment by segment after
/// percent-decoding: "/build/{id}/log"; "{rest...}" at the end takes all remaining segments, none included. A literal
/// segment wins over {name}, which wins over {rest...}.
class Router {
 public:
  Router();

  /// An empty method stands for every one; GET also serves HEAD. Throws std::invalid_argument for a malformed
  /// pattern, or one that is there already.
  void add(std::string method, std::string_view pattern, Handler handler);
  /// For paths that no pattern matches; at first 404 "404 page not found".
  void not_found(Handler handler);

  /// Matches and runs. A path that is known under other methods only gets 405 with Allow.
  io::Task<> operator()(Request& request, Response& response) const;

 private:
  struct Segment {
    enum class Kind { literal, name, rest };  // the better match first
    Kind kind;
    std::string text;
  };
  struct Route {
    std::string method;
    std::string pattern;
    std::vector<Segment> segments;
    Handler handler;
  };
  static bool matches(const Route& route, const std::vector<std::string>& path, io::Params* params);
  static bool better(const Route& a, const Route& b);

  std::vector<Route> routes_;
  Handler not_found_;
};

/// Told what a client never sees: a sentence about a handler that failed (with the exception's text) or a
/// connection that misbehaved. Must not throw.
using ServerLog = std::function<void(const std::string& sentence)>;

class Connection;

class Server {
 public:
  /// `clock` must outlive the server.
  Server(io::Executor executor, io::Clock& clock, Handler handler, ServerLimits limits = {}, ServerLog log = {});
  /// All tasks given out must have ended: co_await stop() first.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Serves one connection until it ends or is hijacked. Does not throw but when cancelled.
  io::Task<> serve(io::StreamPtr stream);

  /// Accepts and serves until stop() or until the listener is closed. With `tls`, each connection begins with a
  /// handshake. Both must outlive the call.
  io::Task<> serve(io::TcpListener& listener, const io::TlsServerContext* tls = nullptr);

  /// Stops accepting, closes idle connections, gives running handlers `grace` to end, then closes their
  /// connections (telling on_client_gone) and waits for them; a TLS handshake under way ends by its own time limit.
  /// Hijacked connections are not the server's any more.
  io::Task<> stop(io::Duration grace = io::Duration::zero());

  /// Closes every connection being served; running handlers hear of it by on_client_gone(). Others may come.
  void close_connections();

  /// Connections being served at this moment.
  std::size_t connections() const noexcept { return connections_.size(); }

 private:
  friend class Connection;
  io::Task<> serve_accepted(io::StreamPtr stream, const io::TlsServerContext* tls);
  io::Task<> wait_for_room();
  Connection* longest_idle() const;
  void say(const std::string& sentence) const;

  io::Executor executor_;
  io::Clock& clock_;
  Handler handler_;
  ServerLimits limits_;
  ServerLog log_;
  std::list<Connection*> connections_;
  std::vector<io::TcpListener*> listeners_;
  std::size_t accepted_ = 0;
  bool stopping_ = false;
  io::Event changed_;
  io::Gate gate_;
};

}  // namespace build::net
