// What a child does to itself before it executes its program.
#include <build/base/subprocess.h>
#include <io/event_loop.h>

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

#include <unistd.h>

#include "support/support.h"

using namespace build::base;

namespace {

struct Runner {
  io::EventLoop loop;
  io::RealClock clock;

  RunResult run(SubprocessSpec spec) {
    RunResult result;
    const auto task = [&]() -> io::Task<> {
      const RunLimits limits;
      result = co_await run_command(loop.executor(), clock, spec, limits);
    };
    loop.run_until_done(task());
    return result;
  }
};

SubprocessSpec isolated(std::string script) {
  return {.argv = {"/bin/sh", "-c", std::move(script)},
          .environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
          .network = SubprocessSpec::Network::none};
}

bool may_make_namespaces(Runner& runner) {
  try {
    runner.run(isolated("true"));
    return true;
  } catch (const StartError& error) {
    CHECK(std::string(error.what()).starts_with("fork/exec /bin/sh: making a network namespace: "));
    testing::skip("test_child_setup", "it may not make a network namespace");
    return false;
  }
}

std::string start_error(SubprocessSpec spec) {
  io::EventLoop loop;
  try {
    Subprocess::start(loop.executor(), spec);
  } catch (const StartError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a child without network has a loopback interface that is up, and nothing else") {
  Runner runner;
  if (!may_make_namespaces(runner)) return;
  const RunResult result =
      runner.run(isolated("readlink /proc/self/ns/net; tail -n +3 /proc/net/dev | sed 's/:.*//;s/ //g'; "
                          "cat /sys/class/net/lo/flags 2>/dev/null; id -u"));
  REQUIRE(result.ok());
  const RunResult ours = runner.run({.argv = {"/bin/readlink", "/proc/self/ns/net"}});
  CHECK(result.output.substr(0, result.output.find('\n')) != ours.output.substr(0, ours.output.find('\n')));
  CHECK(result.output.find("\nlo\n") != std::string::npos);
  CHECK(result.output.find("eth") == std::string::npos);
  CHECK(result.output.ends_with("\n" + std::to_string(::geteuid()) + "\n"));
  // Loopback works in it, but does not lead to ours.
  const RunResult talk =
      runner.run(isolated("python3 -c 'import socket as s; l=s.socket(); l.bind((\"127.0.0.1\",0)); l.listen(); "
                          "c=s.create_connection(l.getsockname()); print(\"loopback\")\n"
                          "try: s.create_connection((\"192.0.2.1\",80),5)\nexcept OSError as e: print(e.strerror)'"));
  CHECK(talk.output == "loopback\nNetwork is unreachable\n");
}

TEST_CASE("such a child is like any other in all else") {
  Runner runner;
  if (!may_make_namespaces(runner)) return;
  SubprocessSpec spec =
      isolated("cat; pwd; echo $$ $(ps -o sid= -p $$); ls /proc/self/fd | wc -l; echo err >&2; exit 3");
  spec.directory = "/usr";
  const RunResult result = runner.run(spec);
  CHECK(result.status == ExitStatus::exited(3));
  CHECK(result.output.starts_with("/usr\n"));
  CHECK(result.output.ends_with("err\n"));
  SubprocessSpec missing = isolated("true");
  missing.program = "/nonexistent/program";
  CHECK(start_error(missing) == "fork/exec /nonexistent/program: no such file or directory");
  missing = isolated("true");
  missing.directory = "/etc/passwd";
  CHECK(start_error(missing) == "chdir /etc/passwd: not a directory");
}

TEST_CASE("a child runs as another user, with that user's groups alone") {
  CHECK_THROWS_AS(find_user("no-such-user"), std::invalid_argument);
  const UserIds root = find_user("root");
  CHECK(root.uid == 0);
  CHECK(root.home == "/root");
  SubprocessSpec spec{.argv = {"/bin/sh", "-c", "id -u; id -g; id -G; grep CapEff /proc/self/status"},
                      .environment = {"PATH=/usr/bin:/bin"}};
  spec.user = find_user("nobody");
  if (::geteuid() != 0) {
    CHECK(start_error(spec) == "fork/exec /bin/sh: giving up its groups: operation not permitted");
    return;
  }
  Runner runner;
  spec.user->groups.push_back(spec.user->gid + 1);
  const RunResult result = runner.run(spec);
  const std::string uid = std::to_string(spec.user->uid), gid = std::to_string(spec.user->gid);
  const std::string groups = gid + " " + std::to_string(spec.user->gid + 1);
  CHECK(result.output == uid + "\n" + gid + "\n" + groups + "\nCapEff:\t0000000000000000\n");
  spec.network = SubprocessSpec::Network::none;
  if (may_make_namespaces(runner)) CHECK(runner.run(spec).output.starts_with(uid + "\n"));
}
