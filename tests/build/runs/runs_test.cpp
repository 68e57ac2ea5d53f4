// Real commands under real supervisors: this program is its own supervisor (support/supervisor.h).
#include <build/runs/lease_file.h>
#include <build/runs/runs.h>
#include <io/event_loop.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "build/runs/processes.h"
#include "support/supervisor.h"
#include "support/support.h"

using namespace build;
using namespace build::runs;
using namespace std::chrono_literals;

namespace {

/// The id of a run whose supervisor stops as it makes the run's directory, until it gets SIGCONT.
constexpr const char* kSilent = "silent-supervisor";

struct World {
  World() { restart(); }
  ~World() {
    if (!runs) return;
    loop.run_until_done(runs->forget_all([](const Run&) { return true; }, "the test is over"));
    loop.run_until_done(runs->stop());
  }

  /// As if the worker's program ended and was started again.
  void restart() {
    if (runs) loop.run_until_done(runs->stop());
    runs.reset();
    runs = std::make_unique<Runs>(loop.executor(), clock, pool, temp.path());
  }

  template <typename T>
  T value_of(io::Task<T> task) {
    std::optional<T> kept;
    auto keep = [](io::Task<T> inner, std::optional<T>& into) -> io::Task<> {
      into.emplace(co_await std::move(inner));
    };
    loop.run_until_done(keep(std::move(task), kept));
    return std::move(*kept);
  }

  std::shared_ptr<Run> start(Command command) { return value_of(runs->start(std::move(command))); }
  std::shared_ptr<Run> shell(const std::string& id, const std::string& script) {
    return start(testing::shell_command(id, script, temp.path()));
  }

  /// Reads on until the output has at least so many bytes from `from` on, or is over.
  std::string output(const std::shared_ptr<Run>& run, std::uint64_t from = 0, std::size_t enough = -1) {
    Output following(run);
    std::string text, buffer(4096, '\0');
    while (text.size() < enough) {
      const io::asio::mutable_buffer into = io::asio::buffer(buffer);
      const SpoolReader::Piece piece = value_of(following.read(from + text.size(), into));
      if (piece.size == 0) break;
      REQUIRE(piece.offset == from + text.size());
      text.append(buffer, 0, piece.size);
    }
    return text;
  }

  Result result(const std::shared_ptr<Run>& run) {
    loop.run_until_done(run->over());
    return run->result().value();
  }

  template <typename F>
  bool wait_until(F condition) {
    const io::Instant end = clock.now() + 10s;
    while (!condition()) {
      if (clock.now() > end) return false;
      loop.run_until_done(clock.sleep_for(1ms));
    }
    return true;
  }

  testing::TempDir temp;
  io::EventLoop loop;
  io::RealClock clock;
  io::BlockingPool pool;
  std::unique_ptr<Runs> runs;
};

}  // namespace

/// Instead of the C library's, in this program.
extern "C" int mkdirat(int directory, const char* name, mode_t mode) noexcept {
  if (std::string_view(name).ends_with(kSilent)) ::raise(SIGSTOP);
  return static_cast<int>(::syscall(SYS_mkdirat, directory, name, mode));
}

