#include <build/store/store.h>
#include <doctest/doctest.h>

#include "records.h"
#include "support/support.h"

#include <sys/stat.h>
#include <unistd.h>

using namespace build;
using namespace testing;

namespace {

/// Applies `changes` as the newest coordinator.
void write(store::Store& store, const model::Changes& changes) { store.apply(changes, store.begin_epoch()); }

template <typename Error, typename F>
std::string message_of(F function) {
  try {
    function();
  } catch (const Error& error) {
    return error.what();
  }
  return "(nothing was thrown)";
}

}  // namespace

TEST_CASE("what was applied is there after opening again") {
  TempDir dir;
  model::Build build = waiting_build(1, 1);
  build.state = model::BuildState::running;
  build.attempts = 2;
  model::Attempt lost = running_attempt(1, 1);
  lost.ended = at(50);
  lost.outcome = model::AttemptOutcome::lost;
  lost.why = "the worker's connection was lost";
  const model::Attempt attempt = running_attempt(1, 2);
  model::Step over = running_step(1, 1, 0);
  over.ended = at(40);
  over.outcome = model::AttemptOutcome::failed;
  over.status = "exit status 2";
  model::Step ended_step = running_step(1, 2, 0);
  ended_step.ended = at(55);
  ended_step.outcome = model::AttemptOutcome::ok;
  const model::Step step = running_step(1, 2, 1);
  model::Lease released = held_lease(11, 1);
  released.released = at(50);
  const model::Lease lease = held_lease(12, 1);
  model::Session ended = open_session("aaaa");
  ended.ended = at(50);
  ended.why = "the connection was reset";
  const model::Session session = open_session("5e55");
  {
    const auto store = store::open_sqlite(dir.path());
    write(*store, {commit(1), place(1), build, lost, attempt, over, ended_step, step, released, lease, ended, session});
  }

  const auto store = store::open_sqlite(dir.path());
  const model::OpenRows open = store->load_open();
  CHECK(open.builds == std::vector{build});
  CHECK(open.attempts == std::vector{attempt});
  CHECK(open.stopping == std::vector{lost});
  CHECK(open.steps == std::vector{ended_step, step});
  CHECK(open.leases == std::vector{lease});
  CHECK(open.sessions == std::vector{session});
  CHECK(open.heads == std::vector{place(1)});
  CHECK(open.built == std::vector{model::BuildKey{kRepository, hash(1), model::BuilderName("linux")}});
  CHECK(open.last_build == model::BuildId(1));
  CHECK(open.last_lease == model::LeaseNumber(12));

  const auto details = store->build(model::BuildId(1));
  REQUIRE(details);
  CHECK(details->build == build);
  CHECK(details->commit == commit(1));
  CHECK(details->attempts == std::vector{lost, attempt});
  CHECK(details->steps == std::vector{over, ended_step, step});
}

TEST_CASE("a new store is empty") {
  TempDir dir;
  const auto store = store::open_sqlite(dir.path());
  const model::OpenRows open = store->load_open();
  CHECK(open.builds.empty());
  CHECK(open.heads.empty());
  CHECK(open.last_build == model::BuildId());
  CHECK(open.last_lease == model::LeaseNumber());
  CHECK_FALSE(store->build(model::BuildId(1)));
  CHECK_FALSE(store->head(kRepository, kBranch));
  CHECK(store->branches().empty());
  CHECK(store->recent_builds(10).empty());
  CHECK(store->branch_page(kRepository, kBranch, {.limit = 10}).empty());
}

