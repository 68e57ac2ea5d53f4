#include "schema.h"

#include <array>
#include <stdexcept>

namespace build::store {

namespace {

// References are checked at commit: the rows of a group may come in any order. Sessions are referred to by id alone;
// they may be forgotten sooner than builds.
constexpr const char* kFirstSchema = R"sql(
CREATE TABLE coordinator (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  epoch    INTEGER NOT NULL
) STRICT;
INSERT INTO coordinator VALUES (1, 0);

CREATE TABLE commits (
  repository   TEXT NOT NULL,
  hash         TEXT NOT NULL,
  author_name  TEXT NOT NULL,
  author_email TEXT NOT NULL,
  subject      TEXT NOT NULL,
  committed    INTEGER NOT NULL,
  PRIMARY KEY (repository, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE branch_commits (
  repository TEXT NOT NULL,
  branch     TEXT NOT NULL,
  position   INTEGER NOT NULL,
  hash       TEXT NOT NULL,
  PRIMARY KEY (repository, branch, position),
  FOREIGN KEY (repository, hash) REFERENCES commits DEFERRABLE INITIALLY DEFERRED
) STRICT, WITHOUT ROWID;

CREATE TABLE builds (
  id         INTEGER PRIMARY KEY,
  repository TEXT NOT NULL,
  branch     TEXT NOT NULL,
  hash       TEXT NOT NULL,
  builder    TEXT NOT NULL,
  host_type  TEXT NOT NULL,
  position   INTEGER NOT NULL,
  state      TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'finished')),
  result     TEXT NOT NULL CHECK (result IN ('none', 'ok', 'failed', 'lost')),
  attempts   INTEGER NOT NULL,
  accepted   INTEGER NOT NULL,
  finished   INTEGER,
  why        TEXT NOT NULL,
  UNIQUE (repository, hash, builder),
  FOREIGN KEY (repository, hash) REFERENCES commits DEFERRABLE INITIALLY DEFERRED
) STRICT;
CREATE INDEX builds_open ON builds (id) WHERE state <> 'finished';

CREATE TABLE attempts (
  build    INTEGER NOT NULL REFERENCES builds DEFERRABLE INITIALLY DEFERRED,
  number   INTEGER NOT NULL,
  lease    INTEGER NOT NULL,
  session  TEXT NOT NULL,
  worker   TEXT NOT NULL,
  hostname TEXT NOT NULL,
  started  INTEGER NOT NULL,
  ended    INTEGER,
  outcome  TEXT NOT NULL CHECK (outcome IN ('running', 'ok', 'failed', 'lost')),
  why      TEXT NOT NULL,
  PRIMARY KEY (build, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX attempts_open ON attempts (build) WHERE outcome = 'running';

CREATE TABLE steps (
  build        INTEGER NOT NULL,
  attempt      INTEGER NOT NULL,
  step_index   INTEGER NOT NULL,
  name         TEXT NOT NULL,
  command      TEXT NOT NULL,
  run          TEXT NOT NULL,
  started      INTEGER NOT NULL,
  ended        INTEGER,
  outcome      TEXT NOT NULL CHECK (outcome IN ('running', 'ok', 'failed', 'lost')),
  status       TEXT NOT NULL,
  PRIMARY KEY (build, attempt, step_index),
  FOREIGN KEY (build, attempt) REFERENCES attempts DEFERRABLE INITIALLY DEFERRED
) STRICT, WITHOUT ROWID;
CREATE INDEX steps_open ON steps (build) WHERE outcome = 'running';

CREATE TABLE leases (
  number   INTEGER PRIMARY KEY,
  worker   TEXT NOT NULL,
  session  TEXT NOT NULL,
  build    INTEGER NOT NULL REFERENCES builds DEFERRABLE INITIALLY DEFERRED,
  attempt  INTEGER NOT NULL,
  granted  INTEGER NOT NULL,
  released INTEGER
) STRICT;
CREATE INDEX leases_open ON leases (number) WHERE released IS NULL;

CREATE TABLE sessions (
  id        TEXT PRIMARY KEY,
  worker    TEXT NOT NULL,
  instance  TEXT NOT NULL,
  host_type TEXT NOT NULL,
  hostname  TEXT NOT NULL,
  version   TEXT NOT NULL,
  features  TEXT NOT NULL,
  peer      TEXT NOT NULL,
  dev_key   INTEGER NOT NULL CHECK (dev_key IN (0, 1)),
  connected INTEGER NOT NULL,
  ended     INTEGER,
  why       TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_open ON sessions (id) WHERE ended IS NULL;
)sql";

// SQLite cannot change a CHECK in place: the tables are rebuilt (references are not checked meanwhile).
constexpr const char* kCancelAndRetry = R"sql(
CREATE TABLE new_builds (
  id              INTEGER PRIMARY KEY,
  repository      TEXT NOT NULL,
  branch          TEXT NOT NULL,
  hash            TEXT NOT NULL,
  builder         TEXT NOT NULL,
  host_type       TEXT NOT NULL,
  position        INTEGER NOT NULL,
  state           TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'finished')),
  result          TEXT NOT NULL CHECK (result IN ('none', 'ok', 'failed', 'lost', 'cancelled')),
  attempts        INTEGER NOT NULL,
  accepted        INTEGER NOT NULL,
  finished        INTEGER,
  why             TEXT NOT NULL,
  retries         INTEGER NOT NULL,
  attempts_before INTEGER NOT NULL,
  UNIQUE (repository, hash, builder),
  FOREIGN KEY (repository, hash) REFERENCES commits DEFERRABLE INITIALLY DEFERRED
) STRICT;
INSERT INTO new_builds
  SELECT id, repository, branch, hash, builder, host_type, position, state, result, attempts, accepted, finished, why,
         0, 0 FROM builds;
DROP TABLE builds;
ALTER TABLE new_builds RENAME TO builds;
CREATE INDEX builds_open ON builds (id) WHERE state <> 'finished';
CREATE INDEX builds_by_commit ON builds (hash, builder);

CREATE TABLE new_attempts (
  build    INTEGER NOT NULL REFERENCES builds DEFERRABLE INITIALLY DEFERRED,
  number   INTEGER NOT NULL,
  lease    INTEGER NOT NULL,
  session  TEXT NOT NULL,
  worker   TEXT NOT NULL,
  hostname TEXT NOT NULL,
  started  INTEGER NOT NULL,
  ended    INTEGER,
  outcome  TEXT NOT NULL CHECK (outcome IN ('running', 'ok', 'failed', 'lost', 'cancelled')),
  why      TEXT NOT NULL,
  PRIMARY KEY (build, number)
) STRICT, WITHOUT ROWID;
INSERT INTO new_attempts
  SELECT build, number, lease, session, worker, hostname, started, ended, outcome, why FROM attempts;
DROP TABLE attempts;
ALTER TABLE new_attempts RENAME TO attempts;
CREATE INDEX attempts_open ON attempts (build) WHERE outcome = 'running';

CREATE TABLE new_steps (
  build        INTEGER NOT NULL,
  attempt      INTEGER NOT NULL,
  step_index   INTEGER NOT NULL,
  name         TEXT NOT NULL,
  command      TEXT NOT NULL,
  run          TEXT NOT NULL,
  started      INTEGER NOT NULL,
  ended        INTEGER,
  outcome      TEXT NOT NULL CHECK (outcome IN ('running', 'ok', 'failed', 'lost', 'cancelled')),
  status       TEXT NOT NULL,
  PRIMARY KEY (build, attempt, step_index),
  FOREIGN KEY (build, attempt) REFERENCES attempts DEFERRABLE INITIALLY DEFERRED
) STRICT, WITHOUT ROWID;
INSERT INTO new_steps
  SELECT build, attempt, step_index, name, command, run, started, ended, outcome, status FROM steps;
DROP TABLE steps;
ALTER TABLE new_steps RENAME TO steps;
CREATE INDEX steps_open ON steps (build) WHERE outcome = 'running';

CREATE TABLE cleared_results (
  build      INTEGER NOT NULL REFERENCES builds DEFERRABLE INITIALLY DEFERRED,
  number     INTEGER NOT NULL,
  result     TEXT NOT NULL CHECK (result IN ('ok', 'failed', 'lost', 'cancelled')),
  why        TEXT NOT NULL,
  finished   INTEGER NOT NULL,
  attempts   INTEGER NOT NULL,
  cleared    INTEGER NOT NULL,
  cleared_by TEXT NOT NULL,
  PRIMARY KEY (build, number)
) STRICT, WITHOUT ROWID;
)sql";

// Columns of builds that writing a build leaves alone: a build that is retried keeps what was noted of its logs.
constexpr const char* kRetention = R"sql(
ALTER TABLE builds ADD COLUMN logs_removed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE builds ADD COLUMN logs_removed_at INTEGER;
ALTER TABLE builds ADD COLUMN logs_removed_why TEXT NOT NULL DEFAULT '';
CREATE INDEX builds_finished ON builds (finished, id) WHERE state = 'finished';
CREATE INDEX builds_with_logs ON builds (finished, id) WHERE state = 'finished' AND logs_removed < attempts;
CREATE INDEX leases_of_build ON leases (build);

CREATE TABLE forgotten_builds (
  repository TEXT NOT NULL,
  hash       TEXT NOT NULL,
  builder    TEXT NOT NULL,
  PRIMARY KEY (repository, hash, builder)
) STRICT, WITHOUT ROWID;
ALTER TABLE coordinator ADD COLUMN last_build INTEGER NOT NULL DEFAULT 0;
ALTER TABLE coordinator ADD COLUMN last_lease INTEGER NOT NULL DEFAULT 0;
)sql";

