// What a dial costs: revdial [--rounds N] [--workers N]
//
// A second process is the worker. It also listens, with TLS, on a port of its own: that is what is compared with, in
// turns and in the same run. A request is a small GET, whose answer is a line. Targets: a dial that finds a connection
// ready, with its request, takes at most 1.3 times as long as a request on a connection that is there already; one that
// finds none, at most 1.2 times as long as connecting (TCP, TLS 1.3) and a request; bytes come through a dialed
// connection at 0.95 of the speed at least. Then thousands of idle workers, each with its control channel and a ready
// connection, say what one costs in memory here: at most 64 KiB.
#include <io/event.h>
#include <io/event_loop.h>
#include <io/secret.h>
#include <io/tcp.h>
#include <io/tls.h>
#include <revdial/listener.h>
#include <revdial/server.h>
#include <revdial/switch.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace std::chrono_literals;

constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
constexpr std::size_t kManyBytes = 64 * 1024 * 1024;
constexpr std::size_t kPiece = 64 * 1024;

struct Program {
  io::EventLoop loop;
  io::RealClock clock;

  io::Executor executor() { return loop.executor(); }
  void start(io::Task<> task) {
    io::spawn(executor(), std::move(task), [](std::exception_ptr error) {
      try {
        std::rethrow_exception(error);
      } catch (const boost::system::system_error&) {
        // Connections end.
      } catch (const std::exception& failure) {
        std::cerr << "revdial bench: " << failure.what() << "\n";
        std::_Exit(1);
      }
    });
  }
};

void allow_many_descriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// ---- the worker ----

/// Answers requests until the client ends.
io::Task<> answer(io::StreamPtr stream) {
  std::string request;
  for (;;) {
    std::array<char, 512> piece;
    const auto room = io::asio::buffer(piece);
    const std::size_t count = co_await stream->read_some(room);
    if (count == 0) co_return;
    request.append(piece.data(), count);
    if (!request.ends_with("\r\n\r\n")) continue;
    if (request.starts_with("GET /many")) {
      const std::string much(kPiece, 'm');
      for (std::size_t sent = 0; sent < kManyBytes; sent += much.size()) co_await stream->write(much);
    } else {
      co_await stream->write(kAnswer);
    }
    request.clear();
  }
}

io::Task<> listen(Program& program, io::TcpListener& tcp, const io::TlsServerContext& tls) {
  const auto serve = [](io::StreamPtr transport, const io::TlsServerContext& with, io::Clock& clock) -> io::Task<> {
    io::StreamPtr stream = co_await with.accept(std::move(transport), clock, 10s);
    co_await answer(std::move(stream));
  };
  for (;;) {
    io::StreamPtr transport = co_await tcp.accept(program.clock);
    program.start(serve(std::move(transport), tls, program.clock));
  }
}

io::Task<> work(Program& program, revdial::DialServer dial, std::string port) {
  io::StreamPtr stream = co_await dial();
  io::RequestHead request = revdial::switch_request("/reverse");
  request.fields.add("X-Port", port);
  io::StreamPtr control = co_await revdial::switch_protocols(std::move(stream), std::move(request), program.clock, 10s);
  revdial::Listener listener(std::move(control), dial, program.clock);
  listener.async_run([](const std::exception_ptr&, const revdial::SessionEnd&) {});
  while (io::StreamPtr connection = co_await listener.accept()) program.start(answer(std::move(connection)));
}

io::CertificatePem new_identity(const io::Clock& clock) {
  return io::make_self_signed("bench", {"127.0.0.1"}, clock.wall_now() - 1h, std::chrono::days(2));
}

/// `workers` of them, one after another, until the server ends their sessions.
int run_worker(const std::string& port, const std::string& fingerprint, int workers) {
  Program program;
  const io::TlsClientContext client_tls(io::trust_in("", fingerprint));
  const revdial::DialServer dial =
      revdial::over_tls(program.executor(), program.clock, io::HostPort{"127.0.0.1", port}, client_tls);
  const io::TlsServerContext tls(new_identity(program.clock));
  io::TcpListener tcp(program.executor(), io::HostPort{"127.0.0.1", "0"});
  program.start(listen(program, tcp, tls));
  const auto all = [&]() -> io::Task<> {
    const std::string own_port = std::to_string(tcp.port());
    for (int i = 1; i < workers; ++i) {
      program.start(work(program, dial, own_port));
      if (i % 8 == 0) co_await program.clock.sleep_for(25ms);
    }
    co_await work(program, dial, own_port);
  };
  program.loop.run_until_done(all());
  return 0;
}

// ---- the server, which measures ----

class WorkerProcess {
 public:
  WorkerProcess(std::uint16_t port, const std::string& fingerprint, int workers) {
    std::array<std::string, 5> args{"/proc/self/exe", "--worker", std::to_string(port), fingerprint,
                                    std::to_string(workers)};
    std::array<char*, 6> argv{};
    for (std::size_t i = 0; i < args.size(); ++i) argv[i] = args[i].data();
    if (::posix_spawn(&id_, "/proc/self/exe", nullptr, nullptr, argv.data(), environ) != 0) std::abort();
  }
  ~WorkerProcess() {
    ::kill(id_, SIGKILL);
    ::waitpid(id_, nullptr, 0);
  }
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