TEST_CASE("writing the same again changes nothing, writing a record with the same key replaces it") {
  TempDir dir;
  const auto store = store::open_sqlite(dir.path());
  const model::Epoch epoch = store->begin_epoch();
  const model::Changes changes{commit(1),
                               place(1),
                               waiting_build(1, 1),
                               running_attempt(1, 1),
                               running_step(1, 1, 0),
                               held_lease(11, 1),
                               open_session("5e55")};
  store->apply(changes, epoch);
  store->apply(changes, epoch);
  CHECK(store->load_open().builds == std::vector{waiting_build(1, 1)});
  CHECK(store->build(model::BuildId(1))->steps.size() == 1);

  model::Build build = waiting_build(1, 1);
  build.state = model::BuildState::finished;
  build.result = model::Result::ok;
  build.finished = at(99);
  model::Attempt attempt = running_attempt(1, 1);
  attempt.outcome = model::AttemptOutcome::ok;
  attempt.ended = at(99);
  model::Step step = running_step(1, 1, 0);
  step.outcome = model::AttemptOutcome::ok;
  step.ended = at(98);
  model::Lease lease = held_lease(11, 1);
  lease.released = at(99);
  model::Session session = open_session("5e55");
  session.ended = at(100);
  store->apply({build, attempt, step, lease, session}, epoch);

  const model::OpenRows open = store->load_open();
  CHECK(open.builds.empty());
  CHECK(open.attempts.empty());
  CHECK(open.stopping.empty());
  CHECK(open.steps.empty());
  CHECK(open.leases.empty());
  CHECK(open.sessions.empty());
  CHECK(open.built.size() == 1);
  CHECK(open.last_build == model::BuildId(1));
  CHECK(open.last_lease == model::LeaseNumber(11));
  const auto details = store->build(model::BuildId(1));
  CHECK(details->build == build);
  CHECK(details->attempts == std::vector{attempt});
  CHECK(details->steps == std::vector{step});
}

TEST_CASE("hostile text comes back byte for byte") {
  TempDir dir;
  const auto store = store::open_sqlite(dir.path());
  model::Commit hostile = commit(1);
  hostile.subject = "'); DROP TABLE builds; --";
  hostile.author_name = std::string("nul\0inside", 10);
  hostile.author_email = "\xff\xfe<script>\n\r";
  model::Build build = waiting_build(1, 1);
  build.why = "";
  write(*store, {hostile, build});
  const auto details = store->build(model::BuildId(1));
  CHECK(details->commit == hostile);
  CHECK(details->build == build);
}

TEST_CASE("a coordinator with an older epoch changes nothing") {
  TempDir dir;
  const auto old_store = store::open_sqlite(dir.path());
  const model::Epoch old_epoch = old_store->begin_epoch();
  old_store->apply({commit(1)}, old_epoch);

  const auto new_store = store::open_sqlite(dir.path());
  const model::Epoch new_epoch = new_store->begin_epoch();
  CHECK(new_epoch.value == old_epoch.value + 1);
  new_store->apply({waiting_build(1, 1)}, new_epoch);

  const std::string message =
      message_of<store::StaleEpoch>([&] { old_store->apply({waiting_build(2, 1, "other")}, old_epoch); });
  CHECK(message.ends_with("farm.db: this coordinator has epoch 1, and the newest is 2: another one has taken over"));
  CHECK_THROWS_AS(old_store->apply({}, old_epoch), store::StaleEpoch);
  // Nor one with an epoch that was never begun.
  CHECK_THROWS_AS(old_store->apply({}, model::Epoch(3)), store::StaleEpoch);
  CHECK(new_store->recent_builds(10) == std::vector{waiting_build(1, 1)});
  // The store goes on after the refusal.
  new_store->apply({waiting_build(2, 1, "other")}, new_epoch);
  CHECK(new_store->recent_builds(10).size() == 2);
}

TEST_CASE("epochs count on after opening again") {
  TempDir dir;
  for (int expected = 1; expected <= 3; ++expected)
    CHECK(store::open_sqlite(dir.path())->begin_epoch().value == expected);
}