// A start reads all steps of the attempts that run, so that their index by outcome is not used any more.
constexpr const char* kResumableAttempts = R"sql(
ALTER TABLE attempts ADD COLUMN resumable INTEGER NOT NULL DEFAULT 0 CHECK (resumable IN (0, 1));
DROP INDEX steps_open;
)sql";

constexpr std::array kMigrations{
    Migration{1, "commits, builds, attempts, steps, leases and sessions", kFirstSchema},
    Migration{2, "cancelled builds and cleared results", kCancelAndRetry},
    Migration{3, "removed logs and forgotten builds", kRetention},
    Migration{4, "attempts that go on without their session", kResumableAttempts},
};

constexpr Sql kMakeMigrationTable{"make the table of migrations",
                                  "CREATE TABLE IF NOT EXISTS schema_migrations ("
                                  " schema_version INTEGER PRIMARY KEY,"
                                  " name TEXT NOT NULL,"
                                  " applied_at INTEGER NOT NULL) STRICT"};
constexpr Sql kOtherTables{"look at its tables",
                           "SELECT (SELECT count(*) FROM sqlite_master WHERE name = 'schema_migrations'),"
                           "       (SELECT count(*) FROM sqlite_master WHERE type = 'table')"};
constexpr Sql kReadVersion{"read the schema's version",
                           "SELECT coalesce(max(schema_version), 0) FROM schema_migrations"};
