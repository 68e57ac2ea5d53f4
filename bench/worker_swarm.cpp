// worker_swarm HOST:PORT FINGERPRINT HOST-TYPE KEY-FILE COUNT: many workers in one process, for bench/many_workers.py.
//
// Each registers and dials as the worker's program does (build::buildlet::ReverseWorker, with its pauses), has ids and
// a server of its own, and answers /status. None can do anything else. They begin some at a time; a coordinator that
// goes away finds them as it would find those of many machines, all at once. Runs until it is killed.
#include <build/base/file.h>
#include <build/base/ids.h>
#include <build/base/log.h>
#include <build/base/random.h>
#include <build/buildlet/reverse_worker.h>
#include <build/net/server.h>
#include <io/clock.h>
#include <io/event_loop.h>
#include <io/tcp.h>
#include <io/tls.h>
#include <revdial/listener.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include <sys/resource.h>

namespace {

using namespace build;
using namespace std::chrono_literals;

constexpr int kAtOnce = 10;
constexpr io::Duration kBetween = 25ms;
constexpr const char* kStatus =
    R"({"Version":28,"features":["runs"],"load":0.08,"cpus":2,"memoryBytes":25233412096,)"
    R"("memoryAvailableBytes":24121352192,"diskBytes":270553174016,"diskAvailableBytes":76993798144})";

void allow_many_descriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

struct Swarm {
  Swarm(const io::HostPort& coordinator, const std::string& fingerprint)
      : tls(io::trust_in("", fingerprint)),
        dial(revdial::over_tls(loop.executor(), clock, coordinator, tls, 10s, 30s)),
        log([this] { return clock.wall_now(); }, {.level = base::LogLevel::warning}) {}

  io::EventLoop loop;
  io::RealClock clock;
  base::SystemRandom random;
  io::TlsClientContext tls;
  revdial::DialServer dial;
  base::Logger log;
};

/// As the program's own in reverse mode.
net::ServerLimits http_limits() {
  net::ServerLimits limits;
  limits.write_timeout = 5min;
  limits.first_timeout = 10min;
  return limits;
}

net::Router routes() {
  net::Router router;
  router.add("GET", "/status", [](net::Request&, net::Response& response) -> io::Task<> {
    std::string body = kStatus;
    co_await response.send(200, "application/json; charset=utf-8", std::move(body));
  });
  return router;
}

struct OneWorker {
  OneWorker(Swarm& swarm, buildlet::Registration registration)
      : server(swarm.loop.executor(), swarm.clock, routes(), http_limits()),
        worker(swarm.loop.executor(), swarm.clock, swarm.random, swarm.dial, server, std::move(registration),
               swarm.log) {}

  net::Server server;
  buildlet::ReverseWorker worker;
};

void end(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "worker_swarm: %s\n", failure.what());
  }
  std::_Exit(1);
}

io::Task<> begin(Swarm& swarm, buildlet::Registration registration, int count,
                 std::vector<std::unique_ptr<OneWorker>>& workers) {
  for (int i = 0; i < count; ++i) {
    registration.hostname = "worker-" + std::to_string(i);
    registration.worker_id = base::random_id(swarm.random);
    registration.instance_id = base::random_id(swarm.random);
    workers.push_back(std::make_unique<OneWorker>(swarm, registration));
    io::Task<> run = workers.back()->worker.run();
    io::spawn(swarm.loop.executor(), std::move(run), end);
    if (i % kAtOnce == 0) co_await swarm.clock.sleep_for(kBetween);
  }
}

}  // namespace

int main(int count, char** arguments) try {
  if (count != 6) {
    std::fputs("usage: worker_swarm HOST:PORT FINGERPRINT HOST-TYPE KEY-FILE COUNT\n", stderr);
    return 2;
  }
  allow_many_descriptors();
  Swarm swarm(io::HostPort::parse(arguments[1]), arguments[2]);
  buildlet::Registration registration;
  registration.host_type = arguments[3];
  registration.key = base::read_file(arguments[4], 4096);
  while (!registration.key.empty() && registration.key.back() == '\n') registration.key.pop_back();
  registration.features = {"persistent-id", "runs"};
  std::vector<std::unique_ptr<OneWorker>> workers;
  io::Task<> beginning = begin(swarm, registration, std::atoi(arguments[5]), workers);
  io::spawn(swarm.loop.executor(), std::move(beginning), [](const std::exception_ptr& error) {
    if (error) end(error);
  });
  swarm.loop.run();
  std::_Exit(0);
} catch (const std::exception& error) {
  std::fprintf(stderr, "worker_swarm: %s\n", error.what());
  return 1;
}
