#include <build/base/subprocess.h>

#include <io/clock.h>
#include <io/event_loop.h>

#include <boost/system/system_error.hpp>

#include <doctest/doctest.h>

#include <csignal>
#include <fstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/support.h"

using namespace build::base;
using namespace std::chrono_literals;
namespace asio = io::asio;

namespace {

SubprocessSpec shell(std::string script) {
  return {.argv = {"/bin/sh", "-c", std::move(script)}, .environment = {"PATH=/usr/bin:/bin"}};
}

io::Task<> read_to_end(Subprocess& process, std::string& into) {
  std::string buffer(4096, '\0');
  const auto space = asio::buffer(buffer);
  while (const std::size_t size = co_await process.read_output(space)) into.append(buffer, 0, size);
}

io::Task<> read_once(Subprocess& process, std::string& into) {
  std::string buffer(4096, '\0');
  const auto space = asio::buffer(buffer);
  const std::size_t size = co_await process.read_output(space);
  into.append(buffer, 0, size);
}

io::Task<> wait_for(Subprocess& process, ExitStatus& status) { status = co_await process.wait(); }

io::Task<> feed(Subprocess& process, std::string text) {
  const asio::const_buffer bytes = asio::buffer(text);
  co_await process.write_input(bytes);
  process.close_input();
}

io::Task<> run(io::EventLoop& loop, io::Clock& clock, SubprocessSpec spec, RunLimits limits, std::string input,
               RunResult& result) {
  result = co_await run_command(loop.executor(), clock, std::move(spec), limits, std::move(input));
}

/// A loop, a clock, and children run to their end.
struct Fixture {
  io::EventLoop loop;
  io::RealClock clock;

  std::unique_ptr<Subprocess> start(const SubprocessSpec& spec) { return Subprocess::start(loop.executor(), spec); }
  std::string output(Subprocess& process) {
    std::string text;
    loop.run_until_done(read_to_end(process, text));
    return text;
  }
  ExitStatus status(Subprocess& process) {
    ExitStatus result;
    loop.run_until_done(wait_for(process, result));
    return result;
  }
  RunResult run_to_end(SubprocessSpec spec, RunLimits limits = {}, std::string input = {}) {
    RunResult result;
    loop.run_until_done(run(loop, clock, std::move(spec), limits, std::move(input), result));
    return result;
  }
  std::string start_error(const SubprocessSpec& spec) {
    try {
      start(spec);
    } catch (const StartError& error) {
      return error.what();
    }
    return "started";
  }
};

}  // namespace

TEST_CASE("an exit status reads as Go prints it") {
  CHECK(ExitStatus::exited(0).str() == "exit status 0");
  CHECK(ExitStatus::exited(3).str() == "exit status 3");
  CHECK(ExitStatus::signaled(SIGKILL).str() == "signal: killed");
  CHECK(ExitStatus::signaled(SIGTERM).str() == "signal: terminated");
  CHECK(ExitStatus::signaled(SIGABRT).str() == "signal: aborted");
  CHECK(ExitStatus::signaled(SIGSEGV, ExitStatus::CoreDumped::yes).str() == "signal: segmentation fault (core dumped)");
  CHECK(ExitStatus::signaled(34).str() == "signal: signal 34");
  CHECK(ExitStatus::exited(0).success());
  CHECK_FALSE(ExitStatus::exited(1).success());
  CHECK_FALSE(ExitStatus::signaled(9).success());
  CHECK_FALSE(ExitStatus::signaled(9).code());
}

TEST_CASE_FIXTURE(Fixture, "a child's output, both streams in order, and its exit code arrive") {
  auto process = start(shell("echo one; echo two >&2; echo three; exit 3"));
  CHECK(output(*process) == "one\ntwo\nthree\n");
  CHECK(status(*process) == ExitStatus::exited(3));
  CHECK(status(*process).str() == "exit status 3");
}

TEST_CASE_FIXTURE(Fixture, "a child that a signal ended says which") {
  auto process = start(shell("kill -KILL $$"));
  CHECK(status(*process).str() == "signal: killed");
  auto crashed = start(shell("ulimit -c 0; kill -SEGV $$"));
  CHECK(status(*crashed).signal() == SIGSEGV);
}

