// What followers of a log server see, for bench/maintner_follow.py.
//
//   log_follow sync URL CACHE                     fetches all that there is, once
//   log_follow wait HOST:PORT COUNT LOG ROUNDS    COUNT connections wait for news; a record is appended to the file
//   LOG;
//                                                 when has each heard of it?
#include <build/net/client.h>
#include <io/blocking_pool.h>
#include <io/clock.h>
#include <io/event_loop.h>
#include <io/tcp.h>
#include <maintner/follower.h>
#include <maintner/reclog.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sys/resource.h>

namespace {

using namespace std::chrono_literals;

double seconds(io::Duration duration) { return std::chrono::duration<double>(duration).count(); }

int sync(const std::string& url, const std::string& cache) {
  io::EventLoop loop;
  io::RealClock clock;
  io::BlockingPool pool;
  maintner::FollowerOptions options;
  options.server = url;
  options.cache = cache;
  maintner::Follower follower(loop.executor(), clock, pool, options);
  std::uint64_t bytes = 0;
  const io::Instant begin = clock.now();
  const auto task = [&]() -> io::Task<> {
    const auto list = co_await follower.next();
    bytes = list->size;
  };
  loop.run_until_done(task());
  const double took = seconds(clock.now() - begin);
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto cpu = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  std::printf("%llu bytes in %.3f s, %.0f MB/s; %.3f of processor\n", static_cast<unsigned long long>(bytes), took,
              static_cast<double>(bytes) / took / 1e6, cpu(usage.ru_utime) + cpu(usage.ru_stime));
  return 0;
}

struct Waiting {
  io::EventLoop loop;
  io::RealClock clock;
  io::HostPort server;
  std::size_t count = 0;
  std::size_t asked = 0;
  std::vector<io::Instant> heard;
};

/// Asks again and again with the size that it has heard of last.
io::Task<> follow(Waiting& all) {
  build::net::ClientLimits limits;
  limits.head_timeout = 90s;
  build::net::ClientConnection connection(co_await io::tcp_connect(all.loop.executor(), all.clock, all.server, 60s),
                                          all.clock, limits);
  std::string size = "0";
  for (bool first = true;; first = false) {
    io::RequestHead head;
    head.target = "/logs?waitsizenot=" + size;
    head.fields.add("Host", all.server.str());
    if (!first) ++all.asked;
    auto answer = co_await connection.request(std::move(head));
    if (answer.head.status != 200) continue;
    size = answer.head.fields.get("X-Sum-Segment-Size");
    if (!first) all.heard.push_back(all.clock.now());
  }
}

int wait(const std::string& server, std::size_t count, const std::string& log, int rounds) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  Waiting all;
  all.server = io::HostPort::parse(server);
  const auto fatal = [](std::exception_ptr error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& failure) {
      std::cerr << "log_follow: " << failure.what() << "\n";
      std::exit(1);
    }
  };
  maintner::RecordWriter writer(log);
  for (std::size_t i = 0; i < count; ++i) io::spawn(all.loop.executor(), follow(all), fatal);
  for (int round = 0; round < rounds; ++round) {
    const auto until_asked = [&]() -> io::Task<> {
      while (all.asked < count) co_await all.clock.sleep_for(1ms);
      co_await all.clock.sleep_for(300ms);  // all have been read, too
    };
    all.loop.run_until_done(until_asked());
    all.asked = 0;
    all.heard.clear();
    const io::Instant begin = all.clock.now();
    writer.append("\x0a\x00");
    const auto until_heard = [&]() -> io::Task<> {
      while (all.heard.size() < count) co_await all.clock.sleep_for(1ms);
    };
    all.loop.run_until_done(until_heard());
    std::sort(all.heard.begin(), all.heard.end());
    std::printf("first %.1f ms, half %.1f ms, all %.1f ms\n", seconds(all.heard.front() - begin) * 1e3,
                seconds(all.heard[count / 2] - begin) * 1e3, seconds(all.heard.back() - begin) * 1e3);
    std::fflush(stdout);
  }
  std::fflush(stdout);
  std::_Exit(0);  // the others wait on
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  try {
    if (args.size() == 3 && args[0] == "sync") return sync(args[1], args[2]);
    if (args.size() == 5 && args[0] == "wait") return wait(args[1], std::stoul(args[2]), args[3], std::stoi(args[4]));
  } catch (const std::exception& error) {
    std::cerr << "log_follow: " << error.what() << "\n";
    return 1;
  }
  std::cerr << "log_follow sync URL CACHE, or wait HOST:PORT COUNT LOG ROUNDS\n";
  return 2;
}