 private:
  pid_t id_ = 0;
};

struct Server {
  explicit Server(Program& program)
      : identity(new_identity(program.clock)),
        tls(identity),
        tcp(program.executor(), io::HostPort{"127.0.0.1", "0"}),
        changed(program.executor()),
        server(program.executor(), program.clock, tls, options()) {
    program.start(server.serve(tcp));
  }

  revdial::ServerOptions options() {
    revdial::ServerOptions options;
    options.dialer.random = io::system_random;
    options.dialer.max_ready = 1;
    options.dialer.ready_period = 1h;
    options.admit = [](const io::RequestHead&) { return std::string(); };
    options.max_sessions = 100'000;
    options.on_session = [this](const io::RequestHead& head, std::shared_ptr<revdial::Dialer> dialer) {
      workers_port = head.fields.get("X-Port");
      dialers.push_back(std::move(dialer));
      changed.notify_all();
    };
    return options;
  }

  io::CertificatePem identity;
  io::TlsServerContext tls;
  io::TcpListener tcp;
  io::Event changed;
  std::string workers_port;
  std::vector<std::shared_ptr<revdial::Dialer>> dialers;
  revdial::Server server;
};

double seconds(io::Duration time) { return std::chrono::duration<double>(time).count(); }

double percentile(std::vector<double> values, double fraction) {
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, static_cast<std::size_t>(fraction * static_cast<double>(values.size())))];
}

io::Task<> ask(io::ByteStream& stream) {
  const std::string_view request = "GET /status HTTP/1.1\r\nHost: worker\r\n\r\n";
  co_await stream.write(request);
  std::size_t got = 0;
  while (got < kAnswer.size()) {
    std::array<char, 512> piece;
    const auto room = io::asio::buffer(piece);
    const std::size_t count = co_await stream.read_some(room);
    if (count == 0) throw std::runtime_error("a connection ended");
    got += count;
  }
}

io::Task<> ask_for_many(io::ByteStream& stream) {
  const std::string_view request = "GET /many HTTP/1.1\r\nHost: worker\r\n\r\n";
  co_await stream.write(request);
  std::vector<char> piece(kPiece);
  for (std::size_t got = 0; got < kManyBytes;) {
    const auto room = io::asio::buffer(piece);
    const std::size_t count = co_await stream.read_some(room);
    if (count == 0) throw std::runtime_error("a connection ended");
    got += count;
  }
}

/// Ours and what it is compared with, taken in turns.
struct Pair {
  std::vector<double> ours, theirs;

  /// Of the medians; and the middle half of what the pairs say, one by one.
  void report(const char* what, const char* to, double unit, const char* unit_name, double limit, bool at_most) const {
    const double ratio = percentile(ours, 0.5) / percentile(theirs, 0.5);
    std::vector<double> ratios;
    for (std::size_t i = 0; i < ours.size(); ++i) ratios.push_back(ours[i] / theirs[i]);
    const bool good = at_most ? ratio <= limit : ratio >= limit;
    std::printf("%s: %.4g %s, %s: %.4g %s; %.2f times (middle half %.2f to %.2f): %s %.2f\n", what,
                percentile(ours, 0.5) * unit, unit_name, to, percentile(theirs, 0.5) * unit, unit_name, ratio,
                percentile(ratios, 0.25), percentile(ratios, 0.75), good ? "within" : "MISSES", limit);
  }
};

class Measurement {
 public:
  Measurement(Program& program, Server& server) : program_(program), server_(server) {}

  io::Task<> run(int rounds) {
    while (server_.dialers.empty()) co_await server_.changed.wait();
    revdial::Dialer& dialer = *server_.dialers.front();
    const io::TlsTrust trust{.kind = io::TlsTrust::Kind::anyone};
    const io::TlsClientContext tls(trust);
    const revdial::DialServer connect =
        revdial::over_tls(program_.executor(), program_.clock, io::HostPort{"127.0.0.1", server_.workers_port}, tls);
    kept_ = co_await connect();
    awake_ = co_await connect();
    co_await ask(*kept_);
    io::StreamPtr first = co_await dialer.dial(10s);
    for (int i = 0; i < rounds; ++i) {
      co_await wait_until_ready(dialer);
      co_await take(ready_, i, ask(*kept_), dial_and_ask(dialer, revdial::DialOptions::Source::any));
      co_await wait_until_ready(dialer);
      co_await take(cold_, i, connect_and_ask(connect), dial_and_ask(dialer, revdial::DialOptions::Source::fresh));
    }
    for (int i = 0; i < std::max(6, rounds / 10); ++i) {
      io::StreamPtr stream = co_await dialer.dial(10s);
      co_await wait_until_ready(dialer);
      co_await take(bytes_, i, ask_for_many(*kept_), ask_for_many(*stream));
    }
    if (not_ready_ > 0) std::printf("%d dials found nothing ready\n", not_ready_);
    ready_.report("ready dial and request", "request", 1e6, "us", 1.3, true);
    cold_.report("cold dial and request", "connect and request", 1e6, "us", 1.2, true);
    for (std::vector<double>* times : {&bytes_.ours, &bytes_.theirs}) {
      for (double& each : *times) each = static_cast<double>(kManyBytes) / each;
    }
    bytes_.report("bytes through a dialed connection", "through TLS", 1e-6, "MB/s", 0.95, false);
  }