constexpr Sql kRecordMigration{
    "record a migration", "INSERT INTO schema_migrations VALUES (?, ?, CAST(strftime('%s', 'now') AS INTEGER) * 1000)"};

std::int64_t version_of(Database& database) {
  auto query = database.query(kReadVersion);
  query.step();
  return query.integer();
}

void refuse_what_is_not_ours(Database& database) {
  auto query = database.query(kOtherTables);
  query.step();
  const bool has_migrations = query.integer() != 0;
  const bool has_tables = query.integer() != 0;
  if (has_tables && !has_migrations)
    throw std::runtime_error(database.file().string() +
                             " is the database of another program: it has tables, but no schema_migrations");
}

}  // namespace

std::span<const Migration> all_migrations() { return kMigrations; }

void migrate(Database& database, std::span<const Migration> migrations) {
  const std::int64_t newest = migrations.back().version;
  refuse_what_is_not_ours(database);
  // Under the write lock from the first look on: of two programs that start at once one does the work.
  Transaction transaction(database, Transaction::Kind::immediate);
  database.execute(kMakeMigrationTable);
  const std::int64_t version = version_of(database);
  if (version > newest)
    throw std::runtime_error(database.file().string() + " has schema version " + std::to_string(version) +
                             ", and this program knows versions up to " + std::to_string(newest) +
                             ": it was written by a newer xbuild, use that one");
  for (const Migration& migration : migrations) {
    if (migration.version <= version) continue;
    const std::string purpose =
        "bring its schema to version " + std::to_string(migration.version) + " (" + migration.name + ")";
    database.execute({purpose.c_str(), migration.sql});
    database.query(kRecordMigration).bind(migration.version).bind(std::string_view(migration.name)).run();
  }
  transaction.commit();
}

}  // namespace build::store
