#include <build/base/environment.h>
#include <build/buildlet/server.h>

#include <exception>
#include <memory>
#include <string>
#include <utility>

namespace build::buildlet {

namespace {

constexpr const char* kSwitch = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: ssh\r\nConnection: Upgrade\r\n\r\n";

// Of what commands get, what a person at a prompt wants, too.
base::Environment session_environment(const base::Environment& children) {
  base::Environment environment;
  for (const char* name : {"WORKDIR", "PATH", "GOROOT_BOOTSTRAP"}) {
    if (const auto value = base::find_variable(children, name)) base::set_variable(environment, name, *value);
  }
  return environment;
}

}  // namespace

io::Task<> Server::handle_connect_ssh(net::Request& request, net::Response& response) {
  if (request.method() != "POST") throw io::HttpError(400, "requires POST method");
  if (!request.body().ended()) throw io::HttpError(400, "requires zero Content-Length");
  SshRequest asked = parse_ssh_request(request.fields());
  base::Environment environment = session_environment(environment_);
  auto visit = co_await ssh_.open(std::move(asked), std::move(environment));
  std::string head = kSwitch;
  io::StreamPtr client = co_await response.hijack(std::move(head));
  // For a drain, and for whoever waits until nothing runs here, it is work like any other.
  io::Task<> served = serve_ssh(std::move(visit), std::move(client), gate_.enter());
  io::spawn(executor_, std::move(served), [this](std::exception_ptr error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& bad) {
      log_.warning("an ssh connection failed", {{"why", bad.what()}});
    }
  });
}

io::Task<> Server::serve_ssh(std::shared_ptr<SshDoor::Visit> visit, io::StreamPtr client, io::Gate::Pass) {
  co_await ssh_.serve(std::move(visit), std::move(client));
  last_work_ = clock_.now();
}

}  // namespace build::buildlet
