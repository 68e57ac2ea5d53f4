// POST /exec: the command is resolved, the 200 goes out, then it is started; whatever happens from then on is told by
// the trailer Process-State.
#include <build/base/environment.h>
#include <build/base/subprocess.h>
#include <build/buildlet/server.h>

#include <array>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "failure.h"
#include "running.h"

namespace build::buildlet {

namespace {

base::SubprocessSpec spec_of(const ExecRequest& request, const std::optional<base::UserIds>& run_as) {
  base::SubprocessSpec spec;
  spec.argv = request.argv;
  spec.program = request.command;
  spec.environment = request.environment;
  spec.directory = request.dir;
  if (request.without_network) spec.network = base::SubprocessSpec::Network::none;
  spec.user = run_as;
  return spec;
}

}  // namespace

// Blocks.
ExecRequest Server::resolve(const Form& form) {
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
  return resolve_exec(form, context);
}

io::Task<> Server::handle_exec(net::Request& request, net::Response& response) {
  if (request.method() != "POST") throw io::HttpError(400, "requires POST method");
  if (!request.http_at_least(1, 1)) throw io::HttpError(400, "HTTP/1.1 or higher required");
  refuse_without_memory();
  const Form form = co_await read_form(request);
  response.fields().set("Trailer", "Process-State");
  ExecRequest command;
  try {
    auto job = [this, &form] { return resolve(form); };
    command = co_await pool_.run(job);
  } catch (const ExecRefused& refused) {
    throw io::HttpError(refused.status, refused.what());
  } catch (const std::exception&) {
    throw_as_http(std::current_exception(), workdir_.path());
  }
  co_await response.start(200);
  std::string state = co_await run_command(command, response);
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

io::Task<std::string> Server::run_command(const ExecRequest& request, net::Response& response) {
  if (request.debug) {
    const std::string line = debug_line(request);
    co_await response.write(line);
  }
  check_open();
  const auto running = std::make_shared<Running>();
  std::string failed;
  try {
    running->process = base::Subprocess::start(executor_, spec_of(request, options_.run_as));
  } catch (const std::exception& error) {
    failed = error.what();
  }
  if (!running->process) {
    log_.warning("a command could not be started", {{"command", request.command}, {"why", failed}});
    co_return failed;
  }
  const std::string number = std::to_string(++commands_begun_);
  running_.insert(running.get());
  log_.info("a command began", {{"number", number}, {"command", request.command}});
  // When nobody reads its output any more it is killed, which ends the loop in stream_output().
  response.on_client_gone([weak = std::weak_ptr(running)] {
    if (const auto alive = weak.lock()) alive->end();
  });
  std::exception_ptr gone;
  try {
    co_await stream_output(*running->process, response);
  } catch (const std::exception&) {
    gone = std::current_exception();
    running->end();
  }
  const base::ExitStatus status = co_await running->process->wait();
  running_.erase(running.get());
  std::string text = status.success() ? "ok" : status.str();
  log_.info("a command ended", {{"number", number}, {"status", text}});
  // Our own kill is no result of the command: the client must see the run as lost.
  if (running->stopped) throw net::AbortExchange();
  if (gone) std::rethrow_exception(gone);
  co_return text;
}

io::Task<> Server::stream_output(base::Subprocess& process, net::Response& response) {
  std::array<char, 32 * 1024> buffer;
  while (true) {
    const io::asio::mutable_buffer into = io::asio::buffer(buffer);
    const std::size_t n = co_await process.read_output(into);
    if (n == 0) co_return;
    const std::string_view piece(buffer.data(), n);
    co_await response.write(piece);
  }
}

}  // namespace build::buildlet
