#include <build/base/version.h>
#include <build/buildlet/client.h>
#include <build/net/client.h>

#include <rapidjson/document.h>

#include <array>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include "exec_run.h"
#include "supervised_run.h"
#include "worker_http.h"

namespace build::buildlet {

io::RequestHead worker_request(std::string method, std::string target, const std::string& hostname) {
  io::RequestHead head;
  head.method = std::move(method);
  head.target = std::move(target);
  head.fields.add("Host", hostname);
  head.fields.add("User-Agent", "xbuild/" + std::string(base::version()));
  return head;
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

namespace {

net::ClientLimits connection_limits(const WorkerLimits& limits) {
  net::ClientLimits out;
  out.head_timeout = limits.head;
  out.body_timeout = limits.head;
  out.write_timeout = limits.write;
  return out;
}

// Where a call stands, for its error.
struct Call {
  std::string worker;
  std::string what;

  [[noreturn]] void broke(const std::exception& error) const {
    throw WorkerError(0, what + " on worker " + worker + " failed: " + error.what());
  }
  [[noreturn]] void refused(const io::ResponseHead& head, const std::string& body) const {
    throw WorkerError(head.status, "worker " + worker + " refused " + what + ": " + refusal_text(head, body));
  }
};

struct Answer {
  io::ResponseHead head;
  std::string body;
};

// One whole exchange with a small body.
io::Task<Answer> exchange(const Call& call, net::ClientConnection& connection, io::RequestHead head, std::string body,
                          io::Duration answer_limit) {
  try {
    if (!body.empty()) head.fields.set("Content-Type", "application/x-www-form-urlencoded");
    if (head.method != "GET") head.fields.set("Content-Length", std::to_string(body.size()));
    co_await connection.send_head(head);
    if (!body.empty()) {
      co_await connection.send_body(body);
      co_await connection.finish_body();
    }
    Answer answer;
    answer.head = co_await connection.read_head(answer_limit);
    answer.body = co_await read_beginning(connection.body(), kMaxErrorText);
    co_return answer;
  } catch (const net::ConnectionLost& error) {
    call.broke(error);
  } catch (const io::HttpError& error) {
    call.broke(error);
  }
}

// The same on a connection of its own.
io::Task<Answer> exchange(const Call& call, io::StreamPtr stream, io::Clock& clock, net::ClientLimits limits,
                          io::RequestHead head, std::string body, io::Duration answer_limit) {
  net::ClientConnection connection(std::move(stream), clock, limits);
  co_return co_await exchange(call, connection, std::move(head), std::move(body), answer_limit);
}

WorkerStatus parse_status(const Call& call, const std::string& body) {
  rapidjson::Document document;
  document.Parse(body.data(), body.size());
  if (!document.HasParseError() && document.IsObject()) {
    const auto version = document.FindMember("Version");
    const auto draining = document.FindMember("draining");
    WorkerStatus status;
    const auto working = document.FindMember("working");
    if (working != document.MemberEnd() && working->value.IsInt()) status.working = working->value.GetInt();
    const auto features = document.FindMember("features");
    if (features != document.MemberEnd() && features->value.IsArray())
      for (const rapidjson::Value& feature : features->value.GetArray()) status.runs |= feature == "runs";
    status.draining = draining != document.MemberEnd() && draining->value.IsBool() && draining->value.GetBool();
    if (version != document.MemberEnd() && version->value.IsInt()) {
      status.version = version->value.GetInt();
      return status;
    }
  }
  throw WorkerError(0, call.what + " on worker " + call.worker + " failed: the answer is no status: " + body);
}

// Sends the body until the source ends or the worker answers early.
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

}  // namespace

Worker::Worker(io::Executor executor, io::Clock& clock, DialWorker dial, std::string hostname, WorkerLimits limits)
    : executor_(std::move(executor)),
      clock_(clock),
      dial_(std::move(dial)),
      hostname_(std::move(hostname)),
      limits_(limits) {}

Worker::~Worker() = default;

io::RequestHead Worker::request(std::string method, std::string target) const {
  io::RequestHead head = worker_request(std::move(method), std::move(target), hostname_);
  if (lease_ != 0) head.fields.set(kLeaseField, std::to_string(lease_));
  return head;
}

io::Task<WorkerStatus> Worker::status() {
  const Call call{hostname_, "GET /status"};
  const io::RequestHead head = request("GET", "/status");
  const std::string no_body;
  std::unique_ptr<net::ClientConnection> connection = std::exchange(kept_, nullptr);
  std::optional<Answer> answer;
  if (connection) {
    try {
      answer.emplace(co_await exchange(call, *connection, head, no_body, limits_.head));
    } catch (const WorkerError&) {
      // The worker may have ended it long ago. To ask again does no harm.
    }
  }
  if (!answer) {
    io::StreamPtr stream = co_await dial_();
    connection = std::make_unique<net::ClientConnection>(std::move(stream), clock_, connection_limits(limits_));
    answer.emplace(co_await exchange(call, *connection, head, no_body, limits_.head));
  }
  if (limits_.keep_connection && connection->reusable()) kept_ = std::move(connection);
  if (answer->head.status != 200) call.refused(answer->head, answer->body);
  co_return parse_status(call, answer->body);
}

io::Task<> Worker::remove_all(std::vector<std::string> paths) {
  if (paths.empty()) co_return;
  const Call call{hostname_, "POST /removeall"};
  io::Params form;
  for (std::string& path : paths) form.add("path", std::move(path));
  std::string body = form.encode();
  io::StreamPtr stream = co_await dial_();
  io::RequestHead head = request("POST", "/removeall");
  const net::ClientLimits limits = connection_limits(limits_);
  const Answer answer =
      co_await exchange(call, std::move(stream), clock_, limits, std::move(head), std::move(body), limits_.remove);
  if (answer.head.status != 200) call.refused(answer.head, answer.body);
}

io::Task<> Worker::halt() {
  const Call call{hostname_, "POST /halt"};
  io::StreamPtr stream = co_await dial_();
  io::RequestHead head = request("POST", "/halt");
  const net::ClientLimits limits = connection_limits(limits_);
  std::string no_body;
  const Answer answer =
      co_await exchange(call, std::move(stream), clock_, limits, std::move(head), std::move(no_body), limits_.halt);
  if (answer.head.status != 200) call.refused(answer.head, answer.body);
}

io::Task<io::StreamPtr> Worker::connect_ssh(std::string user, std::string authorized_key) {
  const Call call{hostname_, "POST /connect-ssh"};
  io::StreamPtr stream = co_await dial_();
  io::RequestHead head = worker_request("POST", "/connect-ssh", hostname_);
  head.fields.add("Content-Length", "0");
  head.fields.add("X-Go-Ssh-User", std::move(user));
  head.fields.add("X-Go-Authorized-Key", std::move(authorized_key));
  Answer answer;
  try {
    net::ClientConnection connection(std::move(stream), clock_, connection_limits(limits_));
    co_await connection.send_head(head);
    answer.head = co_await connection.read_head(limits_.head);
    if (answer.head.status == 101) co_return connection.release();
    answer.body = co_await read_beginning(connection.body(), kMaxErrorText);
  } catch (const net::ConnectionLost& error) {
    call.broke(error);
  } catch (const io::HttpError& error) {
    call.broke(error);
  }
  call.refused(answer.head, answer.body);
}

io::Task<> Worker::write_tgz(std::string dir, BodySource body) {
  const Call call{hostname_, "PUT /writetgz"};
  io::StreamPtr stream = co_await dial_();
  const std::string target = dir.empty() ? "/writetgz" : "/writetgz?dir=" + io::percent_encode(dir);
  io::RequestHead head = request("PUT", target);
  head.fields.set("Transfer-Encoding", "chunked");
  const net::ClientLimits limits = connection_limits(limits_);
  Answer answer;
  try {
    net::ClientConnection connection(std::move(stream), clock_, limits);
    co_await connection.send_head(head);
    co_await send_chunks(connection, body);
    answer.head = co_await connection.read_head(limits_.unpack);
    answer.body = co_await read_beginning(connection.body(), kMaxErrorText);
  } catch (const net::ConnectionLost& error) {
    call.broke(error);
  } catch (const io::HttpError& error) {
    call.broke(error);
  }
  if (answer.head.status != 200) call.refused(answer.head, answer.body);
}

io::Task<bool> Worker::take_lease(std::uint64_t number, std::chrono::seconds time, bool resume) {
  const Call call{hostname_, "PUT /lease"};
  io::StreamPtr stream = co_await dial_();
  io::RequestHead head = worker_request("PUT", "/lease", hostname_);
  std::string body = "{\"number\":" + std::to_string(number) + ",\"seconds\":" + std::to_string(time.count()) +
                     ",\"resume\":" + (resume ? "true" : "false") + "}";
  const net::ClientLimits limits = connection_limits(limits_);
  const Answer answer =
      co_await exchange(call, std::move(stream), clock_, limits, std::move(head), std::move(body), limits_.remove);
  if (answer.head.status != 200) call.refused(answer.head, answer.body);
  co_return answer.body.find("\"held\":true") != std::string::npos;
}

io::Task<> Worker::end_lease(std::uint64_t number) {
  const Call call{hostname_, "DELETE /lease"};
  io::StreamPtr stream = co_await dial_();
  io::RequestHead head = worker_request("DELETE", "/lease", hostname_);
  head.fields.set(kLeaseField, std::to_string(number));
  const net::ClientLimits limits = connection_limits(limits_);
  std::string no_body;
  const Answer answer =
      co_await exchange(call, std::move(stream), clock_, limits, std::move(head), std::move(no_body), limits_.remove);
  if (answer.head.status != 200) call.refused(answer.head, answer.body);
}

std::unique_ptr<Run> Worker::start(model::RunId id, RunSpec spec) {
  if (lease_ != 0)
    return std::make_unique<SupervisedRun>(std::move(id), std::move(spec), lease_, clock_, dial_, hostname_, limits_);
  return std::make_unique<ExecRun>(std::move(id), std::move(spec), clock_, dial_, hostname_, limits_);
}

}  // namespace build::buildlet
