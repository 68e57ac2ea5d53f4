#include <build/base/environment.h>
#include <build/buildlet/server.h>
#include <io/bridge.h>
#include <tarutil/path_rule.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "running.h"

namespace build::buildlet {

namespace {

constexpr int kInternalError = 500;

void require_method(const net::Request& request, const std::string& method) {
  if (request.method() != method) throw io::HttpError(400, "requires " + method + " method");
}

void check_path(const std::string& parameter, const std::string& path) {
  if (const auto problem = tarutil::relative_path_problem(path)) {
    throw io::HttpError(400, "invalid '" + parameter + "' parameter: " + *problem);
  }
}

// An archive being unpacked on a pool thread while the handler feeds it. Shared by both, so that neither has to
// outlive the other.
struct Unpacking {
  explicit Unpacking(io::Executor executor) : bridge(executor), changed(executor) {}

  io::ToBlocking bridge;
  io::Event changed;
  bool done = false;
  std::exception_ptr error;
};

void unpack(Unpacking& unpacking, WorkDirectory& workdir, const std::string& dir,
            const tarutil::ExtractOptions& options) {
  const tarutil::Fd into = dir.empty() ? workdir.open() : workdir.open_below(dir);
  const tarutil::Source source = [&unpacking](std::span<char> bytes) { return unpacking.bridge.read(bytes); };
  tarutil::extract(source, into.get(), options);
}

io::Task<> run_unpacking(std::shared_ptr<Unpacking> unpacking, io::BlockingPool& pool, WorkDirectory& workdir,
                         std::string dir, tarutil::ExtractOptions options) {
  auto job = [&] { unpack(*unpacking, workdir, dir, options); };
  try {
    co_await pool.run(job);
  } catch (const std::exception&) {
    unpacking->error = std::current_exception();
  }
  // Bytes behind the end of a good archive are nobody's business.
  unpacking->bridge.stop_reading(unpacking->error);
  unpacking->done = true;
  unpacking->changed.notify_all();
}

io::Task<> feed(Unpacking& unpacking, net::BodyReader& body) {
  std::array<char, 64 * 1024> buffer;
  while (!unpacking.done) {
    const io::asio::mutable_buffer into = io::asio::buffer(buffer);
    const std::size_t n = co_await body.read_some(into);
    if (n == 0) break;
    const io::asio::const_buffer bytes(buffer.data(), n);
    co_await unpacking.bridge.write(bytes);
  }
  unpacking.bridge.finish();
}

int status_of(const tarutil::ExtractError& error) {
  switch (error.kind()) {
    case tarutil::ExtractErrorKind::io:
      return kInternalError;
    case tarutil::ExtractErrorKind::limit:
      return 413;
    default:
      return 400;
  }
}

[[noreturn]] void throw_as_http(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const tarutil::ExtractError& bad) {
    throw io::HttpError(status_of(bad), bad.what());
  } catch (const std::system_error& bad) {
    throw io::HttpError(kInternalError, bad.what());
  } catch (const NotOurs& bad) {
    throw io::HttpError(kInternalError, bad.what());
  }
}

}  // namespace

Server::Server(io::Executor executor, io::Clock& clock, io::BlockingPool& pool, WorkDirectory& workdir,
               ServerOptions options, base::Logger& log)
    : executor_(executor),
      clock_(clock),
      pool_(pool),
      workdir_(workdir),
      options_(std::move(options)),
      log_(log),
      environment_(without_secrets(options_.environment)),
      gate_(executor) {
  base::set_variable(environment_, "WORKDIR", workdir_.path());
}

Server::~Server() = default;

void Server::add_routes(net::Router& router) {
  const Route routes[] = {
      {"/status", Kind::question, &Server::handle_status},   {"/workdir", Kind::question, &Server::handle_workdir},
      {"/writetgz", Kind::work, &Server::handle_writetgz},   {"/exec", Kind::work, &Server::handle_exec},
      {"/removeall", Kind::work, &Server::handle_removeall}, {"/halt", Kind::question, &Server::handle_halt}};
  for (const Route& route : routes) {
    // Any method: the handlers answer wrong ones themselves, with 400 as the original does.
    router.add("", route.path, [this, route](net::Request& request, net::Response& response) {
      return serve(route, request, response);
    });
  }
}

io::Task<> Server::serve(Route route, net::Request& request, net::Response& response) {
  if (route.kind == Kind::question) {
    co_await (this->*route.handler)(request, response);
    co_return;
  }
  check_open();
  const io::Gate::Pass pass = gate_.enter();
  std::exception_ptr failed;
  try {
    co_await (this->*route.handler)(request, response);
  } catch (const std::exception&) {
    failed = std::current_exception();
  }
  last_work_ = clock_.now();
  if (failed) std::rethrow_exception(failed);
}

