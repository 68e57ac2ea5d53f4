// Cancel, retry, clear, reload and drain: what people are told, and what is in the store then.
#include <build/coordinator/coordinator.h>
#include <doctest/doctest.h>
#include <io/event_loop.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/forwarding_store.h"
#include "support/support.h"

using namespace build;
using Outcome = coordinator::ControlAnswer::Outcome;

namespace {

const model::RepositoryName kRepository("demo");

model::CommitHash hash(int number) { return model::CommitHash(std::string(39, '0') + std::to_string(number)); }

class FullStore final : public testing::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  void apply(const model::Changes& changes, model::Epoch epoch) override {
    if (full) throw std::runtime_error("farm.db: no space left on device");
    ForwardingStore::apply(changes, epoch);
  }
  bool full = false;
};

/// A coordinator without workers. Build 1 waits, 2 has failed, 3 has failed on a builder that is not configured.
struct Bench {
  testing::TempDir directory;
  io::EventLoop loop;
  io::RealClock clock;
  io::BlockingPool pool{2};
  base::Logger log{[] { return model::Time{}; }, [](std::string_view) {}};
  base::SeededRandom random{1};
  FullStore store{make_store(directory.path())};
  livelog::LogStore logs{directory / "logs", loop.executor(), pool};
  coordinator::Coordinator coordinator{
      {loop.executor(), clock, pool, random, log}, config(), {.master_key = "secret"}, store, logs};

  Bench() {
    io::spawn(loop.executor(), coordinator.run(), [](std::exception_ptr) {});
  }
  ~Bench() { loop.run_until_done(coordinator.stop()); }

  config::FarmConfig config() const {
    return config::parse("[coordinator]\nstate_dir = '" + (directory / "state").string() +
                             "'\n[[builder]]\nname = 'linux'\nhost_type = 'h'\n[[repository]]\nname = 'demo'\nurl = '" +
                             (directory / "none").string() + "'\n[[repository.step]]\nname = 's'\ncommand = 'true'\n",
                         "farm.toml", "/");
  }

  static std::unique_ptr<store::Store> make_store(const std::filesystem::path& directory) {
    auto store = store::open_sqlite(directory);
    model::Changes changes;
    for (int i = 1; i <= 3; ++i) {
      changes.push_back(model::Commit{.repository = kRepository,
                                      .hash = hash(i),
                                      .author_name = "A",
                                      .author_email = "",
                                      .subject = "",
                                      .committed = {}});
      model::Build build{.id = model::BuildId(i),
                         .repository = kRepository,
                         .branch = model::BranchName("main"),
                         .commit = hash(i),
                         .builder = model::BuilderName(i == 3 ? "gone" : "linux"),
                         .host_type = model::HostType("h"),
                         .position = i};
      if (i > 1) {
        build.state = model::BuildState::finished;
        build.result = model::Result::failed;
        build.finished = model::Time{};
        build.why = "exit status 1";
      }
      changes.push_back(build);
    }
    store->apply(changes, store->begin_epoch());
    return store;
  }

  coordinator::ControlAnswer answer(io::Task<coordinator::ControlAnswer> task) {
    std::optional<coordinator::ControlAnswer> value;
    const auto run = [&]() -> io::Task<> { value = co_await std::move(task); };
    loop.run_until_done(run());
    return *value;
  }
  model::Build build(int id) { return store.build(model::BuildId(id))->build; }
};

}  // namespace

TEST_CASE("cancelling answers with what is in the store") {
  Bench bench;
  auto answer = bench.answer(bench.coordinator.cancel_build(model::BuildId(1), "ann"));
  CHECK(answer.outcome == Outcome::done);
  CHECK(bench.build(1).result == model::Result::cancelled);
  CHECK(bench.build(1).why == "cancelled by ann");
  answer = bench.answer(bench.coordinator.cancel_build(model::BuildId(1), "bob"));
  CHECK(answer.outcome == Outcome::refused);
  CHECK(answer.sentence == "There is nothing to cancel: build 1 ended as cancelled.");
  CHECK(bench.answer(bench.coordinator.cancel_build(model::BuildId(9), "ann")).outcome == Outcome::unknown);
}

TEST_CASE("retrying clears a result, and is refused where there is none or nobody would build it") {
  Bench bench;
  auto answer = bench.answer(bench.coordinator.retry_build(model::BuildId(1), "ann"));
  CHECK(answer.outcome == Outcome::refused);
  CHECK(answer.sentence == "There is no result to clear: build 1 is waiting.");
  answer = bench.answer(bench.coordinator.retry_build(model::BuildId(2), std::string(1000, 'x')));
  CHECK(answer.outcome == Outcome::done);
  CHECK(bench.build(2).state == model::BuildState::waiting);
  const auto cleared = bench.store.build(model::BuildId(2))->cleared;
  REQUIRE(cleared.size() == 1);
  CHECK(cleared[0].why == "exit status 1");
  CHECK(cleared[0].cleared_by.size() == coordinator::kMaxPersonName);
  answer = bench.answer(bench.coordinator.retry_build(model::BuildId(3), "ann"));
  CHECK(answer.outcome == Outcome::refused);
  CHECK(answer.sentence == "It cannot be built again: builder gone is no longer configured.");
  CHECK(bench.answer(bench.coordinator.retry_build(model::BuildId(9), "ann")).outcome == Outcome::unknown);
}

