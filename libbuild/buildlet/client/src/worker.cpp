#include <build/buildlet/client.h>
#include <build/net/client.h>
#include <io/http1.h>

#include <rapidjson/document.h>

#include <memory>
#include <optional>
#include <utility>

#include "exec_run.h"
#include "supervised_run.h"
#include "worker_link.h"

namespace build::buildlet {

namespace {

std::uint64_t number_in(const rapidjson::Document& status, const char* key) {
  const auto found = status.FindMember(key);
  return found != status.MemberEnd() && found->value.IsUint64() ? found->value.GetUint64() : 0;
}

/// Nothing for what is no status.
std::optional<WorkerStatus> parse_status(const std::string& body) {
  rapidjson::Document document;
  document.Parse(body.data(), body.size());
  if (document.HasParseError() || !document.IsObject()) return std::nullopt;
  const auto version = document.FindMember("Version");
  if (version == document.MemberEnd() || !version->value.IsInt()) return std::nullopt;
  WorkerStatus status{.version = version->value.GetInt()};
  const auto draining = document.FindMember("draining");
  status.draining = draining != document.MemberEnd() && draining->value.IsBool() && draining->value.GetBool();
  const auto working = document.FindMember("working");
  if (working != document.MemberEnd() && working->value.IsInt()) status.working = working->value.GetInt();
  const auto features = document.FindMember("features");
  if (features != document.MemberEnd() && features->value.IsArray())
    for (const rapidjson::Value& feature : features->value.GetArray()) status.runs |= feature == "runs";
  if (const std::uint64_t lease = number_in(document, "lease"); lease != 0) status.lease = lease;
  status.last_lease = number_in(document, "lastLease");
  const auto load = document.FindMember("load");
  if (load != document.MemberEnd() && load->value.IsNumber()) status.load = load->value.GetDouble();
  status.memory = number_in(document, "memoryBytes");
  status.memory_available = number_in(document, "memoryAvailableBytes");
  status.disk = number_in(document, "diskBytes");
  status.disk_available = number_in(document, "diskAvailableBytes");
  return status;
}

}  // namespace

Worker::Worker(io::Clock& clock, DialWorker dial, std::string hostname, WorkerLimits limits)
    : link_(new WorkerLink{clock, std::move(dial), std::move(hostname), limits}) {}

Worker::~Worker() = default;

const std::string& Worker::hostname() const noexcept { return link_->hostname; }

void Worker::use_password(std::string_view user, std::string_view password) {
  link_->authorization = io::basic_authorization(std::string(user) + ":" + std::string(password));
}

io::Task<WorkerStatus> Worker::status() {
  Call call(*link_, "GET", "/status", lease_);
  std::unique_ptr<net::ClientConnection> connection = std::exchange(kept_, nullptr);
  std::optional<Answer> answer;
  if (connection) {
    try {
      answer.emplace(co_await call.exchange_on(*connection, {}, link_->limits.head));
    } catch (const WorkerError& error) {
      // The worker may have ended it long ago. To ask again does no harm.
      if (error.status != 0) throw;
    }
  }
  if (!answer) {
    connection = co_await link_->connect();
    answer.emplace(co_await call.exchange_on(*connection, {}, link_->limits.head));
  }
  if (link_->limits.keep_connection && connection->reusable()) kept_ = std::move(connection);
  const std::optional<WorkerStatus> status = parse_status(answer->body);
  if (!status) call.broke("the answer is no status: " + answer->body);
  co_return *status;
}

io::Task<std::string> Worker::workdir() {
  Call call(*link_, "GET", "/workdir", lease_);
  co_return (co_await call.exchange({}, link_->limits.head)).body;
}

io::Task<> Worker::remove_all(std::vector<std::string> paths) {
  if (paths.empty()) co_return;
  Call call(*link_, "POST", "/removeall", lease_);
  io::Params form;
  for (std::string& path : paths) form.add("path", std::move(path));
  std::string body = form.encode();
  co_await call.exchange(std::move(body), link_->limits.remove);
}

io::Task<> Worker::halt() {
  Call call(*link_, "POST", "/halt", lease_);
  co_await call.exchange({}, link_->limits.halt);
}

io::Task<io::StreamPtr> Worker::connect_ssh(std::string user, std::string authorized_key) {
  Call call(*link_, "POST", "/connect-ssh", 0);
  call.head.fields.add("Content-Length", "0");
  call.head.fields.add("X-Go-Ssh-User", std::move(user));
  call.head.fields.add("X-Go-Authorized-Key", std::move(authorized_key));
  const Connection connection = co_await link_->connect();
  Answer answer;
  try {
    co_await connection->send_head(call.head);
    answer.head = co_await connection->read_head(link_->limits.head);
    if (answer.head.status == 101) co_return connection->release();
    answer.body = co_await read_beginning(connection->body(), kMaxErrorText);
  } catch (const net::ConnectionLost& error) {
    call.broke(error.what());
  } catch (const io::HttpError& error) {
    call.broke(error.what());
  }
  call.refused(answer);
}

io::Task<bool> Worker::take_lease(std::uint64_t number, std::chrono::seconds time, bool resume) {
  Call call(*link_, "PUT", "/lease", 0);
  std::string body = "{\"number\":" + std::to_string(number) + ",\"seconds\":" + std::to_string(time.count()) +
                     ",\"resume\":" + (resume ? "true" : "false") + "}";
  const Answer answer = co_await call.exchange(std::move(body), link_->limits.remove);
  co_return answer.body.find("\"held\":true") != std::string::npos;
}

io::Task<> Worker::end_lease(std::uint64_t number) {
  Call call(*link_, "DELETE", "/lease", number);
  co_await call.exchange({}, link_->limits.remove);
}

io::Task<bool> Worker::keep_runs(std::chrono::seconds time) {
  const WorkerStatus status = co_await this->status();
  if (!status.runs) co_return false;
  constexpr int kConflict = 409;
  if (status.lease && *status.lease != lease_)
    throw WorkerError(kConflict, "worker " + hostname() + " is under a lease, " + std::to_string(*status.lease));
  const std::uint64_t number = status.lease ? *status.lease : status.last_lease + 1;
  co_await take_lease(number, time);
  lease_ = number;
  co_return true;
}

std::unique_ptr<Run> Worker::start(model::RunId id, RunSpec spec) {
  if (lease_ != 0) return std::make_unique<SupervisedRun>(*link_, std::move(id), std::move(spec), lease_);
  return std::make_unique<ExecRun>(*link_, std::move(id), std::move(spec));
}

io::Task<> Worker::delete_run(model::RunId id) {
  Call call(*link_, "DELETE", "/runs/" + id.value, lease_);
  co_await call.exchange({}, link_->limits.remove);
}

io::Task<std::string> heartbeats(Worker& worker, io::Clock& clock, HeartbeatLimits limits) {
  std::string last;
  for (int failed = 0; failed < limits.failures;) {
    co_await clock.sleep_for(limits.period);
    try {
      co_await worker.status();
      failed = 0;
    } catch (const std::runtime_error& error) {
      last = error.what();
      ++failed;
    }
  }
  co_return "worker " + worker.hostname() + " did not answer " + std::to_string(limits.failures) +
      " times in a row; at last: " + last;
}

}  // namespace build::buildlet
