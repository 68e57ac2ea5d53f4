// The body of a message that is being received, for servers and clients alike, and what goes wrong with peers.
#pragma once

#include <io/clock.h>
#include <io/http1.h>
#include <io/task.h>

#include <boost/asio/buffer.hpp>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>

namespace build::net {

using io::HttpError;

/// The connection is of no more use: the peer went away, was too slow, or cut a message short. The text says
/// which, in a sentence that names the peer.
class ConnectionLost : public std::runtime_error {
 public:
  enum class Why { timeout, closed, failed };
  ConnectionLost(Why why, const std::string& text) : std::runtime_error(text), why_(why) {}
  Why why() const noexcept { return why_; }

 private:
  Why why_;
};

class BodySource;

/// Reads the body of one message, once, from front to end. Belongs to its Request or ClientConnection and lives
/// on the same executor; one read at a time.
class BodyReader {
 public:
  explicit BodyReader(std::shared_ptr<BodySource> source);
  ~BodyReader();

  /// Waits for and gives 1 to into.size() bytes; 0 at the end of the body (and for each call after it).
  /// Throws ConnectionLost if the peer is gone or nothing comes for the time limit of the connection,
  /// HttpError if the body is malformed (400 in a server, 502 in a client).
  io::Task<std::size_t> read_some(boost::asio::mutable_buffer into);

  /// The rest of the body. Throws HttpError 413 once it is longer than `limit` bytes, without reading on.
  io::Task<std::string> read_all(std::size_t limit);

  /// True once the last byte (and the trailers) came in, at once if there is no body.
  bool ended() const noexcept;

  /// The fields that came after a chunked body; empty before ended().
  const io::Fields& trailers() const noexcept;

 private:
  std::shared_ptr<BodySource> source_;
};

}  // namespace build::net
