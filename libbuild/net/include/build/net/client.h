// The HTTP/1 client over a stream that is there already: a dialed-back connection, a TLS connection, a pair in
// memory. One request at a time; a connection can be used again while reusable().
//
// Usual order: send_head, any number of send_body, finish_body, read_head, body(). Everything is on the stream's
// executor. Every phase has a time limit; a connection that exceeds one is closed.
#pragma once

#include <build/net/body.h>
#include <io/byte_stream.h>
#include <io/clock.h>
#include <io/http1.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace build::net {

struct ClientLimits {
  io::HeadLimits head;
  io::ChunkLimits chunks;
  io::Duration head_timeout = std::chrono::seconds{30};   ///< for the answer's head, unless read_head() says otherwise
  io::Duration body_timeout = std::chrono::seconds{30};   ///< for the next bytes of the answer's body; 0: for ever
  io::Duration write_timeout = std::chrono::seconds{30};  ///< for the server to take up to 32 KiB
};

/// A whole answer in memory.
struct SimpleResponse {
  io::ResponseHead head;
  std::string body;
  io::Fields trailers;
};

class ClientConnection {
 public:
  /// `clock` must outlive it.
  ClientConnection(io::StreamPtr stream, io::Clock& clock, ClientLimits limits = {});
  /// Closes the connection unless it was released. No call may be under way.
  ~ClientConnection();
  ClientConnection(const ClientConnection&) = delete;
  ClientConnection& operator=(const ClientConnection&) = delete;

  /// Sends a request's head as it is; the caller has set Host. A body is announced by "Content-Length: n" or
  /// "Transfer-Encoding: chunked" among its fields. A server that does not take it is noticed by read_head(), which
  /// may find an answer all the same. Throws std::invalid_argument for a head that cannot be sent,
  /// std::logic_error if the last exchange is not over or the connection is closed (see reusable()).
  io::Task<> send_head(io::RequestHead head);

  /// A piece of the body (one chunk if chunked). Returns false if it is of no use to send more, because the
  /// server has begun to answer or takes nothing any more: then read_head() delivers the answer, or throws and
  /// says why there is none. Throws std::logic_error for more bytes than announced.
  io::Task<bool> send_body(std::string_view piece);
  /// Ends the body; `trailers` only if chunked. Returns like send_body. Not needed without a body.
  io::Task<bool> finish_body();
  io::Task<bool> finish_body(io::Fields trailers);

  /// The answer's head; informational ones (1xx) are skipped, but 101 is delivered. Gives the whole wait
  /// `limit`. May be called before the body was sent completely; the connection is then not reusable. Throws
  /// ConnectionLost or HttpError 502 (the answer is malformed).
  io::Task<io::ResponseHead> read_head(io::Duration limit);
  io::Task<io::ResponseHead> read_head() { return read_head(limits_.head_timeout); }

  /// The answer's body; after read_head(). Good until the next send_head().
  BodyReader& body();
  /// Changes ClientLimits::body_timeout from the next read on.
  void set_body_timeout(io::Duration limit);

  /// A whole exchange. Sets Content-Length if `body` is not empty or the method usually has one, and Host (empty) if
  /// there is none. The answer's body may have up to `max_body` bytes (HttpError 413 beyond it). After an error the
  /// connection is closed.
  io::Task<SimpleResponse> request(io::RequestHead head, std::string body = {}, std::size_t max_body = 1024 * 1024);

  /// Whether another request can be sent: both messages were sent and read to their ends, and neither side said
  /// it would close.
  bool reusable() const noexcept;
  /// Gives the connection up; a call under way fails with ConnectionLost or operation_aborted.
  void close() noexcept;
  /// Hands out the stream after a 101, with what the server has sent behind it. The object is then empty.
  io::StreamPtr release();

 private:
  struct State;
  io::Task<bool> put(std::string bytes);
  io::Task<std::string> read_head_bytes(const io::Deadline& deadline);
  io::Task<SimpleResponse> exchange(io::RequestHead head, std::string body, std::size_t max_body);

  io::Clock& clock_;
  ClientLimits limits_;
  std::unique_ptr<State> state_;
};

}  // namespace build::net