TEST_CASE_FIXTURE(Fixture, "a child has exactly the environment and directory it was given") {
  const testing::TempDir dir;
  auto spec = SubprocessSpec{.argv = {"/usr/bin/env"}, .environment = {"A=1", "B=2", "A=3"}};
  CHECK(run_to_end(spec).output == "B=2\nA=3\n");
  spec = shell("pwd -P");
  spec.directory = dir.path();
  CHECK(run_to_end(spec).output == std::filesystem::canonical(dir.path()).string() + "\n");
}

TEST_CASE_FIXTURE(Fixture, "a child inherits no descriptor, no ignored signal and no blocked one") {
  const int leaked = ::open("/dev/null", O_RDONLY);  // deliberately without O_CLOEXEC
  REQUIRE(leaked > 2);
  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  const auto old = std::signal(SIGPIPE, SIG_IGN);
  const RunResult result = run_to_end(
      shell("ls /proc/self/fd | wc -l; grep SigBlk /proc/self/status; sed -n 's/SigIgn:.//p' /proc/self/status"));
  std::signal(SIGPIPE, old);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::close(leaked);
  // 0, 1, 2 and the one that ls opens itself.
  const std::string start = "4\nSigBlk:\t0000000000000000\n";
  REQUIRE(result.output.starts_with(start));
  // Signals 32 and 33 are the C library's own affair.
  CHECK((std::stoull(result.output.substr(start.size()), nullptr, 16) & 0x7fffffff) == 0);
}

TEST_CASE_FIXTURE(Fixture, "a child leads a session and group of its own") {
  auto process = start({.argv = {"/usr/bin/cut", "-d ", "-f5,6", "/proc/self/stat"}});
  const std::string id = std::to_string(process->pid());
  CHECK(output(*process) == id + " " + id + "\n");
}

TEST_CASE_FIXTURE(Fixture, "start errors are Go's") {
  const testing::TempDir dir;
  testing::write_file(dir / "text", "#!/no/such/interpreter\n");
  testing::write_file(dir / "garbage", "garbage");
  ::chmod((dir / "garbage").c_str(), 0755);
  const std::string base = dir.path().string();
  CHECK(start_error({.argv = {"/no/such/program"}}) == "fork/exec /no/such/program: no such file or directory");
  CHECK(start_error({.argv = {base}}) == "fork/exec " + base + ": permission denied");
  CHECK(start_error({.argv = {base + "/text"}}) == "fork/exec " + base + "/text: permission denied");
  CHECK(start_error({.argv = {base + "/garbage"}}) == "fork/exec " + base + "/garbage: exec format error");
  CHECK(start_error({.argv = {base + "/text/x"}}) == "fork/exec " + base + "/text/x: not a directory");
  CHECK(start_error({.argv = {"/bin/true"}, .directory = "/no/such/dir"}) ==
        "chdir /no/such/dir: no such file or directory");
  CHECK(start_error({.argv = {"/bin/true"}, .directory = dir / "text"}) == "fork/exec /bin/true: not a directory");
  CHECK(start_error({.argv = {"nosuchprogram"}, .search_path = "/usr/bin:/bin"}) ==
        "exec: \"nosuchprogram\": executable file not found in $PATH");
  CHECK(start_error({.argv = {"/bin/true", std::string("a\0b", 3)}}) == "fork/exec /bin/true: invalid argument");
  CHECK(start_error({.argv = {}}) == "exec: no command");
  CHECK(start_error({.argv = {"true"}, .search_path = "/nowhere::/usr/bin:/bin"}) == "started");
}

TEST_CASE_FIXTURE(Fixture, "a relative program is relative to the child's directory") {
  const testing::TempDir dir;
  testing::write_file(dir / "sub" / "hello", "#!/bin/sh\necho hello $0\n");
  ::chmod((dir / "sub" / "hello").c_str(), 0755);
  CHECK(run_to_end({.argv = {"./hello"}, .directory = dir / "sub"}).output == "hello ./hello\n");
  CHECK(run_to_end({.argv = {"name"}, .program = "./hello", .directory = dir / "sub"}).output == "hello ./hello\n");
}

TEST_CASE("executables are found along a path list") {
  const testing::TempDir dir;
  testing::write_file(dir / "a" / "tool", "");
  testing::write_file(dir / "b" / "tool", "");
  std::filesystem::create_directories(dir / "c" / "tool");
  ::chmod((dir / "b" / "tool").c_str(), 0755);
  const std::string base = dir.path().string();
  CHECK(find_executable("tool", base + "/a:" + base + "/c::" + base + "/b") == dir / "b" / "tool");
  CHECK_FALSE(find_executable("tool", base + "/a:" + base + "/c"));
  CHECK_FALSE(find_executable("tool", ""));
  CHECK_FALSE(find_executable("", base));
  CHECK(find_executable(base + "/b/tool", "") == dir / "b" / "tool");
}

