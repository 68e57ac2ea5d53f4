// One upsert per kind of record, one list of columns per kind for reading; both name the columns in the same order.
// Instants are milliseconds since 1970 in UTC, enumerations their names.
#include "rows.h"

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace build::store {

namespace {

using model::Time;

constexpr Sql kWriteCommit{
    "write a commit",
    "INSERT INTO commits (repository, hash, author_name, author_email, subject, committed) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (repository, hash) DO UPDATE SET author_name = excluded.author_name,"
    " author_email = excluded.author_email, subject = excluded.subject, committed = excluded.committed"};
constexpr Sql kWriteBranchCommit{"write a commit's place on a branch",
                                 "INSERT INTO branch_commits (repository, branch, position, hash) VALUES (?, ?, ?, ?)"
                                 " ON CONFLICT (repository, branch, position) DO UPDATE SET hash = excluded.hash"};
constexpr Sql kWriteBuild{
    "write a build",
    "INSERT INTO builds (id, repository, branch, hash, builder, host_type, position, state, result, attempts,"
    " accepted, finished, why, retries, attempts_before) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (id) DO UPDATE SET repository = excluded.repository, branch = excluded.branch, hash = excluded.hash,"
    " builder = excluded.builder, host_type = excluded.host_type, position = excluded.position,"
    " state = excluded.state, result = excluded.result, attempts = excluded.attempts, accepted = excluded.accepted,"
    " finished = excluded.finished, why = excluded.why, retries = excluded.retries,"
    " attempts_before = excluded.attempts_before"};
constexpr Sql kWriteAttempt{
    "write an attempt",
    "INSERT INTO attempts (build, number, lease, session, worker, hostname, started, ended, outcome, why, resumable)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (build, number) DO UPDATE SET lease = excluded.lease, session = excluded.session,"
    " worker = excluded.worker, hostname = excluded.hostname, started = excluded.started, ended = excluded.ended,"
    " outcome = excluded.outcome, why = excluded.why, resumable = excluded.resumable"};
constexpr Sql kWriteStep{
    "write a step",
    "INSERT INTO steps (build, attempt, step_index, name, command, run, started, ended, outcome, status)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (build, attempt, step_index) DO UPDATE SET name = excluded.name, command = excluded.command,"
    " run = excluded.run, started = excluded.started, ended = excluded.ended, outcome = excluded.outcome,"
    " status = excluded.status"};
constexpr Sql kWriteLease{
    "write a lease",
    "INSERT INTO leases (number, worker, session, build, attempt, granted, released) VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (number) DO UPDATE SET worker = excluded.worker, session = excluded.session,"
    " build = excluded.build, attempt = excluded.attempt, granted = excluded.granted, released = excluded.released"};
constexpr Sql kWriteSession{
    "write a session",
    "INSERT INTO sessions (id, worker, instance, host_type, hostname, version, features, peer, dev_key, connected,"
    " ended, why) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (id) DO UPDATE SET worker = excluded.worker, instance = excluded.instance,"
    " host_type = excluded.host_type, hostname = excluded.hostname, version = excluded.version,"
    " features = excluded.features, peer = excluded.peer, dev_key = excluded.dev_key,"
    " connected = excluded.connected, ended = excluded.ended, why = excluded.why"};
constexpr Sql kWriteClearedResult{
    "write a cleared result",
    "INSERT INTO cleared_results (build, number, result, why, finished, attempts, cleared, cleared_by)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (build, number) DO UPDATE SET result = excluded.result, why = excluded.why,"
    " finished = excluded.finished, attempts = excluded.attempts, cleared = excluded.cleared,"
    " cleared_by = excluded.cleared_by"};

#define XBUILD_COMMIT_COLUMNS "repository, hash, author_name, author_email, subject, committed"
#define XBUILD_BUILD_COLUMNS                                                                                      \
  "id, repository, branch, hash, builder, host_type, position, state, result, attempts, accepted, finished, why," \
  " retries, attempts_before"
#define XBUILD_ATTEMPT_COLUMNS \
  "build, number, lease, session, worker, hostname, started, ended, outcome, why, resumable"
#define XBUILD_STEP_COLUMNS "build, attempt, step_index, name, command, run, started, ended, outcome, status"
#define XBUILD_SESSION_COLUMNS \
  "id, worker, instance, host_type, hostname, version, features, peer, dev_key, connected, ended, why"

constexpr Sql kReadCommit{"read a commit",
                          "SELECT " XBUILD_COMMIT_COLUMNS " FROM commits WHERE repository = ? AND hash = ?"};
constexpr Sql kReadBuild{"read a build", "SELECT " XBUILD_BUILD_COLUMNS " FROM builds WHERE id = ?"};
constexpr Sql kReadBuildsOf{"read a commit's builds",
                            "SELECT " XBUILD_BUILD_COLUMNS
                            " FROM builds WHERE repository = ? AND hash = ? ORDER BY builder"};
constexpr Sql kReadBuildsBy{"read a builder's builds of a commit",
                            "SELECT " XBUILD_BUILD_COLUMNS " FROM builds WHERE hash = ? AND builder = ? ORDER BY id"};
constexpr Sql kReadRecentBuilds{"read the newest builds",
                                "SELECT " XBUILD_BUILD_COLUMNS " FROM builds ORDER BY id DESC LIMIT ?"};
constexpr Sql kReadAttempts{"read a build's attempts",
                            "SELECT " XBUILD_ATTEMPT_COLUMNS " FROM attempts WHERE build = ? ORDER BY number"};
constexpr Sql kReadSteps{"read a build's steps",
                         "SELECT " XBUILD_STEP_COLUMNS " FROM steps WHERE build = ? ORDER BY attempt, step_index"};
constexpr Sql kReadClearedResults{"read a build's cleared results",
                                  "SELECT build, number, result, why, finished, attempts, cleared, cleared_by"
                                  " FROM cleared_results WHERE build = ? ORDER BY number"};
// A page goes down from a position, or up from one; with a condition on the commits' builds, or with none.
#define XBUILD_READ_BRANCH                                                 \
  "SELECT repository, branch, position, hash FROM branch_commits AS place" \
  " WHERE repository = ? AND branch = ? AND position < ? AND position > ?"
#define XBUILD_WITH_BUILD                                                                       \
  " AND EXISTS (SELECT 1 FROM builds WHERE repository = place.repository AND hash = place.hash" \
  " AND state = ? AND result = ? AND instr(builder, ?) > 0)"
constexpr Sql kReadBranch{"read a page of a branch", XBUILD_READ_BRANCH " ORDER BY position DESC LIMIT ?"};
constexpr Sql kReadBranchUpwards{"read a page of a branch", XBUILD_READ_BRANCH " ORDER BY position LIMIT ?"};
constexpr Sql kReadBranchWith{"read a page of a branch's commits with such a build",
                              XBUILD_READ_BRANCH XBUILD_WITH_BUILD " ORDER BY position DESC LIMIT ?"};
constexpr Sql kReadBranchUpwardsWith{"read a page of a branch's commits with such a build",
                                     XBUILD_READ_BRANCH XBUILD_WITH_BUILD " ORDER BY position LIMIT ?"};
constexpr Sql kReadHeads{"read the heads of the branches",
                         "SELECT repository, branch, max(position), hash FROM branch_commits"
                         " GROUP BY repository, branch ORDER BY repository, branch"};
constexpr Sql kReadOpenBuilds{"read the open builds",
                              "SELECT " XBUILD_BUILD_COLUMNS " FROM builds WHERE state <> 'finished' ORDER BY id"};
constexpr Sql kReadOpenAttempts{"read the running attempts",
                                "SELECT " XBUILD_ATTEMPT_COLUMNS
                                " FROM attempts WHERE outcome = 'running' ORDER BY build, number"};
constexpr Sql kReadStoppingAttempts{"read the attempts that hold a worker though they ended",
                                    "SELECT " XBUILD_ATTEMPT_COLUMNS
                                    " FROM attempts WHERE outcome <> 'running' AND (build, number) IN"
                                    " (SELECT build, attempt FROM leases WHERE released IS NULL)"
                                    " ORDER BY build, number"};
constexpr Sql kReadOpenSteps{"read the running attempts' steps",
                             "SELECT " XBUILD_STEP_COLUMNS
                             " FROM steps WHERE (build, attempt) IN"
                             " (SELECT build, number FROM attempts WHERE outcome = 'running')"
                             " ORDER BY build, attempt, step_index"};
constexpr Sql kReadOpenLeases{"read the leases that are held",
                              "SELECT number, worker, session, build, attempt, granted, released FROM leases"
                              " WHERE released IS NULL ORDER BY number"};
constexpr Sql kReadOpenSessions{"read the sessions that are not over",
                                "SELECT " XBUILD_SESSION_COLUMNS
                                " FROM sessions WHERE ended IS NULL ORDER BY connected, id"};
constexpr Sql kReadEndedSessions{"read the sessions that ended lately",
                                 "SELECT " XBUILD_SESSION_COLUMNS
                                 " FROM sessions WHERE ended >= ? ORDER BY ended DESC, id LIMIT ?"};
constexpr Sql kReadBuilt{"read what was built",
                         "SELECT repository, hash, builder FROM builds"
                         " UNION SELECT repository, hash, builder FROM forgotten_builds"
                         " ORDER BY repository, hash, builder"};
constexpr Sql kReadLastNumbers{"read the greatest numbers",
                               "SELECT max(last_build, (SELECT coalesce(max(id), 0) FROM builds)),"
                               " max(last_lease, (SELECT coalesce(max(number), 0) FROM leases)) FROM coordinator"};

/// A list in one column: each item ends with a newline; newlines and backslashes inside are escaped.
std::string join_lines(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) {
    for (const char c : item) {
      if (c == '\\')
        text += "\\\\";
      else if (c == '\n')
        text += "\\n";
      else
        text += c;
    }
    text += '\n';
  }
  return text;
}

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> items;
  std::string item;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') {
      items.push_back(std::move(item));
      item.clear();
    } else if (text[i] == '\\' && i + 1 < text.size()) {
      ++i;
      item += text[i] == 'n' ? '\n' : text[i];
    } else {
      item += text[i];
    }
  }
  return items;
}

