#include <build/coordinator/farm_loop.h>
#include <build/store/store.h>
#include <doctest/doctest.h>
#include <io/event_loop.h>

#include <atomic>
#include <memory>
#include <string>

#include "support/forwarding_store.h"
#include "support/support.h"

namespace {

using namespace build;

/// A real store whose disk can be made to fail, and that counts.
class FaultyStore final : public testing::ForwardingStore {
 public:
  explicit FaultyStore(const std::filesystem::path& directory) : ForwardingStore(store::open_sqlite(directory)) {}

  void apply(const model::Changes& changes, model::Epoch epoch) override {
    ++attempts;
    if (failures > 0) {
      --failures;
      throw std::runtime_error("farm.db: no space left on device");
    }
    ForwardingStore::apply(changes, epoch);
  }

  std::atomic<int> failures = 0, attempts = 0;  // also used by the pool's thread
};

const model::RepositoryName kRepository("demo");
const model::BranchName kBranch("main");

farm::Rules rules() {
  return {.builders = {{model::BuilderName("one"), model::HostType("host-a")}},
          .repositories = {{kRepository, {model::BuilderName("one")}}}};
}

farm::CommitsSeen commit_seen(int n) {
  std::string hash = std::to_string(n);
  hash.insert(0, 40 - hash.size(), '0');
  farm::CommitsSeen seen{.repository = kRepository, .branch = kBranch, .commits = {}};
  seen.commits.push_back({.repository = kRepository,
                          .hash = model::CommitHash(hash),
                          .author_name = "A",
                          .author_email = "a@example.org",
                          .subject = "number " + std::to_string(n),
                          .committed = {}});
  return seen;
}

farm::WorkerConnected worker() {
  model::Session session;
  session.id = model::SessionId("s");
  session.worker = model::WorkerId("w");
  session.host_type = model::HostType("host-a");
  session.hostname = "h";
  return {session};
}

/// A loop on a virtual clock that acts into a list.
struct Bench {
  testing::TempDir directory;
  io::EventLoop loop;
  io::VirtualClock clock;
  io::BlockingPool pool{1};
  base::Logger log{[] { return model::Time{}; }, [](std::string_view) {}};
  FaultyStore store{directory.path()};
  std::vector<farm::Action> actions;
  coordinator::FarmLoop farm{loop.executor(),
                             clock,
                             pool,
                             log,
                             store,
                             store.begin_epoch(),
                             farm::Farm(rules(), store.load_open()),
                             [this](const farm::Action& action) { actions.push_back(action); }};
  bool ended = false;

  Bench() {
    io::spawn(loop.executor(), run(), [](std::exception_ptr) {});
  }
  ~Bench() {
    farm.stop();
    for (int i = 0; i < 1000 && !ended; ++i) {
      clock.advance(std::chrono::seconds{1}, [this] { loop.poll(); });
      loop.run_until_done(breathe());
    }
  }
  io::Task<> run() {
    co_await farm.run();
    ended = true;
  }
  /// Lets the pool's thread and the loop exchange what they have for each other.
  io::Task<> breathe() {
    const auto nothing = [] {};
    co_await pool.run(nothing);
  }
  io::Task<> submit_all(std::vector<farm::Event> events) {
    for (std::size_t i = 0; i + 1 < events.size(); ++i) farm.post(events[i]);
    co_await farm.submit(events.back());
  }
};

}  // namespace

TEST_CASE("what submit() returned from is in the store, and its actions are under way") {
  Bench bench;
  bench.loop.run_until_done(bench.submit_all({commit_seen(1)}));
  CHECK(bench.store.recent_builds(10).size() == 1);
  CHECK(bench.actions.empty());
  bench.loop.run_until_done(bench.submit_all({worker()}));
  REQUIRE(bench.actions.size() == 1);
  const auto* start = std::get_if<farm::StartAttempt>(&bench.actions.front());
  REQUIRE(start != nullptr);
  CHECK(bench.store.build(start->build.id)->attempts.size() == 1);
}

TEST_CASE("events that come together are made durable together") {
  Bench bench;
  bench.loop.run_until_done(bench.submit_all({commit_seen(1)}));
  const int before = bench.store.attempts;
  std::vector<farm::Event> events;
  for (int n = 2; n <= 101; ++n) events.emplace_back(commit_seen(n));
  bench.loop.run_until_done(bench.submit_all(std::move(events)));
  CHECK(bench.store.recent_builds(1000).size() == 101);
  CHECK(bench.store.attempts - before <= 2);
}

TEST_CASE("while the store cannot be written nothing is acted on, and nothing is lost") {
  Bench bench;
  bench.loop.run_until_done(bench.submit_all({worker()}));
  bench.store.failures = 2;
  bool durable = false;
  const auto submit = [&]() -> io::Task<> {
    co_await bench.farm.submit(commit_seen(1));
    durable = true;
  };
  io::spawn(bench.loop.executor(), submit(), [](std::exception_ptr) {});
  for (int i = 0; i < 100 && bench.store.failures == 2; ++i) bench.loop.run_until_done(bench.breathe());
  bench.loop.run_until_done(bench.breathe());
  CHECK_FALSE(durable);
  CHECK(bench.actions.empty());
  REQUIRE(bench.farm.store_trouble());
  CHECK(bench.farm.store_trouble()->find("no space left") != std::string::npos);
  for (int i = 0; i < 100 && !durable; ++i) {
    bench.clock.advance(std::chrono::seconds{1}, [&] { bench.loop.poll(); });
    bench.loop.run_until_done(bench.breathe());
  }
  CHECK(durable);
  CHECK(bench.actions.size() == 1);
  CHECK_FALSE(bench.farm.store_trouble());
}

TEST_CASE("a coordinator that another one has replaced stops deciding") {
  Bench bench;
  bench.loop.run_until_done(bench.submit_all({commit_seen(1)}));
  bench.store.begin_epoch();
  bool refused = false;
  const auto submit = [&]() -> io::Task<> {
    try {
      co_await bench.farm.submit(commit_seen(2));
    } catch (const std::exception&) {
      refused = true;
    }
  };
  io::spawn(bench.loop.executor(), submit(), [](std::exception_ptr) {});
  for (int i = 0; i < 100; ++i) bench.loop.run_until_done(bench.breathe());
  CHECK_FALSE(bench.ended);
  CHECK(bench.store.recent_builds(10).size() == 1);
  bench.ended = true;  // run() has ended by the exception
  bench.farm.stop();
  bench.loop.run_until_done(bench.breathe());
  CHECK(refused);
}

TEST_CASE("beyond 4096 events that wait for a store which cannot be written nobody is asked for more") {
  Bench bench;
  bench.loop.run_until_done(bench.submit_all({worker()}));
  bench.store.failures = 1'000'000;
  for (int i = 1; i <= 4200; ++i) bench.farm.post(commit_seen(i));
  const auto pass = [&] {
    bench.clock.advance(std::chrono::seconds{2}, [&] { bench.loop.poll(); });
    bench.loop.run_until_done(bench.breathe());
  };
  pass();
  for (int i = 4201; i <= 4201 + 4095; ++i) bench.farm.post(commit_seen(i));
  CHECK(bench.farm.full());
  bench.store.failures = 0;
  for (int i = 0; i < 1000 && !bench.farm.settled(); ++i) pass();
  CHECK_FALSE(bench.farm.full());
  CHECK(bench.farm.settled());
  CHECK(bench.store.recent_builds(100'000).size() == 4201 + 4095);
}
