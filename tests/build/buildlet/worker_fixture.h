// A whole worker in this process: handlers, real processes, a work directory of its own; connections are pairs of
// streams in memory.
#pragma once

#include <build/base/log.h>
#include <build/base/subprocess.h>
#include <build/buildlet/client.h>
#include <build/buildlet/server.h>
#include <build/buildlet/work_directory.h>
#include <build/net/server.h>
#include <io/blocking_pool.h>
#include <io/clock.h>
#include <io/event_loop.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "build/buildlet/processes.h"
#include "support/supervisor.h"
#include "support/support.h"

namespace testing {

struct WorkerFixture {
  explicit WorkerFixture(build::buildlet::ServerOptions options = default_options())
      : workdir(temp / "workdir", temp / "work-directories", build::buildlet::WorkDirectory::Found::keep),
        server(loop.executor(), clock, pool, workdir, temp.path(), std::move(options), log),
        http(loop.executor(), clock, routes(), {}, [this](const std::string& line) { http_log.push_back(line); }) {}

  ~WorkerFixture() {
    loop.run_until_done(server.stop());
    loop.run_until_done(http.stop());
  }

  static build::buildlet::ServerOptions default_options() {
    build::buildlet::ServerOptions options;
    options.environment = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/nonexistent", "LANG=C"};
    return options;
  }

  build::net::Router routes() {
    build::net::Router router;
    server.add_routes(router);
    return router;
  }

  /// A connection, served by the worker.
  io::StreamPtr connect() {
    io::StreamPair pair = io::make_memory_pair(loop.executor());
    io::spawn(loop.executor(), http.serve(std::move(pair.second)), [](std::exception_ptr) {});
    return std::move(pair.first);
  }

  io::Task<io::StreamPtr> dial() { co_return connect(); }

  build::buildlet::Worker client(build::buildlet::WorkerLimits limits = {}) {
    return build::buildlet::Worker(
        clock, [this] { return dial(); }, "worker-1", limits);
  }

  /// Runs the loop until `condition` holds, for at most ten seconds.
  template <typename F>
  bool wait_until(F condition) {
    const io::Instant end = clock.now() + std::chrono::seconds{10};
    while (!condition()) {
      if (clock.now() > end) return false;
      loop.run_until_done(clock.sleep_for(std::chrono::milliseconds{1}));
    }
    return true;
  }

  TempDir temp;
  io::EventLoop loop;
  io::RealClock clock;
  io::BlockingPool pool;
  std::vector<std::string> lines;
  std::vector<std::string> http_log;
  build::base::Logger log{[this] { return clock.wall_now(); },
                          [this](std::string_view line) { lines.emplace_back(line); }};
  build::buildlet::WorkDirectory workdir;
  build::buildlet::Server server;
  build::net::Server http;
};

struct Followed {
  std::string output;
  build::buildlet::RunResult result;
};

/// Follows a run to its end, behind the output that is there already.
inline io::Task<Followed> follow_all(build::buildlet::Run& run, std::string output = {}) {
  Followed followed{std::move(output), {}};
  std::string buffer(16 * 1024, '\0');
  while (true) {
    const io::asio::mutable_buffer into = io::asio::buffer(buffer);
    const std::size_t n = (co_await run.follow(followed.output.size(), into)).size;
    if (n == 0) break;
    followed.output.append(buffer, 0, n);
  }
  followed.result = co_await run.result();
  co_return followed;
}

/// A body of these bytes.
inline build::buildlet::BodySource source_of(std::string bytes) {
  return
      [bytes = std::move(bytes), at = std::size_t{0}](io::asio::mutable_buffer into) mutable -> io::Task<std::size_t> {
        const std::size_t n = std::min(into.size(), bytes.size() - at);
        std::memcpy(into.data(), bytes.data() + at, n);
        at += n;
        co_return n;
      };
}

/// Awaits `task` and keeps what it gave.
template <typename T>
T value_of(io::EventLoop& loop, io::Task<T> task) {
  std::optional<T> kept;
  auto keep = [](io::Task<T> inner, std::optional<T>& into) -> io::Task<> { into.emplace(co_await std::move(inner)); };
  loop.run_until_done(keep(std::move(task), kept));
  return std::move(*kept);
}

inline build::buildlet::RunSpec shell(const std::string& script) {
  build::buildlet::RunSpec spec;
  spec.cmd = "/bin/sh";
  spec.args = {"-c", script};
  spec.level = build::buildlet::RunSpec::Level::system;
  return spec;
}

}  // namespace testing
