// /lease and /runs: commands that outlive the connection that began them.
#include <build/base/subprocess.h>
#include <build/buildlet/run_request.h>
#include <build/buildlet/sandbox.h>
#include <build/buildlet/server.h>
#include <tarutil/path_rule.h>

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <charconv>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "failure.h"

namespace build::buildlet {

namespace {

constexpr const char* kJson = "application/json; charset=utf-8";
constexpr std::size_t kPiece = 64 * 1024, kInputPiece = 32 * 1024;
constexpr int kConflict = 409;

std::optional<std::uint64_t> number_from(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// A query's number; `otherwise` if it is not there.
std::uint64_t number_parameter(const net::Request& request, const std::string& name, std::uint64_t otherwise) {
  if (!request.query().has(name)) return otherwise;
  const auto number = number_from(request.query().get(name));
  if (!number) throw io::HttpError(400, "invalid '" + name + "' parameter: it is no number");
  return *number;
}

struct LeaseRequest {
  std::uint64_t number = 0;
  std::chrono::seconds time{0};
  bool resume = false;
};

LeaseRequest lease_request(const std::string& json) {
  rapidjson::Document document;
  document.Parse(json.data(), json.size());
  if (document.HasParseError() || !document.IsObject()) throw io::HttpError(400, "the lease is no JSON object");
  LeaseRequest lease;
  for (const auto& [key, value] : document.GetObject()) {
    const std::string name = key.GetString();
    if (name == "number" && value.IsUint64() && value.GetUint64() > 0) {
      lease.number = value.GetUint64();
    } else if (name == "seconds" && value.IsInt() && value.GetInt() > 0) {
      lease.time = std::chrono::seconds(value.GetInt());
    } else if (name == "resume" && value.IsBool()) {
      lease.resume = value.GetBool();
    } else {
      throw io::HttpError(400, "invalid \"" + name + "\" in the lease");
    }
  }
  if (lease.number == 0) throw io::HttpError(400, "the lease has no \"number\"");
  if (lease.time.count() == 0) throw io::HttpError(400, "the lease has no \"seconds\"");
  return lease;
}

int status_of(runs::RunError::Kind kind) {
  switch (kind) {
    case runs::RunError::Kind::taken:
      return kConflict;
    case runs::RunError::Kind::no_room:
      return kInsufficientStorage;
    case runs::RunError::Kind::failed:
      break;
  }
  return 500;
}

/// Why the command does not do; empty if it does.
io::Task<std::string> trouble_of(io::Executor executor, io::Clock& clock, base::SubprocessSpec spec) {
  const base::RunLimits limits{.time = std::chrono::seconds{30}};
  try {
    const base::RunResult result = co_await base::run_command(executor, clock, std::move(spec), limits);
    if (result.ok()) co_return std::string();
    co_return result.output.empty() ? result.status.str() : result.output.substr(0, result.output.find('\n'));
  } catch (const base::StartError& error) {
    co_return error.what();
  }
}

}  // namespace

std::uint64_t Server::lease_of(const net::Request& request) const {
  const auto number = number_from(request.fields().get(kLeaseField));
  if (!number || *number == 0) throw io::HttpError(400, std::string("requires the field ") + kLeaseField);
  return *number;
}

io::Task<> Server::handle_lease(net::Request& request, net::Response& response) {
  if (request.method() == "PUT") {
    check_open();
    const std::string json = co_await request.body().read_all(options_.max_form);
    const LeaseRequest wanted = lease_request(json);
    const bool held = co_await lease_.take(wanted.number, wanted.time, wanted.resume);
    std::string body = std::string("{\"held\":") + (held ? "true" : "false") + "}";
    co_await response.send(200, kJson, std::move(body));
  } else if (request.method() == "DELETE") {
    co_await lease_.end(lease_of(request));
    co_await response.send(200, kJson, "{}");
  } else {
    throw io::HttpError(400, "requires PUT or DELETE method");
  }
}

std::shared_ptr<runs::Run> Server::run_of(const net::Request& request) const {
  lease_of(request);  // what it names has been checked, if it names one
  const std::string id = request.path_param("id");
  std::shared_ptr<runs::Run> run = runs_.find(id);
  if (!run || run->command().ephemeral) throw io::HttpError(404, "there is no run " + tarutil::quoted(id));
  return run;
}

io::Task<std::string> Server::describe(runs::Run& run) {
  const std::optional<runs::Result> result = run.result();
  std::string fault;
  if (result && !result->ok()) fault = co_await own_fault();
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> out(buffer);
  const auto text = [&out](const char* key, const std::string& value) {
    out.Key(key);
    out.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
  };
  const auto number = [&out](const char* key, std::uint64_t value) {
    out.Key(key);
    out.Uint64(value);
  };
  out.StartObject();
  text("id", run.command().id);
  text("state", result ? "ended" : "running");
  number("lease", run.command().lease);
  number("outputSize", run.output_size());
  const runs::SpoolReader::Gap gap = run.output_gap();
  if (gap.begin != gap.end) {
    number("gapBegin", gap.begin);
    number("gapEnd", gap.end);
  }
  if (result) {
    const std::string json = describe_result(*result);
    out.Key("result");
    out.RawValue(json.data(), json.size(), rapidjson::kObjectType);
  }
  if (!fault.empty()) text("workerFault", fault);
  out.EndObject();
  co_return std::string(buffer.GetString(), buffer.GetSize());
}

io::Task<> Server::handle_runs(net::Request& request, net::Response& response) {
  lease_of(request);
  if (request.method() == "POST") {
    co_await start_run(request, response);
    co_return;
  }
  if (request.method() != "GET") throw io::HttpError(400, "requires GET or POST method");
  std::string body = "[";
  for (const std::shared_ptr<runs::Run>& run : runs_.all()) {
    if (run->command().ephemeral) continue;
    body += body.size() > 1 ? "," : "";
    body += co_await describe(*run);
  }
  body += "]";
  co_await response.send(200, kJson, std::move(body));
}

io::Task<> Server::start_run(net::Request& request, net::Response& response) {
  check_open();
  refuse_without_memory();
  const std::uint64_t lease = lease_of(request);
  const std::string json = co_await request.body().read_all(options_.max_form);
  runs::Command command;
  bool sandbox = false;
  try {
    auto job = [&] {
      const auto resolve = [&](const ExecContext& context) {
        RunRequest wanted = resolve_run(json, context);
        sandbox = wanted.sandbox;
        return std::move(wanted.command);
      };
      return resolve_with(resolve);
    };
    command = co_await pool_.run(job);
  } catch (const ExecRefused& refused) {
    throw io::HttpError(refused.status, refused.what());
  } catch (const std::exception&) {
    throw_as_http(std::current_exception(), workdir_.path());
  }
  if (sandbox) co_await put_in_box(command);
  command.lease = lease;
  lease_.check(lease);  // it may have ended while this request came in
  log_.info("a run begins", {{"run", command.id}, {"command", command.program}});
  std::shared_ptr<runs::Run> run;
  try {
    run = co_await runs_.start(std::move(command));
  } catch (const runs::RunError& error) {
    throw io::HttpError(status_of(error.kind), error.what());
  }
  std::string body = co_await describe(*run);
  co_await response.send(200, kJson, std::move(body));
}

// The command stays what it is, its program becomes the one that makes the box. A system that makes none is found out
// once, before a command is blamed for it.
io::Task<> Server::put_in_box(runs::Command& command) {
  Sandbox box;
  box.workdir = workdir_.path();
  box.directory = box.workdir;
  box.hidden.push_back(state_);
  for (const auto& file : options_.secrets)
    if (std::filesystem::exists(file)) box.secrets.push_back(file);
  if (!box_trouble_) {
    base::SubprocessSpec probe;
    probe.argv = sandboxed(box, {"/bin/true"});
    probe.user = options_.run_as;
    box_trouble_ = co_await trouble_of(executor_, clock_, std::move(probe));
  }
  if (!box_trouble_->empty()) throw io::HttpError(501, "this worker makes no sandbox: " + *box_trouble_);
  box.directory = command.directory;
  if (command.no_network) box.network = Sandbox::Network::none;
  command.no_network = false;
  command.argv.front() = command.program;
  command.program = box.bwrap.string();
  command.argv = sandboxed(box, command.argv);
}

io::Task<> Server::handle_run(net::Request& request, net::Response& response) {
  const std::shared_ptr<runs::Run> run = run_of(request);
  if (request.method() == "DELETE") {
    co_await runs_.forget(run, "it was deleted");
    co_await response.send(200, kJson, "{}");
    co_return;
  }
  if (request.method() != "GET") throw io::HttpError(400, "requires GET or DELETE method");
  std::string body = co_await describe(*run);
  co_await response.send(200, kJson, std::move(body));
}

io::Task<> Server::handle_run_output(net::Request& request, net::Response& response) {
  if (request.method() != "GET") throw io::HttpError(400, "requires GET method");
  const std::shared_ptr<runs::Run> run = run_of(request);
  std::uint64_t offset = number_parameter(request, "offset", 0);
  const runs::SpoolReader::Gap gap = run->output_gap();
  if (offset >= gap.begin && offset < gap.end) offset = gap.end;
  const auto output = std::make_shared<runs::Output>(run);
  response.fields().set("Trailer", "X-Xbuild-Next");
  response.fields().set("Content-Type", "application/octet-stream");
  response.fields().set("X-Xbuild-Offset", std::to_string(offset));
  co_await response.start(200);
  response.on_client_gone([output] { output->cancel(); });
  std::vector<char> buffer(kPiece);
  std::string next = "end";
  while (true) {
    const io::asio::mutable_buffer into(buffer.data(), buffer.size());
    const runs::SpoolReader::Piece piece = co_await output->read(offset, into);
    if (piece.size == 0) break;
    if (piece.offset != offset) {  // what came between is gone: whoever follows is told where it goes on
      next = std::to_string(piece.offset);
      break;
    }
    const std::string_view bytes(buffer.data(), piece.size);
    co_await response.write(bytes);
    offset += piece.size;
  }
  io::Fields trailers;
  trailers.add("X-Xbuild-Next", std::move(next));
  co_await response.finish(std::move(trailers));
}

io::Task<> Server::handle_run_input(net::Request& request, net::Response& response) {
  if (request.method() != "POST") throw io::HttpError(400, "requires POST method");
  const auto input = std::make_shared<runs::Input>(run_of(request));
  response.on_client_gone([input] { input->cancel(); });
  std::vector<char> buffer(kInputPiece);
  std::string trouble;
  while (trouble.empty()) {
    const io::asio::mutable_buffer into(buffer.data(), buffer.size());
    const std::size_t size = co_await request.body().read_some(into);
    if (size == 0) break;
    const std::string_view bytes(buffer.data(), size);
    trouble = co_await input->write(bytes);
  }
  if (trouble.empty() && number_parameter(request, "end", 0) != 0) trouble = co_await input->end();
  if (!trouble.empty()) throw io::HttpError(kConflict, trouble);
  co_await response.send(200, kJson, "{}");
}

io::Task<> Server::handle_run_signal(net::Request& request, net::Response& response) {
  if (request.method() != "POST") throw io::HttpError(400, "requires POST method");
  const std::shared_ptr<runs::Run> run = run_of(request);
  const std::uint64_t number = number_parameter(request, "signal", 0);
  if (number > 64) throw io::HttpError(400, "invalid 'signal' parameter: there is no such signal");
  if (number == 0) {
    run->kill("somebody asked for it");
    co_await run->gone();
  } else {
    run->signal(static_cast<int>(number));
  }
  co_await response.send(200, kJson, "{}");
}

io::Task<> Server::handle_run_resize(net::Request& request, net::Response& response) {
  if (request.method() != "POST") throw io::HttpError(400, "requires POST method");
  const std::shared_ptr<runs::Run> run = run_of(request);
  const std::uint64_t rows = number_parameter(request, "rows", 0), columns = number_parameter(request, "columns", 0);
  const bool fine = rows >= 1 && rows <= 10000 && columns >= 1 && columns <= 10000;
  if (!fine) throw io::HttpError(400, "requires 'rows' and 'columns' from 1 to 10000");
  run->resize({static_cast<std::uint16_t>(rows), static_cast<std::uint16_t>(columns)});
  co_await response.send(200, kJson, "{}");
}

}  // namespace build::buildlet
