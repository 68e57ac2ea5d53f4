// Old logs and results go, the oldest first, and only those of finished builds.
#include <build/coordinator/retention.h>
#include <build/farm/farm.h>
#include <doctest/doctest.h>
#include <io/event_loop.h>

#include <optional>
#include <thread>

#include "support/support.h"

using namespace build;

namespace {

constexpr std::chrono::days kDay{1};
const model::RepositoryName kRepository("zlib");

/// A farm's rows and logs: build N ended N days after the clock's beginning, and has one log of 600,000 bytes.
struct Bench {
  testing::TempDir directory;
  io::EventLoop loop;
  io::VirtualClock clock;
  io::BlockingPool pool{1};
  base::Logger log{[] { return model::Time{}; }, [](std::string_view) {}};
  std::unique_ptr<store::Store> store = store::open_sqlite(directory.path());
  model::Epoch epoch = store->begin_epoch();
  livelog::LogStore logs{directory / "logs", loop.executor(), pool};
  model::Time begin = clock.wall_now();
  coordinator::Retention retention{loop.executor(), clock, pool, log, *store, epoch, logs, {}};

  static model::RunId run(int build) { return model::RunId("b" + std::to_string(build) + "-a1-s0"); }
  static model::CommitHash hash(int build) { return model::CommitHash(std::string(39, '0') + std::to_string(build)); }

  template <typename T>
  T value_of(io::Task<T> task) {
    std::optional<T> value;
    const auto run = [&]() -> io::Task<> { value = co_await std::move(task); };
    loop.run_until_done(run());
    return std::move(*value);
  }

