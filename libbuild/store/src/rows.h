// How a record becomes a row and a row a record. Writing a record replaces the row that has its key.
#pragma once

#include "sqlite.h"

#include <build/model/records.h>
#include <build/store/store.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace build::store {

// Times are kept as milliseconds since 1970.
inline std::int64_t number_of(model::Time time) { return time.time_since_epoch().count(); }
inline std::optional<std::int64_t> number_of(const std::optional<model::Time>& time) {
  if (!time) return std::nullopt;
  return number_of(*time);
}
inline model::Time time_from(std::int64_t number) { return model::Time(std::chrono::milliseconds(number)); }
inline std::optional<model::Time> time_from(std::optional<std::int64_t> number) {
  if (!number) return std::nullopt;
  return time_from(*number);
}

void write_row(Database& database, const model::Change& change);

std::optional<model::Commit> read_commit(Database& database, const std::string& repository, const std::string& hash);
std::optional<model::Build> read_build(Database& database, model::BuildId id);
/// All builds of a commit, by builder.
std::vector<model::Build> read_builds_of(Database& database, const std::string& repository, const std::string& hash);
/// By a builder, of a commit, in all repositories; oldest first.
std::vector<model::Build> read_builds_by(Database& database, const std::string& builder, const std::string& hash);
std::vector<model::Build> read_recent_builds(Database& database, std::size_t limit);
std::vector<model::Attempt> read_attempts(Database& database, model::BuildId id);
std::vector<model::Step> read_steps(Database& database, model::BuildId id);
std::vector<model::ClearedResult> read_cleared_results(Database& database, model::BuildId id);

/// The newest first.
std::vector<model::BranchCommit> read_branch(Database& database, const std::string& repository,
                                             const std::string& branch, const CommitRange& range);
/// Those that ended at `since` or later, the newest end first.
std::vector<model::Session> read_ended_sessions(Database& database, model::Time since, std::size_t limit);
/// The newest commit of each branch, by repository and branch.
std::vector<model::BranchCommit> read_heads(Database& database);

model::OpenRows read_open(Database& database);

std::vector<FinishedBuild> read_finished(Database& database, model::Time before, bool with_logs, std::size_t limit);
std::optional<LogRemoval> read_removal(Database& database, model::BuildId id);
void note_removal(Database& database, const FinishedBuild& build, model::Time now, const std::string& why);
void forget_build(Database& database, const FinishedBuild& build);

}  // namespace build::store
