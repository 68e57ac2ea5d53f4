// POST /exec: the command is resolved, the 200 goes out, then it is started, as a run that is nobody's but this
// connection's; whatever happens from then on is told by the trailer Process-State.
#include <build/base/environment.h>
#include <build/base/subprocess.h>
#include <build/buildlet/server.h>

#include <array>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "failure.h"
#include "running.h"

namespace build::buildlet {

namespace {

/// What a command may be ahead of its client, about: then it waits, as it would with its output in a pipe.
constexpr std::uint64_t kOutputCap = 16 << 20;

/// What the trailer says. A run that is lost has none.
std::string process_state(const runs::Result& result) {
  if (result.ending == runs::Ending::lost) throw net::AbortExchange();
  return result.ok() ? "ok" : result.text;
}

}  // namespace

runs::Command Server::resolve_with(const std::function<runs::Command(const ExecContext&)>& with) {
  workdir_.make_caches();
  std::call_once(goroot_decided_, [this] {
    const std::string inherited = base::find_variable(environment_, "GOROOT_BOOTSTRAP").value_or("");
    const bool own = inherited.empty() || workdir_.has_directory("go1.4");
    goroot_bootstrap_ = own ? workdir_.path() + "/go1.4" : inherited;
  });
  ExecContext context;
  context.workdir = workdir_.path();
  context.environment = environment_;
  context.goroot_bootstrap = goroot_bootstrap_;
  const std::string path_list = base::find_variable(environment_, "PATH").value_or("");
  context.find_executable = [&path_list](const std::string& name) -> std::optional<std::string> {
    const auto found = base::find_executable(name, path_list);
    return found ? std::optional<std::string>(found->string()) : std::nullopt;
  };
  runs::Command command = with(context);
  if (command.user.empty() && options_.run_as) command.user = options_.run_as->name;
  return command;
}

io::Task<> Server::handle_exec(net::Request& request, net::Response& response) {
  if (request.method() != "POST") throw io::HttpError(400, "requires POST method");
  if (!request.http_at_least(1, 1)) throw io::HttpError(400, "HTTP/1.1 or higher required");
  refuse_without_memory();
  const Form form = co_await read_form(request);
  response.fields().set("Trailer", "Process-State");
  runs::Command command;
  std::string first_line;
  try {
    const auto resolve = [&](const ExecContext& context) {
      ExecRequest exec = resolve_exec(form, context);
      if (exec.debug) first_line = debug_line(exec);
      runs::Command resolved;
      fill(resolved, std::move(exec));
      resolved.ephemeral = true;
      resolved.output_cap = kOutputCap;
      return resolved;
    };
    // Not in the pool: it looks up a few names that the kernel has in its cache; to wake two threads costs more.
    command = resolve_with(resolve);
  } catch (const ExecRefused& refused) {
    throw io::HttpError(refused.status, refused.what());
  } catch (const std::exception&) {
    throw_as_http(std::current_exception(), workdir_.path());
  }
  co_await response.start(200);
  co_await response.write(first_line);
  std::string state = co_await run_command(std::move(command), response);
  std::string fault;
  if (state != "ok") fault = co_await own_fault();
  io::Fields trailers;
  trailers.add("Process-State", std::move(state));
  if (!fault.empty()) trailers.add("X-Xbuild-Worker-Fault", std::move(fault));
  co_await response.finish(std::move(trailers));
}

// What about this worker can have made a command fail; empty: nothing is known.
io::Task<std::string> Server::own_fault() {
  std::string fault;
  try {
    auto job = [this] { return workdir_.out_of_space(); };
    fault = (co_await pool_.run(job)).value_or("");
  } catch (const std::exception& error) {
    // The command may have put something else in the work directory's place: its own doing.
    log_.warning("the room in the work directory is not known", {{"why", error.what()}});
  }
  if (!fault.empty()) log_.warning(fault);
  co_return fault;
}

io::Task<std::string> Server::run_command(runs::Command command, net::Response& response) {
  check_open();
  const std::string number = std::to_string(++commands_begun_);
  command.id = exec_ids_ + number;
  log_.info("a command begins", {{"number", number}, {"command", command.program}});
  std::shared_ptr<runs::Run> run;
  std::string failed;
  try {
    run = co_await runs_.start(std::move(command));
  } catch (const runs::RunError& error) {
    failed = error.what();
  }
  if (!run) {
    log_.warning("a command could not be started", {{"number", number}, {"why", failed}});
    co_return failed;
  }
  const auto running = std::make_shared<Running>(run);
  running_.insert(running.get());
  // When nobody reads its output any more it is killed, which ends the loop below.
  response.on_client_gone([weak = std::weak_ptr(running)] {
    if (const auto alive = weak.lock()) alive->end();
  });
  if (gate_.closed()) running->end();
  std::exception_ptr gone;
  try {
    co_await stream_output(*running, response);
  } catch (const std::exception&) {
    gone = std::current_exception();
    running->end();
  }
  running_.erase(running.get());
  if (running->ended) {
    // Our own kill is no result of the command: the client must see the run as lost.
    co_await runs_.forget(run, "its client went away");
    throw net::AbortExchange();
  }
  const runs::Result result = run->result().value_or(runs::Result{});
  log_.info("a command ended", {{"number", number}, {"status", result.text}});
  runs_.release(run);  // what it left behind goes on
  co_return process_state(result);
}

io::Task<> Server::stream_output(Running& running, net::Response& response) {
  std::vector<char> buffer(64 * 1024);
  for (std::uint64_t offset = 0;;) {
    const io::asio::mutable_buffer into(buffer.data(), buffer.size());
    const runs::SpoolReader::Piece piece = co_await running.output.read(offset, into);
    if (piece.size == 0) co_return;
    const std::string_view bytes(buffer.data(), piece.size);
    co_await response.write(bytes);
    offset = piece.offset + piece.size;
  }
}

}  // namespace build::buildlet