/// The columns' CHECKs keep other names out.
template <typename Enum>
Enum required(std::optional<Enum> value) {
  if (!value) throw std::runtime_error("the database holds a name that is none of its column's");
  return *value;
}

void write(Database& database, const model::Commit& commit) {
  database.query(kWriteCommit)
      .bind(commit.repository.value)
      .bind(commit.hash.value)
      .bind(commit.author_name)
      .bind(commit.author_email)
      .bind(commit.subject)
      .bind(number_of(commit.committed))
      .run();
}

void write(Database& database, const model::BranchCommit& place) {
  database.query(kWriteBranchCommit)
      .bind(place.repository.value)
      .bind(place.branch.value)
      .bind(place.position)
      .bind(place.hash.value)
      .run();
}

void write(Database& database, const model::Build& build) {
  database.query(kWriteBuild)
      .bind(build.id.value)
      .bind(build.repository.value)
      .bind(build.branch.value)
      .bind(build.commit.value)
      .bind(build.builder.value)
      .bind(build.host_type.value)
      .bind(build.position)
      .bind(name_of(build.state))
      .bind(name_of(build.result))
      .bind(build.attempts)
      .bind(number_of(build.accepted))
      .bind(number_of(build.finished))
      .bind(build.why)
      .bind(build.retries)
      .bind(build.attempts_before)
      .run();
}