  void add_build(int number, model::BuildState state = model::BuildState::finished) {
    const model::Time when = begin + number * kDay;
    const bool finished = state == model::BuildState::finished;
    const model::Commit commit{.repository = kRepository,
                               .hash = hash(number),
                               .author_name = "A",
                               .author_email = "a@example.org",
                               .subject = "s",
                               .committed = when};
    model::Build build{.id = model::BuildId(number),
                       .repository = kRepository,
                       .branch = model::BranchName("main"),
                       .commit = hash(number),
                       .builder = model::BuilderName("linux"),
                       .host_type = model::HostType("h"),
                       .position = number,
                       .state = state,
                       .attempts = 1,
                       .accepted = when};
    if (finished) {
      build.result = model::Result::ok;
      build.finished = when;
    }
    model::Attempt attempt{.build = build.id, .number = 1, .lease = model::LeaseNumber(number), .started = when};
    model::Step step{.build = build.id, .attempt = 1, .name = "test", .run = run(number), .started = when};
    if (finished) {
      attempt.outcome = step.outcome = model::AttemptOutcome::ok;
      attempt.ended = step.ended = when;
    }
    const model::Lease lease{
        .number = attempt.lease, .build = build.id, .attempt = 1, .granted = when, .released = when};
    store->apply({commit, build, attempt, step, lease}, epoch);
    const auto write = [&]() -> io::Task<> {
      const auto writer = co_await logs.open_writer(run(number));
      const std::string bytes(600'000, 'x');
      co_await writer->append(0, bytes);
      if (finished) co_await writer->finish();
    };
    loop.run_until_done(write());
  }

  bool has_log(int build) { return value_of(logs.info(run(build))).has_value(); }
  std::string logs_present(int builds) {
    std::string present;
    for (int i = 1; i <= builds; ++i) present += has_log(i) ? std::to_string(i) : ".";
    return present;
  }
  void pass(config::RetentionConfig config) {
    retention.set(config);
    loop.run_until_done(retention.pass());
  }
  void advance(io::Duration amount) {
    clock.advance(amount, [this] {
      for (int i = 0; i < 200; ++i) {
        loop.poll();
        std::this_thread::yield();
      }
    });
  }
};

}  // namespace

TEST_CASE("logs of builds that ended too long ago are removed, and it is noted when and why") {
  Bench bench;
  for (int i = 1; i <= 5; ++i) bench.add_build(i);
  bench.add_build(6, model::BuildState::running);
  bench.advance(10 * kDay);
  bench.pass({.log_age = std::chrono::days(7)});
  CHECK(bench.logs_present(6) == "..3456");
  const auto details = bench.store->build(model::BuildId(1));
  REQUIRE(details);
  REQUIRE(details->logs_removed);
  CHECK(details->logs_removed->attempts == 1);
  CHECK(details->logs_removed->removed == bench.clock.wall_now());
  CHECK(details->logs_removed->why == "they were older than 7 days");
  CHECK(details->build.result == model::Result::ok);
  CHECK_FALSE(bench.store->build(model::BuildId(3))->logs_removed);
  bench.advance(1000 * kDay);
  bench.pass({.log_age = std::chrono::days(7)});
  CHECK(bench.logs_present(6) == ".....6");
}

TEST_CASE("when all logs take too much the oldest go, and no more than needed") {
  Bench bench;
  for (int i = 1; i <= 5; ++i) bench.add_build(i);
  bench.add_build(6, model::BuildState::waiting);
  bench.advance(10 * kDay);
  CHECK(bench.value_of(bench.logs.total_size()) == 3'600'000);
  bench.pass({.log_age = std::chrono::days(0), .log_bytes = 2'000'000});
  CHECK(bench.logs_present(6) == "...456");
  CHECK(bench.store->build(model::BuildId(2))->logs_removed->why ==
        "all logs together took more than 2 MB, and these were the oldest");
  bench.pass({.log_age = std::chrono::days(0), .log_bytes = 1});
  CHECK(bench.logs_present(6) == ".....6");
}

TEST_CASE("forgotten builds are gone with their logs, are not built again, and their numbers do not come back") {
  Bench bench;
  for (int i = 1; i <= 3; ++i) bench.add_build(i);
  bench.advance(10 * kDay);
  bench.pass({.log_age = std::chrono::days(0), .result_age = std::chrono::days(5)});
  CHECK(bench.logs_present(3) == "...");
  CHECK(bench.store->recent_builds(10).empty());
  const model::OpenRows rows = bench.store->load_open();
  CHECK(rows.built.size() == 3);
  CHECK(rows.last_build == model::BuildId(3));
  CHECK(rows.last_lease == model::LeaseNumber(3));

  farm::Farm farm({.builders = {{model::BuilderName("linux"), model::HostType("h")}},
                   .repositories = {{kRepository, {model::BuilderName("linux")}}}},
                  rows);
  farm.start(bench.clock.wall_now());
  farm::CommitsSeen seen{.repository = kRepository, .branch = model::BranchName("main"), .commits = {}};
  seen.commits.push_back({.repository = kRepository,
                          .hash = Bench::hash(1),
                          .author_name = "",
                          .author_email = "",
                          .subject = "",
                          .committed = {}});
  farm.apply(seen, bench.clock.wall_now());
  CHECK(farm.idle());
}

TEST_CASE("a build that was retried since it was read is neither forgotten nor loses its place") {
  Bench bench;
  bench.add_build(1);
  bench.advance(10 * kDay);
  const auto read = bench.store->finished_builds(bench.clock.wall_now(), store::Store::Logs::any, 10);
  REQUIRE(read.size() == 1);
  CHECK(read[0].runs == std::vector{Bench::run(1)});
  model::Build build = bench.store->build(model::BuildId(1))->build;
  build.state = model::BuildState::waiting;
  build.result = model::Result::none;
  build.finished.reset();
  bench.store->apply({build}, bench.epoch);
  bench.store->forget(read, bench.epoch);
  const auto after = bench.store->build(model::BuildId(1));
  REQUIRE(after);
  CHECK(after->build == build);
  CHECK(after->attempts.size() == 1);
}

TEST_CASE("retention of a coordinator that was replaced changes nothing") {
  Bench bench;
  bench.add_build(1);
  const auto read = bench.store->finished_builds(bench.begin + 10 * kDay, store::Store::Logs::kept, 10);
  bench.store->begin_epoch();
  CHECK_THROWS_AS(bench.store->forget(read, bench.epoch), store::StaleEpoch);
  CHECK_THROWS_AS(bench.store->note_logs_removed(read, bench.begin, "x", bench.epoch), store::StaleEpoch);
  CHECK(bench.store->build(model::BuildId(1)).has_value());
}

TEST_CASE("it looks at once and then after each period, until it is stopped") {
  Bench bench;
  bench.add_build(1);
  bench.add_build(2);
  bench.retention.set({.log_age = std::chrono::days(7)});
  bool ended = false;
  const auto run = [&]() -> io::Task<> {
    co_await bench.retention.run();
    ended = true;
  };
  io::spawn(bench.loop.executor(), run(), [](std::exception_ptr) {});
  // Time moves on only while it waits for its next pass: the pool's threads know nothing of the virtual clock.
  const auto until = [&](auto condition, io::Duration step) {
    for (int i = 0; i < 1'000'000 && !condition(); ++i) {
      bench.loop.poll();
      if (step.count() > 0 && bench.clock.next_due()) bench.clock.advance(step, [&] { bench.loop.poll(); });
      std::this_thread::yield();
    }
    return condition();
  };
  CHECK(until([&] { return bench.clock.next_due().has_value(); }, io::Duration::zero()));
  CHECK_FALSE(bench.store->build(model::BuildId(1))->logs_removed);
  bench.clock.advance(8 * kDay, [&] { bench.loop.poll(); });
  CHECK(until([&] { return bench.store->build(model::BuildId(1))->logs_removed.has_value(); },
              coordinator::Retention::kPeriod));
  CHECK_FALSE(bench.store->build(model::BuildId(2))->logs_removed);
  bench.retention.stop();
  CHECK(until([&] { return ended; }, io::Duration::zero()));
}
