#include "worker_link.h"

#include <build/base/version.h>

#include <array>
#include <utility>

namespace build::buildlet {

namespace {

constexpr const char* kForm = "application/x-www-form-urlencoded";

/// Sends the body until the source ends or the worker answers early.
io::Task<> send_chunks(net::ClientConnection& connection, const BodySource& body) {
  std::array<char, 32 * 1024> buffer;
  while (true) {
    const io::asio::mutable_buffer into = io::asio::buffer(buffer);
    const std::size_t n = co_await body(into);
    if (n == 0) break;
    const std::string_view piece(buffer.data(), n);
    const bool more = co_await connection.send_body(piece);
    if (!more) co_return;
  }
  co_await connection.finish_body();
}

io::Task<Answer> read_answer(net::ClientConnection& connection, io::Duration limit) {
  Answer answer;
  answer.head = co_await connection.read_head(limit);
  answer.body = co_await read_beginning(connection.body(), kMaxErrorText);
  co_return answer;
}

}  // namespace

io::RequestHead WorkerLink::request(std::string method, std::string target, std::uint64_t lease) const {
  io::RequestHead head;
  head.method = std::move(method);
  head.target = std::move(target);
  head.fields.add("Host", hostname);
  head.fields.add("User-Agent", "xbuild/" + std::string(base::version()));
  if (!authorization.empty()) head.fields.add("Authorization", authorization);
  if (lease != 0) head.fields.set(kLeaseField, std::to_string(lease));
  return head;
}

io::Task<Connection> WorkerLink::connect() const {
  io::StreamPtr stream = co_await dial();
  net::ClientLimits of_connection;
  of_connection.head_timeout = of_connection.body_timeout = limits.head;
  of_connection.write_timeout = limits.write;
  co_return std::make_unique<net::ClientConnection>(std::move(stream), clock, of_connection);
}

io::Task<std::string> read_beginning(net::BodyReader& body, std::size_t limit) {
  std::string text(limit, '\0');
  std::size_t size = 0;
  while (size < limit) {
    const io::asio::mutable_buffer rest = io::asio::buffer(text.data() + size, limit - size);
    const std::size_t n = co_await body.read_some(rest);
    if (n == 0) break;
    size += n;
  }
  text.resize(size);
  const std::size_t last = text.find_last_not_of(" \t\r\n");
  text.resize(last == std::string::npos ? 0 : last + 1);
  co_return text;
}

std::string refusal_text(const io::ResponseHead& head, const std::string& body) {
  std::string text = std::to_string(head.status);
  const std::string reason = head.reason.empty() ? std::string(io::reason_phrase(head.status)) : head.reason;
  if (!reason.empty()) text += " " + reason;
  if (!body.empty()) text += ": " + body;
  return text;
}

Call::Call(const WorkerLink& link, std::string method, const std::string& target, std::uint64_t lease)
    : link_(link), what_(method + " " + target.substr(0, target.find('?'))) {
  head = link.request(std::move(method), target, lease);
}

void Call::broke(const std::string& why) const {
  throw WorkerError(0, what_ + " on worker " + link_.hostname + " failed: " + why);
}

void Call::refused(const Answer& answer) const {
  throw WorkerError(answer.head.status,
                    "worker " + link_.hostname + " refused " + what_ + ": " + refusal_text(answer.head, answer.body));
}

template <typename T>
io::Task<T> Call::told(io::Task<T> part) const {
  try {
    co_return co_await std::move(part);
  } catch (const net::ConnectionLost& error) {
    broke(error.what());
  } catch (const io::HttpError& error) {
    broke(error.what());
  }
}

io::Task<Answer> Call::talk(net::ClientConnection& connection, std::string body, io::Duration limit) {
  if (!body.empty() && !head.fields.has("Content-Type")) head.fields.set("Content-Type", kForm);
  if (head.method != "GET") head.fields.set("Content-Length", std::to_string(body.size()));
  co_await connection.send_head(head);
  if (!body.empty()) {
    co_await connection.send_body(body);
    co_await connection.finish_body();
  }
  co_return co_await read_answer(connection, limit);
}

io::Task<Answer> Call::talk_chunked(net::ClientConnection& connection, const BodySource& body, io::Duration limit) {
  head.fields.set("Transfer-Encoding", "chunked");
  co_await connection.send_head(head);
  co_await send_chunks(connection, body);
  co_return co_await read_answer(connection, limit);
}

io::Task<Answer> Call::talk_until_body(net::ClientConnection& connection, io::Duration limit) {
  co_await connection.send_head(head);
  Answer answer;
  answer.head = co_await connection.read_head(limit);
  if (answer.head.status != 200) answer.body = co_await read_beginning(connection.body(), kMaxErrorText);
  co_return answer;
}

io::Task<Answer> Call::exchange(std::string body, io::Duration limit) {
  const Connection connection = co_await link_.connect();
  co_return co_await exchange_on(*connection, std::move(body), limit);
}

io::Task<Answer> Call::exchange_on(net::ClientConnection& connection, std::string body, io::Duration limit) {
  Answer answer = co_await told(talk(connection, std::move(body), limit));
  if (answer.head.status != 200) refused(answer);
  co_return answer;
}

io::Task<Answer> Call::send(const BodySource& body, io::Duration limit) {
  const Connection connection = co_await link_.connect();
  Answer answer = co_await told(talk_chunked(*connection, body, limit));
  if (answer.head.status != 200) refused(answer);
  co_return answer;
}

io::Task<Connection> Call::open(io::Duration limit) {
  Connection connection = co_await link_.connect();
  const Answer answer = co_await told(talk_until_body(*connection, limit));
  if (answer.head.status != 200) refused(answer);
  co_return connection;
}

io::Task<std::size_t> Call::read_some(net::ClientConnection& connection, io::asio::mutable_buffer into) const {
  co_return co_await told(connection.body().read_some(into));
}

}  // namespace build::buildlet