 private:
  /// And until what was begun for that is over on the worker's side, too.
  io::Task<> wait_until_ready(revdial::Dialer& dialer) {
    while (dialer.ready() == 0) co_await program_.clock.sleep_for(1ms);
    co_await program_.clock.sleep_for(2ms);
  }

  /// Both, one right after the other, with the first place going round.
  io::Task<> take(Pair& pair, int round, io::Task<> theirs, io::Task<> ours) {
    used_.clear();
    // Both processes are awake, and neither of the two connections is fresher than the other in any cache.
    for (int i = 0; i < 3; ++i) co_await ask(*awake_);
    if (round % 2 == 0) pair.theirs.push_back(co_await timed(std::move(theirs)));
    pair.ours.push_back(co_await timed(std::move(ours)));
    if (round % 2 != 0) pair.theirs.push_back(co_await timed(std::move(theirs)));
  }

  io::Task<double> timed(io::Task<> task) {
    const io::Instant begin = program_.clock.now();
    co_await std::move(task);
    co_return seconds(program_.clock.now() - begin);
  }

  io::Task<> dial_and_ask(revdial::Dialer& dialer, revdial::DialOptions::Source source) {
    const revdial::DialOptions options{.source = source};
    revdial::Dialed dialed = co_await dialer.dial(options);
    if (source == revdial::DialOptions::Source::any && !dialed.was_ready) ++not_ready_;
    co_await ask(*dialed.stream);
    used_.push_back(std::move(dialed.stream));
  }

  io::Task<> connect_and_ask(const revdial::DialServer& connect) {
    io::StreamPtr stream = co_await connect();
    co_await ask(*stream);
    used_.push_back(std::move(stream));
  }

  Program& program_;
  Server& server_;
  io::StreamPtr kept_, awake_;
  std::vector<io::StreamPtr> used_;  // closing them is not measured
  Pair ready_, cold_, bytes_;
  int not_ready_ = 0;
};

double resident_kib() {
  std::ifstream file("/proc/self/statm");
  double total = 0, resident = 0;
  file >> total >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE)) / 1024;
}

io::Task<> measure_memory(Program& program, Server& server, int workers, double before) {
  const auto dial_once = [](std::shared_ptr<revdial::Dialer> dialer) -> io::Task<> {
    io::StreamPtr stream = co_await dialer->dial(120s);
    co_await ask(*stream);
  };
  for (std::size_t known = 0; known < static_cast<std::size_t>(workers);) {
    while (server.dialers.size() == known) co_await server.changed.wait();
    program.start(dial_once(server.dialers[known++]));
  }
  const auto all_ready = [&] {
    return std::all_of(server.dialers.begin(), server.dialers.end(), [](const auto& d) { return d->ready() == 1; });
  };
  for (int i = 0; i < 600 && !all_ready(); ++i) co_await program.clock.sleep_for(100ms);
  const double each = (resident_kib() - before) / workers;
  std::printf("an idle worker: %.1f KiB, of %d with a control channel and a ready connection each%s: %s 64\n", each,
              workers, all_ready() ? "" : " (NOT ALL READY)", each <= 64 ? "within" : "MISSES");
}

int number_after(int count, char** args, const char* flag, int otherwise) {
  for (int i = 1; i + 1 < count; ++i)
    if (std::strcmp(args[i], flag) == 0) return std::atoi(args[i + 1]);
  return otherwise;
}

}  // namespace

int main(int count, char** args) try {
  allow_many_descriptors();
  if (count == 5 && std::strcmp(args[1], "--worker") == 0) return run_worker(args[2], args[3], std::atoi(args[4]));
  if (const int rounds = number_after(count, args, "--rounds", 300); rounds > 0) {
    Program program;
    Server server(program);
    const WorkerProcess worker(server.tcp.port(), io::fingerprint_of(server.identity.certificate), 1);
    Measurement measurement(program, server);
    program.loop.run_until_done(measurement.run(rounds));
  }
  if (const int workers = number_after(count, args, "--workers", 4000); workers > 0) {
    Program program;
    Server server(program);
    const double before = resident_kib();
    const WorkerProcess worker(server.tcp.port(), io::fingerprint_of(server.identity.certificate), workers);
    program.loop.run_until_done(measure_memory(program, server, workers, before));
  }
  return 0;
} catch (const std::exception& error) {
  std::cerr << "revdial bench: " << error.what() << "\n";
  return 1;
}