TEST_CASE("of a group with one bad change nothing is written") {
  TempDir dir;
  const auto store = store::open_sqlite(dir.path());
  const model::Epoch epoch = store->begin_epoch();
  store->apply({commit(1), waiting_build(1, 1)}, epoch);

  SUBCASE("a second build of the same commit and builder") {
    const std::string message = message_of<std::runtime_error>([&] {
      store->apply({commit(2), waiting_build(2, 1)}, epoch);
    });
    CHECK(message ==
          (dir / "farm.db").string() +
              ": cannot write a build: UNIQUE constraint failed: builds.repository, builds.hash, builds.builder");
  }
  SUBCASE("a build of a commit that is not known") {
    const std::string message = message_of<std::runtime_error>([&] {
      store->apply({commit(2), waiting_build(2, 9)}, epoch);
    });
    CHECK(message ==
          (dir / "farm.db").string() +
              ": cannot commit: FOREIGN KEY constraint failed (a row of builds refers to no row of commits)");
  }
  CHECK(store->recent_builds(10) == std::vector{waiting_build(1, 1)});
  // Rolled back and ready for the next; within a group the order does not matter.
  store->apply({running_step(2, 1, 0), running_attempt(2, 1), waiting_build(2, 2), place(2), commit(2)}, epoch);
  CHECK(store->recent_builds(10) == std::vector{waiting_build(2, 2), waiting_build(1, 1)});
}

TEST_CASE("a branch is paged from its newest commit down") {
  TempDir dir;
  const auto store = store::open_sqlite(dir.path());
  model::Changes changes;
  for (int i = 1; i <= 7; ++i) changes.insert(changes.end(), {commit(i), place(i)});
  // Ids are not in the order of the names: a row's builds are.
  changes.insert(changes.end(), {waiting_build(1, 6, "mac"), waiting_build(2, 6, "linux"), waiting_build(3, 3)});
  model::BranchCommit elsewhere = place(7);
  elsewhere.branch = model::BranchName("dev");
  elsewhere.position = 1;
  changes.emplace_back(elsewhere);
  write(*store, changes);

  const auto positions = [&](std::size_t limit, std::optional<std::int64_t> before) {
    std::vector<std::int64_t> numbers;
    for (const auto& row : store->branch_page(kRepository, kBranch, {.limit = limit, .before = before}))
      numbers.push_back(row.place.position);
    return numbers;
  };
  CHECK(positions(3, std::nullopt) == std::vector<std::int64_t>{7, 6, 5});
  CHECK(positions(3, 5) == std::vector<std::int64_t>{4, 3, 2});
  CHECK(positions(3, 2) == std::vector<std::int64_t>{1});
  CHECK(positions(3, 1).empty());
  CHECK(positions(0, std::nullopt).empty());
  CHECK(positions(SIZE_MAX, std::nullopt).size() == 7);

  const auto page = store->branch_page(kRepository, kBranch, {.limit = 2});
  CHECK(page[0].commit == commit(7));
  CHECK(page[0].builds.empty());
  CHECK(page[1].place == place(6));
  CHECK(page[1].builds == std::vector{waiting_build(2, 6, "linux"), waiting_build(1, 6, "mac")});
  CHECK(store->branch_page(model::RepositoryName("other"), kBranch, {.limit = 2}).empty());

  CHECK(store->head(kRepository, kBranch) == place(7));
  CHECK(store->branches() == std::vector<std::pair<model::RepositoryName, model::BranchName>>{
                                 {kRepository, model::BranchName("dev")}, {kRepository, kBranch}});
  CHECK(store->load_open().heads == std::vector{elsewhere, place(7)});
}