void Server::drain(DrainLimits limits, std::function<void()> over) {
  if (drain_ || gate_.closed()) return;
  last_work_ = clock_.now();
  drain_.emplace(Drain{limits, std::move(over), last_work_, {}});
  continue_drain();
}

void Server::continue_drain() {
  const io::Instant now = clock_.now();
  const io::Instant last = drain_->began + drain_->limits.longest;
  const io::Instant quiet = (gate_.inside() > 0 ? now : last_work_) + drain_->limits.quiet;
  if (now < quiet && now < last) {
    drain_->alarm = clock_.call_at(executor_, std::min(quiet, last), [this] { continue_drain(); });
    return;
  }
  // The call may lead to the end of this object.
  const std::function<void()> over = drain_->over;
  over();
}

io::Task<> Server::stop() {
  if (drain_) drain_->alarm.cancel();
  for (Running* running : running_) {
    running->stopped = true;
    running->end();
  }
  co_await gate_.close();
}

void Server::check_open() const {
  if (gate_.closed()) throw io::HttpError(503, "the worker is being stopped");
}

io::Task<> Server::handle_status(net::Request& request, net::Response& response) {
  require_method(request, "GET");
  std::string body = "{\"Version\":" + std::to_string(kVersion) + (drain_ ? ",\"draining\":true}" : "}");
  co_await response.send(200, "application/json; charset=utf-8", std::move(body));
}

io::Task<> Server::handle_workdir(net::Request& request, net::Response& response) {
  require_method(request, "GET");
  std::string body = workdir_.path();
  co_await response.send(200, std::move(body));
}

io::Task<Form> Server::read_form(net::Request& request) {
  Form form;
  form.query = request.query();
  form.body = co_await request.read_form(options_.max_form);
  co_return form;
}

io::Task<> Server::handle_writetgz(net::Request& request, net::Response& response) {
  if (request.method() != "PUT" && request.method() != "POST") {
    throw io::HttpError(400, "requires PUT or POST method");
  }
  const std::string dir = request.query().get("dir");
  if (!dir.empty()) check_path("dir", dir);
  std::string answer = "OK";
  if (request.method() == "POST") {
    co_await refuse_fetching(request, dir);
    answer = "SKIP";
  } else {
    co_await unpack_body(request, dir);
  }
  co_await response.send(200, std::move(answer));
}

// Only what needs no fetching is answered: a Go toolchain that is there already is to be skipped.
io::Task<> Server::refuse_fetching(net::Request& request, std::string dir) {
  const Form form = co_await read_form(request);
  if (form.value("url").empty()) throw io::HttpError(400, "missing url POST param");
  bool there = false;
  if (dir == "go1.4") {
    auto job = [this, &dir] { return workdir_.has_directory(dir); };
    there = co_await pool_.run(job);
  }
  if (!there) throw io::HttpError(501, "this worker fetches no URLs: send the archive itself with PUT");
}

io::Task<> Server::unpack_body(net::Request& request, std::string dir) {
  auto unpacking = std::make_shared<Unpacking>(executor_);
  tarutil::ExtractOptions options;
  options.limits = options_.extract;
  options.now = std::chrono::floor<std::chrono::seconds>(clock_.wall_now());
  io::Task<> task = run_unpacking(unpacking, pool_, workdir_, dir, options);
  io::spawn(executor_, std::move(task), [unpacking](std::exception_ptr error) {
    unpacking->error = error;
    unpacking->done = true;
    unpacking->changed.notify_all();
  });
  std::exception_ptr broken;
  try {
    co_await feed(*unpacking, request.body());
  } catch (const std::exception&) {
    broken = std::current_exception();
  }
  // Once unpacking is over its end counts, and feeding may have failed because of it.
  const bool cut_short = broken && !unpacking->done;
  if (cut_short) unpacking->bridge.fail(broken);
  while (!unpacking->done) co_await unpacking->changed.wait();
  if (cut_short) std::rethrow_exception(broken);
  if (unpacking->error) throw_as_http(unpacking->error);
}

io::Task<> Server::handle_removeall(net::Request& request, net::Response& response) {
  require_method(request, "POST");
  const Form form = co_await read_form(request);
  const std::vector<std::string> paths = form.values("path");
  if (paths.empty()) throw io::HttpError(400, "requires 'path' parameter");
  for (const std::string& path : paths) check_path("path", path);
  auto job = [&] {
    for (const std::string& path : paths) workdir_.remove(path);
  };
  try {
    co_await pool_.run(job);
  } catch (const std::exception& error) {
    throw io::HttpError(kInternalError, error.what());
  }
  co_await response.send(200);
}

io::Task<> Server::handle_halt(net::Request& request, net::Response& response) {
  require_method(request, "POST");
  co_await response.send(200);
  log_.info("asked to end", {{"by", request.peer()}});
  halt_alarm_ = clock_.call_after(executor_, options_.halt_delay, [this] {
    if (options_.on_halt) options_.on_halt();
  });
}

}  // namespace build::buildlet