void write(Database& database, const model::Attempt& attempt) {
  database.query(kWriteAttempt)
      .bind(attempt.build.value)
      .bind(attempt.number)
      .bind(attempt.lease.value)
      .bind(attempt.session.value)
      .bind(attempt.worker.value)
      .bind(attempt.hostname)
      .bind(number_of(attempt.started))
      .bind(number_of(attempt.ended))
      .bind(name_of(attempt.outcome))
      .bind(attempt.why)
      .bind(attempt.resumable ? 1 : 0)
      .run();
}

void write(Database& database, const model::Step& step) {
  database.query(kWriteStep)
      .bind(step.build.value)
      .bind(step.attempt)
      .bind(step.index)
      .bind(step.name)
      .bind(step.command)
      .bind(step.run.value)
      .bind(number_of(step.started))
      .bind(number_of(step.ended))
      .bind(name_of(step.outcome))
      .bind(step.status)
      .run();
}

void write(Database& database, const model::Lease& lease) {
  database.query(kWriteLease)
      .bind(lease.number.value)
      .bind(lease.worker.value)
      .bind(lease.session.value)
      .bind(lease.build.value)
      .bind(lease.attempt)
      .bind(number_of(lease.granted))
      .bind(number_of(lease.released))
      .run();
}

void write(Database& database, const model::Session& session) {
  database.query(kWriteSession)
      .bind(session.id.value)
      .bind(session.worker.value)
      .bind(session.instance.value)
      .bind(session.host_type.value)
      .bind(session.hostname)
      .bind(session.version)
      .bind(join_lines(session.features))
      .bind(session.peer)
      .bind(session.dev_key ? 1 : 0)
      .bind(number_of(session.connected))
      .bind(number_of(session.ended))
      .bind(session.why)
      .run();
}

