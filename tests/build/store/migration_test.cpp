#include <doctest/doctest.h>

#include "records.h"
#include "schema.h"
#include "sqlite_store.h"
#include "support/support.h"

#include <sys/wait.h>
#include <unistd.h>

using namespace build;
using namespace testing;

namespace {

template <typename F>
std::string message_of(F function) {
  try {
    function();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "(nothing was thrown)";
}

void run_sql(const std::filesystem::path& file, const char* sql) {
  store::Database(file, store::Database::Access::read_write).execute({"prepare the test", sql});
}

std::int64_t number(const std::filesystem::path& file, const char* sql) {
  store::Database database(file, store::Database::Access::read_only);
  const store::Sql statement{"look", sql};
  auto query = database.query(statement);
  query.step();
  return query.integer();
}

/// This program's migrations and one that is yet to come.
std::vector<store::Migration> with_next(const char* sql) {
  const auto known = store::all_migrations();
  std::vector<store::Migration> migrations(known.begin(), known.end());
  migrations.push_back({static_cast<int>(migrations.size()) + 1, "priorities", sql});
  return migrations;
}

}  // namespace

TEST_CASE("versions of the schema count from 1 without gaps") {
  int expected = 1;
  for (const store::Migration& migration : store::all_migrations()) CHECK(migration.version == expected++);
}

TEST_CASE("each migration is recorded with its name and time") {
  TempDir dir;
  store::open_sqlite(dir.path());
  CHECK(number(dir / "farm.db", "SELECT count(*) FROM schema_migrations") == std::ssize(store::all_migrations()));
  CHECK(number(dir / "farm.db",
               "SELECT count(*) FROM schema_migrations WHERE schema_version = 1 AND name <> ''"
               " AND applied_at > 1700000000000") == 1);
  store::open_sqlite(dir.path());
  CHECK(number(dir / "farm.db", "SELECT count(*) FROM schema_migrations") == std::ssize(store::all_migrations()));
}

TEST_CASE("an older schema is brought up to date and keeps its rows") {
  TempDir dir;
  {
    const auto store = store::open_sqlite(dir.path());
    store->apply({commit(1), waiting_build(1, 1)}, store->begin_epoch());
  }
  const auto next = with_next("ALTER TABLE builds ADD COLUMN priority INTEGER NOT NULL DEFAULT 7");
  const auto store = store::open_sqlite(dir.path(), next);
  CHECK(number(dir / "farm.db", "SELECT priority FROM builds") == 7);
  CHECK(store->recent_builds(1) == std::vector{waiting_build(1, 1)});
}

TEST_CASE("a farm of the first schema keeps its rows, and they may say what the second one knows") {
  TempDir dir;
  store::open_sqlite(dir.path(), store::all_migrations().first(1));
  run_sql(
      dir / "farm.db",
      "INSERT INTO commits VALUES ('zlib', 'c0ffee', 'Author', 'author@example.com', 'change', 1);"
      "INSERT INTO branch_commits VALUES ('zlib', 'main', 1, 'c0ffee');"
      "INSERT INTO builds VALUES (1, 'zlib', 'main', 'c0ffee', 'linux', 'host', 1, 'running', 'none', 2, 3, NULL, '');"
      "INSERT INTO builds VALUES (2, 'zlib', 'main', 'c0ffee', 'arm', 'host', 1, 'finished', 'lost', 1, 3, 4, 'gone');"
      "INSERT INTO attempts VALUES (1, 1, 7, 's', 'w', 'h', 5, 6, 'lost', 'gone');"
      "INSERT INTO attempts VALUES (1, 2, 8, 's', 'w', 'h', 7, NULL, 'running', '');"
      "INSERT INTO steps VALUES (1, 2, 0, 'source', '', 'b1-a2-s0', 8, NULL, 'running', '');"
      "INSERT INTO leases VALUES (8, 'w', 's', 1, 2, 7, NULL)");
  const auto store = store::open_sqlite(dir.path());
  const model::OpenRows open = store->load_open();
  REQUIRE(open.builds.size() == 1);
  CHECK(open.builds[0].attempts == 2);
  CHECK(open.builds[0].retries == 0);
  CHECK(open.attempts.size() == 1);
  CHECK(open.steps.size() == 1);
  CHECK(open.leases.size() == 1);
  CHECK(open.built.size() == 2);
  CHECK(open.heads.size() == 1);
  const auto before = store->build(model::BuildId(1));
  REQUIRE(before);
  CHECK(before->attempts.size() == 2);
  CHECK_FALSE(before->attempts[1].resumable);

  model::Build build = before->build;
  build.state = model::BuildState::finished;
  build.result = model::Result::cancelled;
  model::Attempt attempt = before->attempts[1];
  attempt.outcome = model::AttemptOutcome::cancelled;
  store->apply({build, attempt}, store->begin_epoch());
  CHECK(store->build(model::BuildId(1))->build == build);
  CHECK(number(dir / "farm.db", "SELECT count(*) FROM pragma_foreign_key_check") == 0);
  // The rebuilt tables still refer to each other.
  attempt.build = model::BuildId(99);
  CHECK(message_of([&] {
          store->apply({attempt}, store->begin_epoch());
        }).find("a row of attempts refers to no row of") != std::string::npos);
}

TEST_CASE("a migration that fails leaves the schema as it was") {
  TempDir dir;
  store::open_sqlite(dir.path());
  const auto bad = with_next("ALTER TABLE builds ADD COLUMN priority INTEGER; SELECT nonsense FROM nowhere");
  const std::string message = message_of([&] { store::open_sqlite(dir.path(), bad); });
  CHECK(message == (dir / "farm.db").string() + ": cannot bring its schema to version " + std::to_string(bad.size()) +
                       " (priorities): no such table: nowhere");
  CHECK(number(dir / "farm.db", "SELECT count(*) FROM pragma_table_info('builds') WHERE name = 'priority'") == 0);
  store::open_sqlite(dir.path());
}

TEST_CASE("a newer schema is refused, naming both versions") {
  TempDir dir;
  store::open_sqlite(dir.path());
  run_sql(dir / "farm.db", "INSERT INTO schema_migrations VALUES (1000, 'from the future', 0)");
  const std::string message = message_of([&] { store::open_sqlite(dir.path()); });
  CHECK(message == (dir / "farm.db").string() + " has schema version 1000, and this program knows versions up to " +
                       std::to_string(store::all_migrations().size()) +
                       ": it was written by a newer xbuild, use that one");
}

TEST_CASE("the database of another program is left alone") {
  TempDir dir;
  run_sql(dir / "farm.db", "CREATE TABLE recipes (name TEXT)");
  const std::string message = message_of([&] { store::open_sqlite(dir.path()); });
  CHECK(message ==
        (dir / "farm.db").string() + " is the database of another program: it has tables, but no schema_migrations");
  CHECK(number(dir / "farm.db", "SELECT count(*) FROM sqlite_master") == 1);
}

TEST_CASE("of programs that start at once one migrates, and all find a whole schema") {
  TempDir dir;
  store::open_sqlite(dir.path());
  const auto next = with_next("ALTER TABLE builds ADD COLUMN priority INTEGER NOT NULL DEFAULT 7");
  constexpr int kPrograms = 8;
  for (int i = 0; i < kPrograms; ++i) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      const bool opened = message_of([&] { store::open_sqlite(dir.path(), next); }) == "(nothing was thrown)";
      ::_exit(opened ? 0 : 1);
    }
  }
  for (int i = 0; i < kPrograms; ++i) {
    int status = 0;
    REQUIRE(::wait(&status) > 0);
    CHECK(status == 0);
  }
  CHECK(number(dir / "farm.db", "SELECT count(*) FROM schema_migrations") == std::ssize(next));
}

TEST_CASE("a directory that cannot be written to is named with the reason") {
  TempDir dir;
  std::filesystem::create_directory(dir / "state");
  const auto open = [&] { return message_of([&] { store::open_sqlite(dir / "state"); }); };
  const std::string expected = "cannot open " + (dir / "state/farm.db").string() + ": ";
  if (::geteuid() != 0) {
    std::filesystem::permissions(dir / "state",
                                 std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
    CHECK(open() == expected + "Permission denied");
    std::filesystem::permissions(dir / "state", std::filesystem::perms::owner_all);
    return;
  }
  // Permissions do not hold root back: a child without that power tries.
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) ::_exit(::seteuid(65534) == 0 && open() == expected + "Permission denied" ? 0 : 1);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}