TEST_CASE_FIXTURE(Fixture, "waiting is for the child, not for what it left holding the pipe") {
  auto process = start(shell("sleep 1000 & echo started"));
  CHECK(status(*process).success());
  std::string text;
  loop.run_until_done(read_once(*process, text));
  CHECK(text == "started\n");
  // The group outlives its leader, and killing it ends the pipe.
  CHECK(process->kill_group(SIGKILL));
  CHECK(output(*process).empty());
}

TEST_CASE_FIXTURE(Fixture, "killing the group reaches grandchildren") {
  auto process = start(shell("(sleep 1000; echo never) & (sleep 1000; echo never) & echo ready; wait"));
  std::string text;
  loop.run_until_done(read_once(*process, text));
  CHECK(process->kill_group(SIGTERM));
  CHECK(status(*process).str() == "signal: terminated");
  CHECK(output(*process).empty());
}

TEST_CASE_FIXTURE(Fixture, "destroying the object ends a running child") {
  auto process = start(shell("echo ready; sleep 1000"));
  std::string text;
  loop.run_until_done(read_once(*process, text));
  const pid_t pid = process->pid();
  process.reset();
  CHECK(::kill(pid, 0) == -1);
  CHECK(errno == ESRCH);
}

TEST_CASE_FIXTURE(Fixture, "stdin is empty unless asked for, then what was written to it") {
  CHECK(run_to_end(shell("cat; echo end")).output == "end\n");
  auto spec = SubprocessSpec{.argv = {"/bin/cat"}, .input = SubprocessSpec::Input::pipe};
  const std::string big(1'000'000, 'x');
  const RunResult result = run_to_end(spec, {.output_bytes = 2'000'000}, big);
  CHECK(result.ok());
  CHECK(result.output == big);
}

TEST_CASE_FIXTURE(Fixture, "writing to a child that does not read fails without a signal") {
  auto spec = shell("exec <&-; echo closed; sleep 1000");
  spec.input = SubprocessSpec::Input::pipe;
  auto process = start(spec);
  std::string text;
  loop.run_until_done(read_once(*process, text));
  boost::system::error_code code;
  try {
    loop.run_until_done(feed(*process, "x"));
  } catch (const boost::system::system_error& error) {
    code = error.code();
  }
  CHECK(code == boost::system::errc::broken_pipe);
}

TEST_CASE_FIXTURE(Fixture, "stderr can be kept apart or thrown away") {
  auto spec = shell("echo out; echo err >&2");
  spec.error = SubprocessSpec::Error::pipe;
  RunResult result = run_to_end(spec);
  CHECK(result.output == "out\n");
  CHECK(result.error == "err\n");
  spec.error = SubprocessSpec::Error::null;
  result = run_to_end(spec);
  CHECK(result.output == "out\n");
  CHECK(result.error.empty());
}

TEST_CASE_FIXTURE(Fixture, "a command that prints too much is ended, and its beginning kept") {
  const RunResult result = run_to_end({.argv = {"/usr/bin/yes"}}, {.output_bytes = 1001});
  CHECK(result.too_much_output);
  CHECK_FALSE(result.ok());
  CHECK(result.output.size() == 1001);
}

TEST_CASE_FIXTURE(Fixture, "a command that takes too long is killed with its group") {
  const RunResult result = run_to_end(shell("sleep 1000 & sleep 1000"), {.time = 20ms});
  CHECK(result.timed_out);
  CHECK(result.status.str() == "signal: killed");
}

TEST_CASE_FIXTURE(Fixture, "a finished command does not wait for what it left behind") {
  const RunResult result = run_to_end(shell("sleep 1000 & echo done"));
  CHECK(result.ok());
  CHECK(result.output == "done\n");
}

TEST_CASE_FIXTURE(Fixture, "a reader that stops gets an end") {
  auto process = start(shell("echo ready; sleep 1000"));
  std::string text;
  loop.run_until_done(read_once(*process, text));
  process->stop_reading();
  CHECK(output(*process).empty());
}