void write(Database& database, const model::ClearedResult& cleared) {
  database.query(kWriteClearedResult)
      .bind(cleared.build.value)
      .bind(cleared.number)
      .bind(name_of(cleared.result))
      .bind(cleared.why)
      .bind(number_of(cleared.finished))
      .bind(cleared.attempts)
      .bind(number_of(cleared.cleared))
      .bind(cleared.cleared_by)
      .run();
}

// The initialisers run in the order written, which is the order of the columns.

model::Commit commit_from(Query& row) {
  return {.repository = model::RepositoryName(row.text()),
          .hash = model::CommitHash(row.text()),
          .author_name = row.text(),
          .author_email = row.text(),
          .subject = row.text(),
          .committed = time_from(row.integer())};
}

model::BranchCommit branch_commit_from(Query& row) {
  return {.repository = model::RepositoryName(row.text()),
          .branch = model::BranchName(row.text()),
          .position = row.integer(),
          .hash = model::CommitHash(row.text())};
}

model::Build build_from(Query& row) {
  return {.id = model::BuildId(row.integer()),
          .repository = model::RepositoryName(row.text()),
          .branch = model::BranchName(row.text()),
          .commit = model::CommitHash(row.text()),
          .builder = model::BuilderName(row.text()),
          .host_type = model::HostType(row.text()),
          .position = row.integer(),
          .state = required(model::build_state_from(row.text())),
          .result = required(model::result_from(row.text())),
          .attempts = static_cast<int>(row.integer()),
          .accepted = time_from(row.integer()),
          .finished = time_from(row.optional_integer()),
          .why = row.text(),
          .retries = static_cast<int>(row.integer()),
          .attempts_before = static_cast<int>(row.integer())};
}

model::Attempt attempt_from(Query& row) {
  return {.build = model::BuildId(row.integer()),
          .number = static_cast<int>(row.integer()),
          .lease = model::LeaseNumber(row.integer()),
          .session = model::SessionId(row.text()),
          .worker = model::WorkerId(row.text()),
          .hostname = row.text(),
          .started = time_from(row.integer()),
          .ended = time_from(row.optional_integer()),
          .outcome = required(model::attempt_outcome_from(row.text())),
          .why = row.text(),
          .resumable = row.integer() != 0};
}

model::Step step_from(Query& row) {
  return {.build = model::BuildId(row.integer()),
          .attempt = static_cast<int>(row.integer()),
          .index = static_cast<int>(row.integer()),
          .name = row.text(),
          .command = row.text(),
          .run = model::RunId(row.text()),
          .started = time_from(row.integer()),
          .ended = time_from(row.optional_integer()),
          .outcome = required(model::attempt_outcome_from(row.text())),
          .status = row.text()};
}

model::Lease lease_from(Query& row) {
  return {.number = model::LeaseNumber(row.integer()),
          .worker = model::WorkerId(row.text()),
          .session = model::SessionId(row.text()),
          .build = model::BuildId(row.integer()),
          .attempt = static_cast<int>(row.integer()),
          .granted = time_from(row.integer()),
          .released = time_from(row.optional_integer())};
}

model::Session session_from(Query& row) {
  return {.id = model::SessionId(row.text()),
          .worker = model::WorkerId(row.text()),
          .instance = model::InstanceId(row.text()),
          .host_type = model::HostType(row.text()),
          .hostname = row.text(),
          .version = row.text(),
          .features = split_lines(row.text()),
          .peer = row.text(),
          .dev_key = row.integer() != 0,
          .connected = time_from(row.integer()),
          .ended = time_from(row.optional_integer()),
          .why = row.text()};
}

model::ClearedResult cleared_result_from(Query& row) {
  return {.build = model::BuildId(row.integer()),
          .number = static_cast<int>(row.integer()),
          .result = required(model::result_from(row.text())),
          .why = row.text(),
          .finished = time_from(row.integer()),
          .attempts = static_cast<int>(row.integer()),
          .cleared = time_from(row.integer()),
          .cleared_by = row.text()};
}

model::BuildKey build_key_from(Query& row) {
  return {.repository = model::RepositoryName(row.text()),
          .commit = model::CommitHash(row.text()),
          .builder = model::BuilderName(row.text())};
}

template <typename Reader>
auto read_all(Query& query, Reader reader) {
  std::vector<decltype(reader(query))> rows;
  while (query.step()) rows.push_back(reader(query));
  return rows;
}