TEST_CASE("a branch is paged upwards too, and by the state of its builds") {
  TempDir dir;
  const auto store = store::open_sqlite(dir.path());
  model::Changes changes;
  for (int i = 1; i <= 6; ++i) changes.insert(changes.end(), {commit(i), place(i)});
  for (int i = 1; i <= 6; ++i) {
    model::Build build = waiting_build(i, i, i % 2 == 0 ? "linux-debug" : "mac");
    build.state = model::BuildState::finished;
    build.finished = at(60);
    build.result = i <= 3 ? model::Result::failed : model::Result::ok;
    changes.emplace_back(build);
  }
  changes.emplace_back(waiting_build(7, 2, "mac"));
  write(*store, changes);
  const auto positions = [&](const store::CommitRange& range) {
    std::vector<std::int64_t> numbers;
    for (const auto& row : store->branch_page(kRepository, kBranch, range)) numbers.push_back(row.place.position);
    return numbers;
  };
  using Numbers = std::vector<std::int64_t>;
  CHECK(positions({.limit = 2, .after = 2}) == Numbers{4, 3});
  CHECK(positions({.limit = 9, .after = 4}) == Numbers{6, 5});
  CHECK(positions({.limit = 9, .after = 6}).empty());
  CHECK(positions({.limit = 9, .before = 5, .after = 2}) == Numbers{4, 3});
  const std::pair failed(model::BuildState::finished, model::Result::failed);
  CHECK(positions({.limit = 9, .with = failed}) == Numbers{3, 2, 1});
  CHECK(positions({.limit = 2, .with = failed}) == Numbers{3, 2});
  CHECK(positions({.limit = 1, .after = 1, .with = failed}) == Numbers{2});
  CHECK(positions({.limit = 9, .with = failed, .builder = "linux"}) == Numbers{2});
  CHECK(positions({.limit = 9, .with = failed, .builder = "%"}).empty());
  CHECK(positions({.limit = 9, .with = std::pair(model::BuildState::waiting, model::Result::none)}) == Numbers{2});
  // All builds of such a commit come with it.
  CHECK(store->branch_page(kRepository, kBranch, {.limit = 1, .after = 1, .with = failed}).front().builds.size() == 2);
}

TEST_CASE("sessions that ended lately are told, the newest end first") {
  TempDir dir;
  const auto store = store::open_sqlite(dir.path());
  model::Changes changes{open_session("still-there")};
  for (const int second : {10, 30, 20}) {
    model::Session session = open_session("s" + std::to_string(second));
    session.ended = at(second);
    session.why = "the connection was reset";
    changes.emplace_back(session);
  }
  write(*store, changes);
  const auto ids = [&](int since, std::size_t limit) {
    std::vector<std::string> names;
    for (const auto& session : store->ended_sessions(at(since), limit)) names.push_back(session.id.value);
    return names;
  };
  CHECK(ids(0, 10) == std::vector<std::string>{"s30", "s20", "s10"});
  CHECK(ids(20, 10) == std::vector<std::string>{"s30", "s20"});
  CHECK(ids(0, 1) == std::vector<std::string>{"s30"});
  CHECK(ids(31, 10).empty());
  CHECK(store->ended_sessions(at(0), 1).front().why == "the connection was reset");
}

TEST_CASE("the newest builds come first, as many as asked for") {
  TempDir dir;
  const auto store = store::open_sqlite(dir.path());
  model::Changes changes;
  for (int i = 1; i <= 5; ++i) changes.insert(changes.end(), {commit(i), waiting_build(i, i)});
  write(*store, changes);
  CHECK(store->recent_builds(2) == std::vector{waiting_build(5, 5), waiting_build(4, 4)});
  CHECK(store->recent_builds(100).size() == 5);
}

TEST_CASE("the database is for its owner only") {
  TempDir dir;
  const auto store = store::open_sqlite(dir.path());
  write(*store, {commit(1)});
  for (const char* name : {"farm.db", "farm.db-wal", "farm.db-shm"}) {
    struct stat status {};
    REQUIRE(::stat((dir / name).c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
  }
}

TEST_CASE("a store that cannot be opened is named with the reason") {
  TempDir dir;
  SUBCASE("there is no such directory") {
    const std::string message = message_of<std::runtime_error>([&] { store::open_sqlite(dir / "missing"); });
    CHECK(message == "cannot open " + (dir / "missing/farm.db").string() + ": No such file or directory");
  }
  SUBCASE("the file is no database") {
    write_file(dir / "farm.db", std::string(8192, 'x'));
    const std::string message = message_of<std::runtime_error>([&] { store::open_sqlite(dir.path()); });
    CHECK(message == (dir / "farm.db").string() + ": cannot set it up: file is not a database");
  }
  SUBCASE("a directory has the file's name") {
    std::filesystem::create_directory(dir / "farm.db");
    const std::string message = message_of<std::runtime_error>([&] { store::open_sqlite(dir.path()); });
    CHECK(message == "cannot open " + (dir / "farm.db").string() + ": Is a directory");
  }
}