TEST_CASE("a run's output, exit code and use are known when it is over, and it is gone") {
  World world;
  const auto run = world.shell("r", "echo out; echo err >&2; exit 3");
  CHECK(world.output(run) == "out\nerr\n");
  const Result result = world.result(run);
  CHECK(result.ending == Ending::exited);
  CHECK(result.code == 3);
  CHECK(result.text == "exit status 3");
  CHECK(result.killed.empty());
  CHECK(result.wall > 0us);
  CHECK(result.peak_memory > 100'000);
  world.loop.run_until_done(run->gone());
}

TEST_CASE("a command that cannot be started says why, as Go does") {
  World world;
  Command command = testing::shell_command("a", "", world.temp.path());
  command.program = "/nonexistent/x";
  CHECK(world.result(world.start(command)).text == "fork/exec /nonexistent/x: no such file or directory");
  command = testing::shell_command("b", "", world.temp.path());
  command.directory = "/nonexistent";
  const Result result = world.result(world.start(command));
  CHECK(result.ending == Ending::not_started);
  CHECK(result.text == "chdir /nonexistent: no such file or directory");
  command = testing::shell_command("c", "", world.temp.path());
  command.user = "nobody-of-this-name";
  CHECK(world.result(world.start(command)).text.find("nobody-of-this-name") != std::string::npos);
}

TEST_CASE("a signal that ends the command is told") {
  World world;
  const Result result = world.result(world.shell("r", "kill -SEGV $$"));
  CHECK(result.ending == Ending::signaled);
  CHECK(result.signal == SIGSEGV);
  CHECK(result.text.starts_with("signal: segmentation fault"));
}

TEST_CASE("killing a run kills every process that came of it, however it hid, and none of another run") {
  World world;
  const auto first = world.start(testing::daemon_command("first", world.temp.path()));
  const auto second = world.start(testing::daemon_command("second", world.temp.path()));
  REQUIRE(world.wait_until([] { return testing::processes_named("first").size() == 2; }));
  REQUIRE(world.wait_until([] { return testing::processes_named("second").size() == 2; }));
  SUBCASE("when somebody asks for it") {
    first->kill("somebody asked for it");
    CHECK(world.result(first).killed == "somebody asked for it");
  }
  SUBCASE("when it is deleted") { world.loop.run_until_done(world.runs->forget(first, "it was deleted")); }
  SUBCASE("also when the worker's program was started anew in between") {
    world.restart();
    const auto again = world.runs->find("first");
    REQUIRE(again);
    again->kill("somebody asked for it");
    world.loop.run_until_done(again->gone());
  }
  SUBCASE("when its supervisor is asked to end, as a machine's shutdown does") {
    ::kill(testing::supervisor_of("first"), SIGTERM);
    world.result(first);
  }
  CHECK(world.wait_until([] { return testing::processes_named("first").empty(); }));
  CHECK(testing::processes_named("second").size() == 2);
}

TEST_CASE("a time limit ends every process that came of the run, too") {
  World world;
  Command command = testing::daemon_command("limited", world.temp.path());
  command.time_limit = 4s;
  const auto run = world.start(command);
  REQUIRE(world.wait_until([] { return testing::processes_named("limited").size() == 2; }));
  CHECK(world.result(run).killed == "the time limit of 4 s was exceeded");
  CHECK(world.wait_until([] { return testing::processes_named("limited").empty(); }));
}

TEST_CASE("what a command leaves behind goes on, is killed with the run, and does not keep its output open for ever") {
  World world;
  SUBCASE("with its own output") {
    const auto run = world.shell("r", "(sleep 1000 >/dev/null 2>&1 &) ; echo done");
    CHECK(world.output(run) == "done\n");
    CHECK(world.result(run).ok());
    CHECK(run->supervised());
    world.loop.run_until_done(world.runs->forget(run, "it was deleted"));
    CHECK_FALSE(run->supervised());
  }
  SUBCASE("with the command's output, for as long as is allowed") {
    Command command = testing::shell_command("r", "(sleep 1000 &) ; echo done", world.temp.path());
    command.linger = 50ms;
    const auto run = world.start(command);
    CHECK(world.output(run) == "done\n");
    CHECK(world.result(run).ok());
  }
}

TEST_CASE("limits end a run, and the result says which") {
  World world;
  Command command = testing::shell_command("r", "while :; do echo x; sleep 0.01; done", world.temp.path());
  SUBCASE("time") {
    command.time_limit = 100ms;
    CHECK(world.result(world.start(command)).killed == "the time limit of 0.1 s was exceeded");
  }
  SUBCASE("silence") {
    command.argv[2] = "echo x; sleep 1000";
    command.silence_limit = 100ms;
    const Result result = world.result(world.start(command));
    CHECK(result.killed == "it printed nothing for 0.1 s");
    CHECK(result.text == "signal: killed");
    CHECK_FALSE(result.ok());
  }
  SUBCASE("silence is counted from the last output") {
    command.silence_limit = 2s;
    command.argv[2] = "for i in 1 2 3 4 5; do echo x; sleep 0.01; done";
    CHECK(world.result(world.start(command)).ok());
  }
}

TEST_CASE("output past the cap keeps its beginning and its end") {
  World world;
  Command command = testing::shell_command("r", "seq 1 400000", world.temp.path());
  command.output_cap = 1 << 20;
  const auto run = world.start(command);
  CHECK(world.result(run).ok());
  const SpoolReader::Gap gap = run->output_gap();
  CHECK(gap.begin == (1 << 20) * 3 / 4);
  CHECK(run->output_size() == 2688895);
  CHECK(gap.end == run->output_size() - (1 << 18));
  CHECK(world.output(run, gap.end).ends_with("\n399999\n400000\n"));
}

TEST_CASE("a command that is nobody's but its reader's waits for it, and nothing of its output is left out") {
  World world;
  int last = 0;
  SUBCASE("it prints on for long") { last = 400'000; }
  SUBCASE("it has ended, with more printed than was taken") { last = 200'000; }
  CAPTURE(last);
  Command command = testing::shell_command("r", "seq 1 " + std::to_string(last), world.temp.path());
  command.output_cap = 1 << 20;
  command.ephemeral = true;
  command.linger = 50ms;
  command.silence_limit = 50ms;
  const auto run = world.start(command);
  CHECK(world.wait_until([&] { return run->output_size() == command.output_cap; }));
  // Meanwhile another one is killed that may be silent for twice as long.
  Command silent = testing::shell_command("silent", "sleep 1000", world.temp.path());
  silent.silence_limit = 2 * command.silence_limit;
  CHECK(world.result(world.start(silent)).killed == "it printed nothing for 0.1 s");
  CHECK_FALSE(run->result());
  std::string printed;
  for (int i = 1; i <= last; ++i) printed += std::to_string(i) + "\n";
  CHECK(world.output(run) == printed);
  const Result result = world.result(run);
  CHECK_MESSAGE(result.ok(), result.text, result.killed);
}

TEST_CASE("a command that waits for its reader is killed like any other") {
  World world;
  Command command = testing::shell_command("r", "yes", world.temp.path());
  command.output_cap = 1 << 20;
  command.ephemeral = true;
  const auto run = world.start(command);
  CHECK(world.wait_until([&] { return run->output_size() == command.output_cap; }));
  run->kill("enough");
  CHECK(world.result(run).killed == "enough");
  world.loop.run_until_done(run->gone());
}

TEST_CASE("a run goes on when the worker's program ends, and the next one finds it where it was") {
  World world;
  const auto before = world.shell("r", "echo $$; while [ ! -e go ]; do sleep 0.01; done; echo $$");
  const std::string pid = world.output(before, 0, 2);
  world.restart();
  const auto after = world.runs->find("r");
  REQUIRE(after);
  CHECK_FALSE(after->result().has_value());
  testing::write_file(world.temp / "go", "");
  CHECK(world.output(after, pid.size()) == pid);
  CHECK(world.result(after).ok());
  SUBCASE("also when it is over by then, however often it is looked for") {
    world.restart();
    world.restart();
    const auto late = world.runs->find("r");
    REQUIRE(late);
    CHECK(world.output(late) == pid + pid);
    CHECK(world.result(late).ok());
  }
}

TEST_CASE("a run that is nobody's but a connection's is killed by the next program that finds it") {
  World world;
  Command command = testing::daemon_command("lonely", world.temp.path());
  command.ephemeral = true;
  world.start(command);
  REQUIRE(world.wait_until([] { return testing::processes_named("lonely").size() == 2; }));
  world.restart();
  CHECK(world.wait_until([] { return testing::processes_named("lonely").empty(); }));
  CHECK(world.wait_until([&] { return !world.runs->find("lonely"); }));
}

TEST_CASE("asking for the same run again gives the same run; asking for another one of its id is refused") {
  World world;
  Command command = testing::shell_command("r", "echo $$; sleep 1000", world.temp.path());
  command.request = "this";
  const auto first = world.start(command);
  CHECK(world.start(command) == first);
  command.request = "that";
  CHECK_THROWS_WITH_AS(world.start(command), "there is a run r already, of another command", RunError);
  world.restart();
  command.request = "this";
  CHECK(world.output(world.start(command), 0, 2) == world.output(world.runs->find("r"), 0, 2));
}

TEST_CASE("a supervisor that dies loses its run, and says so") {
  World world;
  const auto run = world.start(testing::daemon_command("victim", world.temp.path()));
  REQUIRE(world.wait_until([] { return testing::processes_named("victim").size() == 2; }));
  const std::vector<pid_t> left = testing::processes_named("victim");
  ::kill(testing::supervisor_of("victim"), SIGKILL);
  const Result result = world.result(run);
  CHECK(result.ending == Ending::lost);
  CHECK(result.text == "its supervisor died");
  for (const pid_t pid : left) ::kill(pid, SIGKILL);  // nobody looks after those any more
}

TEST_CASE("when the process that begins supervisors is killed runs go on, and the next one finds another") {
  World world;
  const auto before = world.shell("before", "until [ -e go ]; do sleep 0.01; done; echo went on");
  const pid_t server = testing::fork_server();
  REQUIRE(server > 0);
  ::kill(server, SIGKILL);
  CHECK(world.wait_until([&] { return testing::fork_server() == 0; }));
  // There may be a supervisor for one more already.
  for (const std::string id : {"next", "after"}) CHECK(world.output(world.shell(id, "echo begun")) == "begun\n");
  CHECK(testing::fork_server() > 0);
  testing::write_file(world.temp / "go", "");
  CHECK(world.output(before) == "went on\n");
  CHECK(world.result(before).ok());
}

TEST_CASE("a directory in which no run was begun is cleared away") {
  World world;
  world.loop.run_until_done(world.runs->stop());
  world.runs.reset();
  const auto runs = world.temp / "runs";
  std::filesystem::path path = runs / "half";
  SUBCASE("empty") {}
  SUBCASE("with half a command") { testing::write_file(path / "command", "{"); }
  SUBCASE("one that was still being made") {
    path = runs / ".new-half";
    testing::write_file(path / "command", to_json(testing::shell_command("half", "", "/")));
  }
  SUBCASE("one that could not be cleared away before") {
    path = runs / ".away.new-half";
    std::filesystem::create_directories(runs / ".new-half");
  }
  std::filesystem::create_directories(path);
  world.restart();
  CHECK(std::filesystem::is_empty(runs));
  CHECK(world.runs->all().empty());
}

TEST_CASE("a run whose worker is killed before it has begun does not begin") {
  testing::TempDir temp;
  const auto marker = temp / "marker";
  const pid_t worker = ::fork();
  REQUIRE(worker >= 0);
  if (worker == 0) {
    io::EventLoop loop;
    io::RealClock clock;
    io::BlockingPool pool;
    Runs runs(loop.executor(), clock, pool, temp.path());
    auto begin = [](Runs& these, Command command) -> io::Task<> { co_await these.start(std::move(command)); };
    const std::string script = "echo begun >" + marker.string();
    loop.run_until_done(begin(runs, testing::shell_command(kSilent, script, "/")));
    ::_exit(0);
  }
  World world;
  const auto supervisor = [&] { return testing::forked_by(testing::forked_by(worker), 'T'); };
  REQUIRE(world.wait_until([&] { return supervisor() > 0; }));
  const pid_t stopped = supervisor();
  ::kill(worker, SIGKILL);
  ::waitpid(worker, nullptr, 0);
  ::kill(stopped, SIGCONT);
  CHECK(world.wait_until([&] { return testing::proc_file(stopped, "stat").empty(); }));
  CHECK_FALSE(std::filesystem::exists(temp / "runs" / kSilent));
  Runs later(world.loop.executor(), world.clock, world.pool, temp.path());
  CHECK(std::filesystem::is_empty(temp / "runs"));
  CHECK_FALSE(std::filesystem::exists(marker));
  world.loop.run_until_done(later.stop());
}

TEST_CASE("input is handed on as fast as it is read, and ends when it is ended") {
  World world;
  Command command = testing::shell_command("r", "cat; echo end", world.temp.path());
  command.input = true;
  const auto run = world.start(command);
  Input input(run);
  std::string sent;
  for (int i = 0; i < 20; ++i) {
    const std::string piece(32 * 1024, static_cast<char>('a' + i));
    CHECK(world.value_of(input.write(piece)).empty());
    sent += piece;
  }
  CHECK(world.value_of(input.end()).empty());
  CHECK(world.output(run) == sent + "end\n");
  world.loop.run_until_done(run->gone());
  CHECK(world.value_of(input.write("late")) == "the run is over");
}

TEST_CASE("a command that has no input, or reads none of it, is told from one that does") {
  World world;
  CHECK(world.value_of(Input(world.shell("a", "sleep 1000")).write("x")) == "the command reads nothing");
  Command command = testing::shell_command("b", "exec <&-; sleep 1000", world.temp.path());
  command.input = true;
  const auto run = world.start(command);
  CHECK(world.wait_until([&] { return world.value_of(Input(run).write("x")) != ""; }));
}

TEST_CASE("input that the command does not read holds nobody who has given up, and is not mixed with another's") {
  World world;
  Command command = testing::shell_command("r", "until [ -e go ]; do sleep 0.01; done; cat", world.temp.path());
  command.input = true;
  const auto run = world.start(command);
  const std::string piece(32 * 1024, 'x');
  Input first(run), second(run);
  // What the pipe holds, and one piece more.
  CHECK(world.value_of(first.write(piece)).empty());
  CHECK(world.value_of(first.write(piece)).empty());
  io::asio::post(world.loop.executor(), [&first] { first.cancel(); });
  CHECK(world.value_of(first.write(piece)) == "nobody waits for it any more");
  CHECK(world.value_of(second.write("y")) == "somebody else is writing to it");
  testing::write_file(world.temp / "go", "");
  CHECK(world.output(run, 0, 3 * piece.size()) == piece + piece + piece);
  CHECK(world.wait_until([&] { return world.value_of(second.write("y")).empty(); }));
  CHECK(world.output(run, 3 * piece.size(), 1) == "y");
}

TEST_CASE("a supervisor that never says a word is given up, and nothing is left of the run") {
  World world;
  io::VirtualClock clock;
  Runs runs(world.loop.executor(), clock, world.pool, world.temp / "stuck");
  const auto begin = [](Runs& these, Command command, std::string& said) -> io::Task<> {
    try {
      co_await these.start(std::move(command));
    } catch (const RunError& error) {
      said = error.what();
    }
  };
  std::string said;
  io::spawn(world.loop.executor(), begin(runs, testing::shell_command(kSilent, "", "/"), said), {});
  const auto supervisor = [] { return testing::forked_by(testing::fork_server(), 'T'); };
  REQUIRE(world.wait_until([&] { return supervisor() > 0; }));
  world.loop.poll();  // what it passes before it begins is here
  clock.advance(60s, [&] { world.loop.poll(); });
  CHECK(world.wait_until([&] { return !said.empty(); }));
  CHECK(said == "the run could not be begun: its supervisor said nothing for 60 seconds");
  CHECK(std::filesystem::is_empty(world.temp / "stuck" / "runs"));
  CHECK(world.wait_until([&] { return supervisor() == 0; }));
  world.loop.run_until_done(runs.stop());
}

TEST_CASE("a command on a terminal sees one of the size asked for, and hears of a new size") {
  World world;
  Command command = testing::shell_command("r",
                                           "trap 'stty size' WINCH; stty size; test -t 0 -a -t 1 -a -t 2 && echo yes; "
                                           "until read line; do :; done; echo got $line",
                                           world.temp.path());
  command.terminal = TerminalSize{33, 77};
  const auto run = world.start(command);
  const std::string first = "33 77\r\nyes\r\n";
  CHECK(world.output(run, 0, first.size()) == first);
  run->resize({20, 50});
  CHECK(world.value_of(Input(run).write("word\n")).empty());
  const std::string rest = world.output(run, first.size());
  CHECK(rest.find("20 50\r\n") != rest.npos);
  CHECK(rest.find("got word\r\n") != rest.npos);
}

TEST_CASE("a run under a lease is killed when that is over, also while no worker's program lives") {
  World world;
  const base::UniqueFd state(::open(world.temp.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const auto lease = [&](std::uint64_t number, std::chrono::milliseconds left) {
    write_lease(state.get(), "lease", {.number = number, .held = true, .end = boot_time() + left, .boot = boot_id()});
  };
  Command command = testing::shell_command("r", "echo begun; sleep 1000", world.temp.path());
  command.lease = 5;
  SUBCASE("by its time") {
    lease(5, 1s);
    const auto run = world.start(command);
    CHECK(world.output(run, 0, 6) == "begun\n");
    CHECK(world.result(run).killed == "its lease is over");
  }
  SUBCASE("because there is a later one") {
    lease(6, 1h);
    CHECK(world.result(world.start(command)).killed == "its lease is over");
  }
  SUBCASE("because it is gone") { CHECK(world.result(world.start(command)).killed == "its lease is over"); }
  SUBCASE("but not while it is renewed") {
    lease(5, 2s);
    command.argv[2] = "sleep 2.5";
    const auto run = world.start(command);
    lease(5, 1h);
    CHECK(world.result(run).text == "exit status 0");
  }
}

TEST_CASE("a command without a network sees its loopback and nothing else") {
  World world;
  Command command = testing::shell_command("r", "cat /proc/net/dev; cat /proc/net/route", world.temp.path());
  command.no_network = true;
  const auto run = world.start(command);
  const std::string devices = world.output(run);
  if (world.result(run).ending == Ending::not_started)
    return testing::skip("test_runs", "namespaces cannot be made here: " + world.result(run).text);
  CHECK(devices.find("lo:") != devices.npos);
  CHECK(std::count(devices.begin(), devices.end(), ':') == 1);
}

TEST_CASE("a command can run as somebody else") {
  if (::geteuid() != 0) return testing::skip("test_runs", "only root can become somebody else");
  World world;
  Command command = testing::shell_command("r", "id -un; id -Gn", "/");
  command.user = "nobody";
  CHECK(world.output(world.start(command)) == "nobody\nnogroup\n");
}
