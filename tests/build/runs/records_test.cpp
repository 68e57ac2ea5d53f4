#include <build/base/file.h>
#include <build/runs/lease_file.h>
#include <build/runs/records.h>

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

#include <fcntl.h>

#include "support/support.h"

using namespace build;
using namespace build::runs;
using namespace std::chrono_literals;

namespace {

Command whole_command() {
  return {.id = "b1-a2-s3",
          .program = "/bin/sh",
          .argv = {"sh", "-c", "echo \"\xff\n\" 'x'"},
          .environment = {"A=1", "B=\t"},
          .directory = "/tmp/dir with blanks",
          .input = true,
          .terminal = TerminalSize{40, 132},
          .time_limit = 1500ms,
          .silence_limit = 2s,
          .linger = 3s,
          .output_cap = 5'000'000'000,
          .user = "builder",
          .no_network = true,
          .lease = 77,
          .ephemeral = true,
          .request = "{}"};
}

}  // namespace

TEST_CASE("a command comes back from its file as it was") {
  CHECK(command_from_json(to_json(whole_command())) == whole_command());
  Command plain = whole_command();
  plain.terminal.reset();
  CHECK(command_from_json(to_json(plain)) == plain);
}

TEST_CASE("a result comes back from its file as it was") {
  const Result result{.ending = Ending::signaled,
                      .signal = 9,
                      .text = "signal: killed",
                      .killed = "the time limit of 1.5 s was exceeded",
                      .user = 12us,
                      .system = 34us,
                      .peak_memory = 1 << 20,
                      .wall = 56us};
  const Result again = result_from_json(to_json(result));
  CHECK(again.ending == result.ending);
  CHECK(again.signal == result.signal);
  CHECK(again.text == result.text);
  CHECK(again.killed == result.killed);
  CHECK(again.user == result.user);
  CHECK(again.system == result.system);
  CHECK(again.wall == result.wall);
  CHECK(again.peak_memory == result.peak_memory);
  CHECK_FALSE(again.ok());
}

TEST_CASE("what is no record is refused, with the member that is wrong") {
  CHECK_THROWS_WITH_AS(command_from_json("[]"), "a run's command is no JSON object", std::runtime_error);
  CHECK_THROWS_WITH_AS(command_from_json("{\"id\":1}"), "a run's command lacks \"id\", or it is of another kind",
                       std::runtime_error);
  CHECK_THROWS_WITH_AS(result_from_json("{\"ending\":\"melted\"}"), "a run's result has an unknown ending: melted",
                       std::runtime_error);
  CHECK_THROWS_AS(result_from_json(""), std::runtime_error);
}

TEST_CASE("a run's id is a plain file name") {
  for (const char* id : {"a", "b1-a2-s3", "A_b.c", "0"}) CHECK(is_run_id(id));
  for (const char* id : {"", ".", "..", ".a", "a/b", "a b", "a\n", "\xc3\xa4"}) CHECK_FALSE(is_run_id(id));
  CHECK(is_run_id(std::string(100, 'a')));
  CHECK_FALSE(is_run_id(std::string(101, 'a')));
}

TEST_CASE("a lease holds until its end, in the boot that it was given in") {
  const LeaseRecord lease{.number = 7, .held = true, .end = 100s, .boot = "boot-1"};
  CHECK(lease.valid(99s, "boot-1"));
  CHECK_FALSE(lease.valid(100s, "boot-1"));
  CHECK_FALSE(lease.valid(1s, "boot-2"));
  LeaseRecord over = lease;
  over.held = false;
  CHECK_FALSE(over.valid(1s, "boot-1"));
}

TEST_CASE("a lease comes back from its file as it was; none is none, and anything else is an error") {
  testing::TempDir temp;
  const base::UniqueFd directory(::open(temp.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  CHECK_FALSE(read_lease(directory.get(), "lease").has_value());
  write_lease(directory.get(), "lease", {.number = 18446744073709551615u, .held = true, .end = 5s, .boot = "b"});
  const auto lease = read_lease(directory.get(), "lease");
  REQUIRE(lease.has_value());
  CHECK(lease->number == 18446744073709551615u);
  CHECK(lease->held);
  CHECK(lease->end == 5s);
  CHECK(lease->boot == "b");
  for (const char* text : {"", "lease1", "lease2 1 held 1 b", "lease1 x held 1 b"}) {
    testing::write_file(temp / "lease", text);
    CHECK_THROWS_AS(read_lease(directory.get(), "lease"), std::runtime_error);
  }
}
