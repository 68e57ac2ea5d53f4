#include <build/base/subprocess.h>

#include <io/clock.h>
#include <io/event_loop.h>

#include <doctest/doctest.h>

#include "support/support.h"

using namespace build::base;

namespace {

io::Task<> run_into(io::EventLoop& loop, io::Clock& clock, SubprocessSpec spec, RunResult& result) {
  const RunLimits limits;
  result = co_await run_command(loop.executor(), clock, std::move(spec), limits);
}

RunResult genbuilderkey(std::vector<std::string> arguments, Environment environment = {}) {
  io::EventLoop loop;
  io::RealClock clock;
  arguments.insert(arguments.begin(), XBUILD_GENBUILDERKEY);
  SubprocessSpec spec{
      .argv = std::move(arguments), .environment = std::move(environment), .error = SubprocessSpec::Error::pipe};
  RunResult result;
  loop.run_until_done(run_into(loop, clock, std::move(spec), result));
  return result;
}

}  // namespace

TEST_CASE("genbuilderkey prints the known keys of the development master key") {
  const testing::TempDir dir;
  testing::write_file(dir / "keys" / "gobuilder-master.key", "gophers rule\n");
  const RunResult by_default = genbuilderkey({"user-gopher"}, {"HOME=" + dir.path().string()});
  CHECK(by_default.output == "875a7345b291621360b36e62a0fc6a14\n");
  CHECK(by_default.error.empty());
  const std::string file = (dir / "keys" / "gobuilder-master.key").string();
  for (const auto& flags :
       std::vector<std::vector<std::string>>{{"-master-key-file", file}, {"--master-key-file=" + file}}) {
    auto arguments = flags;
    arguments.push_back("host-linux-amd64-localdev");
    CHECK(genbuilderkey(arguments).output == "4d8129e2963df29b29cab65e108397d1\n");
  }
}

TEST_CASE("genbuilderkey refuses an empty or missing master key") {
  const testing::TempDir dir;
  testing::write_file(dir / "empty", " \n");
  for (const char* name : {"empty", "missing"}) {
    const RunResult result = genbuilderkey({"-master-key-file", (dir / name).string(), "user-gopher"});
    CHECK(result.status == ExitStatus::exited(1));
    CHECK(result.output.empty());
    CHECK(result.error.find((dir / name).string()) != std::string::npos);
  }
}

TEST_CASE("genbuilderkey ends with 2 on a wrong command line") {
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {}, {"a", "b"}, {""}, {"-master-kye-file", "x", "a"}, {"-master-key-file"}}) {
    const RunResult result = genbuilderkey(arguments);
    CHECK(result.status == ExitStatus::exited(2));
    CHECK(result.output.empty());
    CHECK(result.error.starts_with("genbuilderkey: "));
  }
}
