#include <build/base/subprocess.h>
#include <build/buildlet/sandbox.h>
#include <io/event_loop.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/support.h"

using namespace build;
using buildlet::Sandbox;
using buildlet::sandboxed;
namespace fs = std::filesystem;

namespace {

base::RunResult run(std::vector<std::string> argv) {
  io::RealClock clock;
  io::EventLoop loop;
  base::SubprocessSpec spec;
  spec.argv = std::move(argv);
  spec.environment = {"PATH=/usr/bin:/bin", "SEEN=yes"};
  base::RunResult result;
  const auto task = [&]() -> io::Task<> {
    const base::RunLimits limits;
    result = co_await base::run_command(loop.executor(), clock, spec, limits);
  };
  loop.run_until_done(task());
  return result;
}

}  // namespace

TEST_CASE("the command is what stands behind the dashes, whatever it looks like") {
  Sandbox box;
  box.workdir = "/w";
  box.directory = "/w/tree";
  const std::vector<std::string> argv{"/bin/sh", "--bind", "/", "--"};
  const std::vector<std::string> line = sandboxed(box, argv);
  const auto dashes = std::find(line.begin(), line.end(), "--");
  CHECK(std::vector<std::string>(dashes + 1, line.end()) == argv);
  CHECK(std::find(line.begin(), line.end(), "--unshare-net") == line.end());
  box.network = Sandbox::Network::none;
  const std::vector<std::string> alone = sandboxed(box, argv);
  CHECK(std::find(alone.begin(), alone.end(), "--unshare-net") != alone.end());
  CHECK_THROWS_AS(sandboxed(box, {}), std::invalid_argument);
  CHECK_THROWS_AS(sandboxed(box, {"sh"}), std::invalid_argument);
  box.writable = {"--ro-bind"};
  CHECK_THROWS_AS(sandboxed(box, argv), std::invalid_argument);
}

TEST_CASE("in the box there is one directory to write to, no other process and no way out") {
  const testing::TempDir temp;
  Sandbox box;
  if (!fs::exists(box.bwrap)) return testing::skip("test_buildlet_sandbox", "bubblewrap is missing");
  fs::create_directories(temp / "workdir");
  testing::write_file(temp / "secret", "secret");
  box.workdir = temp / "workdir";
  box.directory = box.workdir;
  box.network = Sandbox::Network::none;
  if (!run(sandboxed(box, {"/bin/true"})).ok()) {
    return testing::skip("test_buildlet_sandbox",
                         "this system makes no box: " + run(sandboxed(box, {"/bin/true"})).output);
  }
  const base::RunResult result = run(sandboxed(
      box, {"/bin/sh", "-c",
            "echo $SEEN; pwd; echo x > file && echo written; (echo x > /usr/file) 2>/dev/null || echo read-only; cat " +
                (temp / "secret").string() +
                " 2>/dev/null || echo hidden; ls /proc | grep -c '^[0-9]'; ls /home /root | "
                "grep -vc :; tail -n +3 /proc/net/dev | wc -l; exit 3"}));
  CHECK(result.status == base::ExitStatus::exited(3));
  const std::string workdir = box.workdir.string();
  CHECK(result.output.starts_with("yes\n" + workdir + "\nwritten\nread-only\nhidden\n"));
  CHECK(result.output.ends_with("\n1\n"));
  CHECK(testing::read_file(temp / "workdir/file") == "x\n");
}
