// The durable state, behind one face: rows are applied in groups, and asked for by named queries.
//
// What apply() returned from is on the disk. A coordinator takes an epoch when it starts; from then on a
// coordinator with an older epoch can change nothing.
//
// Threads: calls block, and may come from any thread at any time. What changes rows waits for each other; queries do
// not wait for it.
#pragma once

#include <build/model/records.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace build::store {

/// Thrown by apply() of a coordinator that is not the newest any more.
struct StaleEpoch : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The logs of a build's first attempts were removed.
struct LogRemoval {
  int attempts = 0;  ///< up to this one
  model::Time removed;
  std::string why;  ///< a sentence's end: "they were older than 90 days"

  bool operator==(const LogRemoval&) const = default;
};

/// A finished build and the logs that may still be kept of it.
struct FinishedBuild {
  model::BuildId id;
  model::Time finished;
  int attempts = 0;
  std::vector<model::RunId> runs;
};

struct BuildDetails {
  model::Build build;
  model::Commit commit;
  std::vector<model::Attempt> attempts;  ///< oldest first
  std::vector<model::Step> steps;        ///< by attempt, then index
  /// Results that it had before it was built again, oldest first.
  std::vector<model::ClearedResult> cleared;
  std::optional<LogRemoval> logs_removed;
};

/// A dashboard row: a commit and its builds.
struct CommitBuilds {
  model::BranchCommit place;
  model::Commit commit;
  std::vector<model::Build> builds;
};

/// Which of a branch's commits are asked for.
struct CommitRange {
  std::size_t limit = 0;               ///< the newest of those that the rest allows
  std::optional<std::int64_t> before;  ///< only positions < this
  /// Only positions > this; of them the `limit` that are nearest to it.
  std::optional<std::int64_t> after;
  /// Only commits with a build in this state and with this result (none unless finished) ...
  std::optional<std::pair<model::BuildState, model::Result>> with;
  /// ... by a builder whose name contains this. Means nothing without `with`.
  std::string builder;
};

class Store {
 public:
  virtual ~Store() = default;

  virtual model::Epoch begin_epoch() = 0;
  /// Writes all changes or none; durable when it returns. Throws StaleEpoch, or std::runtime_error that names the
  /// file and the reason.
  virtual void apply(const model::Changes& changes, model::Epoch epoch) = 0;
  virtual model::OpenRows load_open() = 0;

  // For retention. Builds that are not finished (any more) are passed over.

  enum class Logs { any, kept };
  /// Finished builds that ended before `before`, the oldest first. Logs::kept: only those of which logs are kept.
  virtual std::vector<FinishedBuild> finished_builds(model::Time before, Logs logs, std::size_t limit) const = 0;
  /// Notes that the logs of these builds (their attempts so far) were removed. Throws like apply().
  virtual void note_logs_removed(const std::vector<FinishedBuild>& builds, model::Time now, const std::string& why,
                                 model::Epoch epoch) = 0;
  /// Deletes what is known of these builds, but for that they were built. Throws like apply().
  virtual void forget(const std::vector<FinishedBuild>& builds, model::Epoch epoch) = 0;

  /// Commits of a branch with all their builds, newest first.
  virtual std::vector<CommitBuilds> branch_page(const model::RepositoryName& repository,
                                                const model::BranchName& branch, const CommitRange& range) const = 0;
  virtual std::optional<BuildDetails> build(model::BuildId id) const = 0;
  /// A builder's builds of a commit: one for each repository that has the commit, oldest first.
  virtual std::vector<model::Build> builds_by(const model::BuilderName& builder,
                                              const model::CommitHash& commit) const = 0;
  /// The newest `limit` builds by id, newest first.
  virtual std::vector<model::Build> recent_builds(std::size_t limit) const = 0;
  /// Sessions that ended at `since` or later, the newest end first.
  virtual std::vector<model::Session> ended_sessions(model::Time since, std::size_t limit) const = 0;
  virtual std::vector<std::pair<model::RepositoryName, model::BranchName>> branches() const = 0;
  virtual std::optional<model::BranchCommit> head(const model::RepositoryName& repository,
                                                  const model::BranchName& branch) const = 0;
};

/// Opens (or makes) `directory`/farm.db: SQLite, WAL, synchronous=FULL. Runs migrations; refuses a schema that is
/// newer than this program, naming both versions. The caller holds the state directory's lock.
std::unique_ptr<Store> open_sqlite(const std::filesystem::path& directory);

}  // namespace build::store