template <typename Reader>
auto read_all(Database& database, const Sql& sql, Reader reader) {
  auto query = database.query(sql);
  return read_all(query, reader);
}

/// SQLite takes signed limits; a negative one would mean "all".
std::int64_t limit_of(std::size_t limit) {
  return static_cast<std::int64_t>(std::min<std::size_t>(limit, std::numeric_limits<std::int64_t>::max()));
}

}  // namespace

void write_row(Database& database, const model::Change& change) {
  std::visit([&](const auto& record) { write(database, record); }, change);
}

std::optional<model::Commit> read_commit(Database& database, const std::string& repository, const std::string& hash) {
  auto query = database.query(kReadCommit);
  query.bind(repository).bind(hash);
  if (!query.step()) return std::nullopt;
  return commit_from(query);
}

std::optional<model::Build> read_build(Database& database, model::BuildId id) {
  auto query = database.query(kReadBuild);
  query.bind(id.value);
  if (!query.step()) return std::nullopt;
  return build_from(query);
}

std::vector<model::Build> read_builds_of(Database& database, const std::string& repository, const std::string& hash) {
  auto query = database.query(kReadBuildsOf);
  query.bind(repository).bind(hash);
  return read_all(query, build_from);
}

std::vector<model::Build> read_builds_by(Database& database, const std::string& builder, const std::string& hash) {
  auto query = database.query(kReadBuildsBy);
  query.bind(hash).bind(builder);
  return read_all(query, build_from);
}

std::vector<model::Build> read_recent_builds(Database& database, std::size_t limit) {
  auto query = database.query(kReadRecentBuilds);
  query.bind(limit_of(limit));
  return read_all(query, build_from);
}

std::vector<model::Attempt> read_attempts(Database& database, model::BuildId id) {
  auto query = database.query(kReadAttempts);
  query.bind(id.value);
  return read_all(query, attempt_from);
}

std::vector<model::Step> read_steps(Database& database, model::BuildId id) {
  auto query = database.query(kReadSteps);
  query.bind(id.value);
  return read_all(query, step_from);
}

std::vector<model::ClearedResult> read_cleared_results(Database& database, model::BuildId id) {
  auto query = database.query(kReadClearedResults);
  query.bind(id.value);
  return read_all(query, cleared_result_from);
}

std::vector<model::BranchCommit> read_branch(Database& database, const std::string& repository,
                                             const std::string& branch, const CommitRange& range) {
  const bool up = range.after.has_value();
  auto query = database.query(range.with ? (up ? kReadBranchUpwardsWith : kReadBranchWith)
                                         : (up ? kReadBranchUpwards : kReadBranch));
  query.bind(repository).bind(branch);
  query.bind(range.before.value_or(std::numeric_limits<std::int64_t>::max())).bind(range.after.value_or(-1));
  if (range.with) query.bind(name_of(range.with->first)).bind(name_of(range.with->second)).bind(range.builder);
  query.bind(limit_of(range.limit));
  std::vector<model::BranchCommit> places = read_all(query, branch_commit_from);
  if (up) std::reverse(places.begin(), places.end());
  return places;
}

std::vector<model::Session> read_ended_sessions(Database& database, model::Time since, std::size_t limit) {
  auto query = database.query(kReadEndedSessions);
  query.bind(number_of(since)).bind(limit_of(limit));
  return read_all(query, session_from);
}

std::vector<model::BranchCommit> read_heads(Database& database) {
  return read_all(database, kReadHeads, branch_commit_from);
}

model::OpenRows read_open(Database& database) {
  model::OpenRows rows;
  rows.builds = read_all(database, kReadOpenBuilds, build_from);
  rows.attempts = read_all(database, kReadOpenAttempts, attempt_from);
  rows.stopping = read_all(database, kReadStoppingAttempts, attempt_from);
  rows.steps = read_all(database, kReadOpenSteps, step_from);
  rows.leases = read_all(database, kReadOpenLeases, lease_from);
  rows.sessions = read_all(database, kReadOpenSessions, session_from);
  rows.heads = read_heads(database);
  rows.built = read_all(database, kReadBuilt, build_key_from);
  auto numbers = database.query(kReadLastNumbers);
  numbers.step();
  rows.last_build = model::BuildId(numbers.integer());
  rows.last_lease = model::LeaseNumber(numbers.integer());
  return rows;
}

}  // namespace build::store
