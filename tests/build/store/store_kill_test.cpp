#include <build/store/store.h>
#include <doctest/doctest.h>

#include "records.h"
#include "support/support.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <random>

using namespace build;
using namespace testing;

namespace {

/// Applies one commit with its build after the other, and says after each that it is done. Ends by being killed.
[[noreturn]] void apply_for_ever(const std::filesystem::path& directory, int first, int pipe) {
  const auto store = store::open_sqlite(directory);
  const model::Epoch epoch = store->begin_epoch();
  for (int number = first;; ++number) {
    store->apply({commit(number), place(number), waiting_build(number, number)}, epoch);
    if (::write(pipe, &number, sizeof(number)) != sizeof(number)) ::_exit(1);
  }
}

/// What came through the pipe; stops after `count` numbers or at the end.
int read_numbers(int pipe, int count) {
  int last = 0, number = 0;
  while (count-- > 0 && ::read(pipe, &number, sizeof(number)) == sizeof(number)) last = number;
  return last;
}

}  // namespace

TEST_CASE("everything that apply() returned from is there after kill -9, and groups are whole") {
  TempDir dir;
  std::mt19937 random(20261121);
  int next = 1;
  for (int round = 0; round < 15; ++round) {
    int pipe[2];
    REQUIRE(::pipe(pipe) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      ::close(pipe[0]);
      apply_for_ever(dir.path(), next, pipe[1]);
    }
    ::close(pipe[1]);
    int said = read_numbers(pipe[0], std::uniform_int_distribution<int>(1, 60)(random));
    REQUIRE(said >= next);
    // At any moment of the next few groups, for which nobody waits.
    for (unsigned turns = random() % 200'000; turns > 0; --turns) asm volatile("");
    REQUIRE(::kill(child, SIGKILL) == 0);
    said = std::max(said, read_numbers(pipe[0], INT_MAX));
    ::close(pipe[0]);
    REQUIRE(::waitpid(child, nullptr, 0) == child);

    const auto store = store::open_sqlite(dir.path());
    const auto builds = store->recent_builds(1);
    REQUIRE(builds.size() == 1);
    const int last = static_cast<int>(builds.front().id.value);
    CHECK(last >= said);
    CHECK(last <= said + 1);
    const auto page = store->branch_page(kRepository, kBranch, {.limit = 100'000});
    CHECK(page.size() == static_cast<std::size_t>(last));
    for (const auto& row : page) CHECK(row.builds.size() == 1);
    next = last + 1;
  }
}
