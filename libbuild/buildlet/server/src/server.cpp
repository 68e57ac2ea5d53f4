#include <build/base/builder_key.h>
#include <build/base/environment.h>
#include <build/buildlet/file_requests.h>
#include <build/buildlet/multipart.h>
#include <build/buildlet/server.h>
#include <build/net/basic_auth.h>

#include <algorithm>
#include <exception>
#include <string>
#include <utility>

#include "failure.h"
#include "running.h"

namespace build::buildlet {

namespace {

// As the original names architectures.
constexpr const char* kArchitecture =
#if defined(__x86_64__)
    "amd64";
#elif defined(__aarch64__)
    "arm64";
#else
    "unknown";
#endif

void require_method(const net::Request& request, const std::string& method) {
  if (request.method() != method) throw io::HttpError(400, "requires " + method + " method");
}

}  // namespace

std::string platform() { return std::string("linux-") + kArchitecture; }

Server::Server(io::Executor executor, io::Clock& clock, io::BlockingPool& pool, WorkDirectory& workdir,
               const std::filesystem::path& state, ServerOptions options, base::Logger& log)
    : executor_(executor),
      clock_(clock),
      pool_(pool),
      workdir_(workdir),
      state_(std::filesystem::absolute(state)),
      options_(std::move(options)),
      log_(log),
      environment_(without_secrets(options_.environment)),
      runs_(executor, clock, own_pool_, state),
      lease_(executor, clock, pool, own_pool_, state, runs_, workdir, log),
      exec_ids_("exec-" + std::to_string(clock.wall_now().time_since_epoch().count()) + "-"),
      ssh_(executor_, clock_, pool_, log_, options_.ssh),
      gate_(executor) {
  base::set_variable(environment_, "WORKDIR", workdir_.path());
}

Server::~Server() = default;

void Server::add_route(net::Router& router, const Route& route) {
  // Any method: the handlers answer wrong ones themselves, with 400 as the original does.
  router.add("", route.path,
             [this, route](net::Request& request, net::Response& response) { return serve(route, request, response); });
}

void Server::add_health_routes(net::Router& router) {
  add_route(router, {"/healthz", Access::anyone, Kind::question, &Server::handle_healthz});
  add_route(router, {"/metrics", Access::anyone, Kind::question, &Server::handle_metrics});
}

void Server::add_routes(net::Router& router) {
  const Route routes[] = {
      {"/", Access::anyone, Kind::question, &Server::handle_root},
      {"/healthz", Access::anyone, Kind::question, &Server::handle_healthz},
      {"/status", Access::password, Kind::question, &Server::handle_status},
      {"/workdir", Access::password, Kind::question, &Server::handle_workdir},
      {"/write", Access::password, Kind::work, &Server::handle_write},
      {"/writetgz", Access::password, Kind::work, &Server::handle_writetgz},
      {"/tgz", Access::password, Kind::work, &Server::handle_tgz},
      {"/ls", Access::password, Kind::work, &Server::handle_ls},
      {"/exec", Access::password, Kind::work, &Server::handle_exec},
      {"/removeall", Access::password, Kind::work, &Server::handle_removeall},
      {"/halt", Access::password, Kind::question, &Server::handle_halt},
      {"/lease", Access::password, Kind::question, &Server::handle_lease},
      {"/runs", Access::password, Kind::question, &Server::handle_runs},
      {"/runs/{id}", Access::password, Kind::question, &Server::handle_run},
      {"/runs/{id}/output", Access::password, Kind::question, &Server::handle_run_output},
      {"/runs/{id}/input", Access::password, Kind::question, &Server::handle_run_input},
      {"/runs/{id}/kill", Access::password, Kind::question, &Server::handle_run_signal},
      {"/runs/{id}/resize", Access::password, Kind::question, &Server::handle_run_resize},
      {"/connect-ssh", Access::password, Kind::work, &Server::handle_connect_ssh},
      {"/debug/x", Access::password, Kind::question, &Server::handle_debug_x},
      {"/debug/goroutines", Access::password, Kind::question, &Server::handle_debug_goroutines},
  };
  for (const Route& route : routes) add_route(router, route);
}

io::Task<> Server::serve(Route route, net::Request& request, net::Response& response) {
  if (route.access == Access::password) check_access(request);
  // Whoever names a lease acts for it, and not after its end.
  if (request.fields().has(kLeaseField) && route.path != std::string_view("/lease")) lease_.check(lease_of(request));
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
  for (Running* running : running_) running->end();
  for (Fetch* fetch : fetches_) fetch->cancel();
  ssh_.stop();
  co_await gate_.close();
  co_await runs_.stop();
}

void Server::check_open() const {
  if (gate_.closed()) throw io::HttpError(503, "the worker is being stopped");
}

void Server::check_access(const net::Request& request) const {
  // Only browsers send it. No web page has any business with a worker, least of all with one on a visitor's machine.
  if (request.fields().has("Origin")) throw io::HttpError(403, "a worker answers no web pages");
  if (options_.password.empty()) return;
  const auto credentials = net::basic_credentials(request.fields());
  if (!credentials || !base::constant_time_equal(credentials->password, options_.password)) {
    throw io::HttpError(403, "invalid password");
  }
}

io::Task<> Server::handle_root(net::Request&, net::Response& response) {
  std::string body = "buildlet running on " + platform() + "\n";
  co_await response.send(200, std::move(body));
}

io::Task<> Server::handle_healthz(net::Request&, net::Response& response) {
  std::string body = "ok\n";
  co_await response.send(200, std::move(body));
}

io::Task<> Server::handle_workdir(net::Request& request, net::Response& response) {
  require_method(request, "GET");
  std::string body = workdir_.path();
  co_await response.send(200, std::move(body));
}

io::Task<Form> Server::read_form(net::Request& request) {
  Form form;
  form.query = request.query();
  const std::string type = request.fields().get("Content-Type");
  if (is_multipart_form(type)) {
    const std::string body = co_await request.body().read_all(options_.max_form);
    form.body = parse_multipart_form(type, body);
  } else {
    form.body = co_await request.read_form(options_.max_form);
  }
  co_return form;
}

io::Task<> Server::handle_removeall(net::Request& request, net::Response& response) {
  require_method(request, "POST");
  const Form form = co_await read_form(request);
  const std::vector<std::string> paths = form.values("path");
  if (paths.empty()) throw io::HttpError(400, "requires 'path' parameter");
  for (const std::string& path : paths) check_path_parameter("path", path);
  auto job = [&] {
    for (const std::string& path : paths) workdir_.remove(path);
  };
  try {
    co_await pool_.run(job);
  } catch (const std::exception&) {
    throw_as_http(std::current_exception(), workdir_.path());
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
