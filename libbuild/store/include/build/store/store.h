// The durable state, behind one face: rows are applied in groups, and asked for by named queries.
//
// What apply() returned from is on the disk. A coordinator takes an epoch when it starts; from then on a
// coordinator with an older epoch can change nothing.
//
// Threads: calls block. apply(), begin_epoch() and load_open() from one thread at a time; the queries from any
// thread, at the same time as apply().
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

struct BuildDetails {
  model::Build build;
  model::Commit commit;
  std::vector<model::Attempt> attempts;  ///< oldest first
  std::vector<model::Step> steps;        ///< by attempt, then index
};

/// A dashboard row: a commit and its builds.
struct CommitBuilds {
  model::BranchCommit place;
  model::Commit commit;
  std::vector<model::Build> builds;
};

class Store {
 public:
  virtual ~Store() = default;

  virtual model::Epoch begin_epoch() = 0;
  /// Writes all changes or none; durable when it returns. Throws StaleEpoch, or std::runtime_error that names the
  /// file and the reason.
  virtual void apply(const model::Changes& changes, model::Epoch epoch) = 0;
  virtual model::OpenRows load_open() = 0;

  /// The newest `limit` commits of a branch, newest first, from positions < `before` if given.
  virtual std::vector<CommitBuilds> branch_page(const model::RepositoryName& repository,
                                                const model::BranchName& branch, std::size_t limit,
                                                std::optional<std::int64_t> before) const = 0;
  virtual std::optional<BuildDetails> build(model::BuildId id) const = 0;
  /// The newest `limit` builds by id, newest first.
  virtual std::vector<model::Build> recent_builds(std::size_t limit) const = 0;
  virtual std::vector<std::pair<model::RepositoryName, model::BranchName>> branches() const = 0;
  virtual std::optional<model::BranchCommit> head(const model::RepositoryName& repository,
                                                  const model::BranchName& branch) const = 0;
};

/// Opens (or makes) `directory`/farm.db: SQLite, WAL, synchronous=FULL. Runs migrations; refuses a schema that is
/// newer than this program, naming both versions. The caller holds the state directory's lock.
std::unique_ptr<Store> open_sqlite(const std::filesystem::path& directory);

}  // namespace build::store