TEST_CASE("results are cleared by builder and commit; that there is none is no error") {
  Bench bench;
  const model::BuilderName linux_builder("linux");
  CHECK(bench.answer(bench.coordinator.clear_results(linux_builder, hash(2), "key")).sentence ==
        "The result is cleared.");
  CHECK(bench.build(2).state == model::BuildState::waiting);
  for (const int commit : {1, 2, 7}) {
    const auto answer = bench.answer(bench.coordinator.clear_results(linux_builder, hash(commit), "key"));
    CHECK(answer.outcome == Outcome::done);
    CHECK(answer.sentence == "There was no result to clear.");
  }
  CHECK(bench.answer(bench.coordinator.clear_results(model::BuilderName("gone"), hash(3), "key")).outcome ==
        Outcome::refused);
}

TEST_CASE("two who retry at once get one retry") {
  Bench bench;
  std::vector<coordinator::ControlAnswer> answers;
  const auto retry = [&](std::string by) -> io::Task<> {
    answers.push_back(co_await bench.coordinator.retry_build(model::BuildId(2), std::move(by)));
  };
  io::spawn(bench.loop.executor(), retry("ann"), [](std::exception_ptr) {});
  const auto both = [&]() -> io::Task<> {
    co_await retry("bob");
    while (answers.size() < 2) co_await bench.clock.sleep_for(std::chrono::milliseconds{1});
  };
  bench.loop.run_until_done(both());
  CHECK(bench.build(2).retries == 1);
  CHECK(bench.store.build(model::BuildId(2))->cleared.size() == 1);
}

TEST_CASE("while the store cannot be written nobody waits for an answer") {
  Bench bench;
  bench.store.full = true;
  bool first_ended = false;
  const auto first = [&]() -> io::Task<> {
    co_await bench.coordinator.cancel_build(model::BuildId(1), "ann");
    first_ended = true;
  };
  io::spawn(bench.loop.executor(), first(), [](std::exception_ptr) {});
  const auto trouble = [&]() -> io::Task<> {
    while (!bench.coordinator.in_trouble() || bench.coordinator.notices().empty() ||
           bench.coordinator.notices().front().find("no space left") == std::string::npos)
      co_await bench.clock.sleep_for(std::chrono::milliseconds{1});
  };
  bench.loop.run_until_done(trouble());
  const auto answer = bench.answer(bench.coordinator.retry_build(model::BuildId(2), "ann"));
  CHECK(answer.outcome == Outcome::refused);
  CHECK(answer.sentence.find("no space left on device") != std::string::npos);
  CHECK_FALSE(first_ended);
  bench.store.full = false;
  const auto end = [&]() -> io::Task<> {
    while (!first_ended) co_await bench.clock.sleep_for(std::chrono::milliseconds{1});
  };
  bench.loop.run_until_done(end());
  CHECK(bench.build(1).result == model::Result::cancelled);
}

TEST_CASE("a configuration that is refused changes nothing; one that is taken over ends what is not in it") {
  Bench bench;
  config::FarmConfig bad = bench.config();
  bad.repositories.front().url = "ext::sh";
  CHECK_THROWS_AS(bench.coordinator.reload(bad), std::invalid_argument);
  CHECK(bench.coordinator.config() == bench.config());
  config::FarmConfig other = bench.config();
  other.repositories.clear();
  other.listen = "127.0.0.1:1";
  CHECK(bench.coordinator.reload(other).size() == 1);
  CHECK(bench.coordinator.config().listen == bench.config().listen);
  const auto idle = [&]() -> io::Task<> { co_await bench.coordinator.until_idle(); };
  bench.loop.run_until_done(idle());
  CHECK(bench.build(1).result == model::Result::lost);
  CHECK(bench.build(1).why == "repository demo is no longer configured");
}

TEST_CASE("draining returns when nothing runs, and is said to those who wait") {
  Bench bench;
  bench.loop.run_until_done(bench.coordinator.drain());
  CHECK(bench.coordinator.draining());
  CHECK(bench.build(1).state == model::BuildState::waiting);
  REQUIRE(bench.coordinator.farm().explain(model::BuildId(1)));
  CHECK(bench.coordinator.farm().explain(model::BuildId(1))->label == "draining");
}
