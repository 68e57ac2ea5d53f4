// What retention reads and deletes. A build that was retried since it was read is not finished, or finished later, and
// is passed over by the statements themselves.
#include "rows.h"

#include <limits>

namespace build::store {

namespace {

#define XBUILD_FINISHED_BEFORE "SELECT id, finished, attempts FROM builds WHERE state = 'finished' AND finished < ?"
constexpr Sql kReadFinished{"read the oldest builds", XBUILD_FINISHED_BEFORE " ORDER BY finished, id LIMIT ?"};
constexpr Sql kReadWithLogs{"read the oldest builds with logs",
                            XBUILD_FINISHED_BEFORE " AND logs_removed < attempts ORDER BY finished, id LIMIT ?"};
constexpr Sql kReadRuns{"read a build's runs",
                        "SELECT run FROM steps WHERE build = ? AND attempt <= ? ORDER BY attempt, step_index"};
constexpr Sql kReadRemoval{"read when a build's logs were removed",
                           "SELECT logs_removed, logs_removed_at, logs_removed_why FROM builds"
                           " WHERE id = ? AND logs_removed > 0"};
constexpr Sql kNoteRemoval{"note that a build's logs were removed",
                           "UPDATE builds SET logs_removed = max(logs_removed, ?), logs_removed_at = ?,"
                           " logs_removed_why = ? WHERE id = ?"};

#define XBUILD_STILL_FINISHED " WHERE id = ? AND state = 'finished' AND finished = ?"
#define XBUILD_OF_FINISHED " WHERE build IN (SELECT id FROM builds" XBUILD_STILL_FINISHED ")"
/// In this order: the build's own row last, as the others look for it.
constexpr Sql kForget[]{
    {"keep the greatest number of a lease",
     "UPDATE coordinator SET last_lease = max(last_lease,"
     " (SELECT coalesce(max(number), 0) FROM leases" XBUILD_OF_FINISHED "))"},
    {"keep the greatest number of a build",
     "UPDATE coordinator SET last_build = max(last_build,"
     " (SELECT coalesce(max(id), 0) FROM builds" XBUILD_STILL_FINISHED "))"},
    {"keep that a commit was built",
     "INSERT OR IGNORE INTO forgotten_builds SELECT repository, hash, builder FROM builds" XBUILD_STILL_FINISHED},
    {"forget a build's steps", "DELETE FROM steps" XBUILD_OF_FINISHED},
    {"forget a build's attempts", "DELETE FROM attempts" XBUILD_OF_FINISHED},
    {"forget a build's leases", "DELETE FROM leases" XBUILD_OF_FINISHED},
    {"forget a build's cleared results", "DELETE FROM cleared_results" XBUILD_OF_FINISHED},
    {"forget a build", "DELETE FROM builds" XBUILD_STILL_FINISHED},
};

}  // namespace

std::vector<FinishedBuild> read_finished(Database& database, model::Time before, bool with_logs, std::size_t limit) {
  std::vector<FinishedBuild> builds;
  {
    auto query = database.query(with_logs ? kReadWithLogs : kReadFinished);
    query.bind(number_of(before)).bind(static_cast<std::int64_t>(limit));
    while (query.step()) {
      FinishedBuild build;
      build.id = model::BuildId(query.integer());
      build.finished = time_from(query.integer());
      build.attempts = static_cast<int>(query.integer());
      builds.push_back(std::move(build));
    }
  }
  for (FinishedBuild& build : builds) {
    auto query = database.query(kReadRuns);
    query.bind(build.id.value).bind(build.attempts);
    while (query.step()) build.runs.emplace_back(query.text());
  }
  return builds;
}

std::optional<LogRemoval> read_removal(Database& database, model::BuildId id) {
  auto query = database.query(kReadRemoval);
  query.bind(id.value);
  if (!query.step()) return std::nullopt;
  LogRemoval removal;
  removal.attempts = static_cast<int>(query.integer());
  removal.removed = time_from(query.integer());
  removal.why = query.text();
  return removal;
}

void note_removal(Database& database, const FinishedBuild& build, model::Time now, const std::string& why) {
  database.query(kNoteRemoval).bind(build.attempts).bind(number_of(now)).bind(why).bind(build.id.value).run();
}

void forget_build(Database& database, const FinishedBuild& build) {
  for (const Sql& statement : kForget)
    database.query(statement).bind(build.id.value).bind(number_of(build.finished)).run();
}

}  // namespace build::store
