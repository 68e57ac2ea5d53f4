// The way to a worker, which its calls and runs share, and how one call goes.
#pragma once

#include <build/buildlet/client.h>
#include <build/net/client.h>
#include <io/http1.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>

namespace build::buildlet {

/// How much of a worker's text goes into an error.
inline constexpr std::size_t kMaxErrorText = 4096;

/// The field that names a request's lease.
inline constexpr const char* kLeaseField = "X-Xbuild-Lease";

using Connection = std::unique_ptr<net::ClientConnection>;

struct WorkerLink {
  io::Clock& clock;
  DialWorker dial;
  std::string hostname;
  WorkerLimits limits;
  std::string authorization = {};  ///< the field's value; empty: none

  /// `lease`: 0 for none.
  io::RequestHead request(std::string method, std::string target, std::uint64_t lease) const;
  io::Task<Connection> connect() const;
};

/// At most `limit` bytes of a body, without blanks at the end; what follows is not read.
io::Task<std::string> read_beginning(net::BodyReader& body, std::size_t limit);

/// "400 Bad Request: requires POST method"
std::string refusal_text(const io::ResponseHead& head, const std::string& body);

struct Answer {
  io::ResponseHead head;
  std::string body;  ///< its beginning
};

/// One request and its answer. Throws WorkerError, with the worker's name and what was asked of it; also for an answer
/// that is not 200.
class Call {
 public:
  Call(const WorkerLink& link, std::string method, const std::string& target, std::uint64_t lease);

  [[noreturn]] void broke(const std::string& why) const;
  [[noreturn]] void refused(const Answer& answer) const;

  /// A small body, urlencoded unless `head` says otherwise, and the whole answer.
  io::Task<Answer> exchange(std::string body, io::Duration limit);
  io::Task<Answer> exchange_on(net::ClientConnection& connection, std::string body, io::Duration limit);
  /// A body of any size. An answer that comes before its end counts.
  io::Task<Answer> send(const BodySource& body, io::Duration limit);
  /// No body, and an answer whose body is still to be read.
  io::Task<Connection> open(io::Duration limit);
  /// The next bytes of such an answer.
  io::Task<std::size_t> read_some(net::ClientConnection& connection, io::asio::mutable_buffer into) const;

  io::RequestHead head;

 private:
  /// What `part` of the call gives; what it throws because of the connection or what came over it, as broke().
  template <typename T>
  io::Task<T> told(io::Task<T> part) const;
  io::Task<Answer> talk(net::ClientConnection& connection, std::string body, io::Duration limit);
  io::Task<Answer> talk_chunked(net::ClientConnection& connection, const BodySource& body, io::Duration limit);
  io::Task<Answer> talk_until_body(net::ClientConnection& connection, io::Duration limit);

  const WorkerLink& link_;
  std::string what_;
};

}  // namespace build::buildlet
