// Two connections to one file: changes go through the one, queries through the other. In WAL mode a query sees the
// state before or after a group of changes, never half of one, and neither waits for the other. Invariant: whatever
// changes rows does so in a transaction that has first seen its own epoch as the newest.
#include "sqlite_store.h"

#include "rows.h"

#include <mutex>

namespace build::store {

namespace {

constexpr Sql kSettings{"set it up",
                        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                        "PRAGMA trusted_schema = OFF"};
constexpr Sql kCheckReferences{"check references", "PRAGMA foreign_keys = ON"};
constexpr Sql kJournalMode{"read the journal mode", "PRAGMA journal_mode"};
constexpr Sql kBeginEpoch{"begin an epoch", "UPDATE coordinator SET epoch = epoch + 1 RETURNING epoch"};
constexpr Sql kReadEpoch{"read the epoch", "SELECT epoch FROM coordinator"};

class SqliteStore final : public Store {
 public:
  SqliteStore(const std::filesystem::path& file, std::span<const Migration> migrations)
      : writer_(prepare(file, migrations)), reader_(file, Database::Access::read_only) {}

  model::Epoch begin_epoch() override;
  void apply(const model::Changes& changes, model::Epoch epoch) override;
  model::OpenRows load_open() override;
  std::vector<FinishedBuild> finished_builds(model::Time before, Logs logs, std::size_t limit) const override;
  void note_logs_removed(const std::vector<FinishedBuild>& builds, model::Time now, const std::string& why,
                         model::Epoch epoch) override;
  void forget(const std::vector<FinishedBuild>& builds, model::Epoch epoch) override;

  std::vector<CommitBuilds> branch_page(const model::RepositoryName& repository, const model::BranchName& branch,
                                        const CommitRange& range) const override;
  std::optional<BuildDetails> build(model::BuildId id) const override;
  std::vector<model::Build> builds_by(const model::BuilderName& builder,
                                      const model::CommitHash& commit) const override;
  std::vector<model::Build> recent_builds(std::size_t limit) const override;
  std::vector<model::Session> ended_sessions(model::Time since, std::size_t limit) const override;
  std::vector<std::pair<model::RepositoryName, model::BranchName>> branches() const override;
  std::optional<model::BranchCommit> head(const model::RepositoryName& repository,
                                          const model::BranchName& branch) const override;

 private:
  /// The writing connection, with the schema up to date.
  static std::unique_ptr<Database> prepare(const std::filesystem::path& file, std::span<const Migration> migrations);

  /// Begun by every change: that `epoch` is the newest.
  void check_epoch(model::Epoch epoch);

  std::mutex writing_;
  std::unique_ptr<Database> writer_;  ///< guarded by writing_
  mutable std::mutex reading_;
  mutable Database reader_;  ///< guarded by reading_
};

std::unique_ptr<Database> SqliteStore::prepare(const std::filesystem::path& file,
                                               std::span<const Migration> migrations) {
  auto writer = std::make_unique<Database>(file, Database::Access::read_write);
  writer->execute(kSettings);
  {
    auto mode = writer->query(kJournalMode);
    mode.step();
    if (const std::string name = mode.text(); name != "wal")
      throw std::runtime_error(file.string() + ": cannot use a write-ahead log here (SQLite stays with \"" + name +
                               "\"): is it on a network file system?");
  }
  migrate(*writer, migrations);
  // A migration that rebuilds a table would otherwise take the rows that refer to it along.
  writer->execute(kCheckReferences);
  return writer;
}

model::Epoch SqliteStore::begin_epoch() {
  const std::lock_guard lock(writing_);
  Transaction transaction(*writer_, Transaction::Kind::immediate);
  model::Epoch epoch;
  {
    auto query = writer_->query(kBeginEpoch);
    query.step();
    epoch = model::Epoch(query.integer());
    query.run();
  }
  transaction.commit();
  return epoch;
}

void SqliteStore::check_epoch(model::Epoch epoch) {
  auto query = writer_->query(kReadEpoch);
  query.step();
  if (const std::int64_t newest = query.integer(); newest != epoch.value)
    throw StaleEpoch(writer_->file().string() + ": this coordinator has epoch " + std::to_string(epoch.value) +
                     ", and the newest is " + std::to_string(newest) + ": another one has taken over");
}

void SqliteStore::apply(const model::Changes& changes, model::Epoch epoch) {
  const std::lock_guard lock(writing_);
  Transaction transaction(*writer_, Transaction::Kind::immediate);
  check_epoch(epoch);
  for (const model::Change& change : changes) write_row(*writer_, change);
  transaction.commit();
}

std::vector<FinishedBuild> SqliteStore::finished_builds(model::Time before, Logs logs, std::size_t limit) const {
  const std::lock_guard lock(reading_);
  Transaction snapshot(reader_, Transaction::Kind::snapshot);
  std::vector<FinishedBuild> builds = read_finished(reader_, before, logs == Logs::kept, limit);
  snapshot.commit();
  return builds;
}

void SqliteStore::note_logs_removed(const std::vector<FinishedBuild>& builds, model::Time now, const std::string& why,
                                    model::Epoch epoch) {
  const std::lock_guard lock(writing_);
  Transaction transaction(*writer_, Transaction::Kind::immediate);
  check_epoch(epoch);
  for (const FinishedBuild& build : builds) note_removal(*writer_, build, now, why);
  transaction.commit();
}

void SqliteStore::forget(const std::vector<FinishedBuild>& builds, model::Epoch epoch) {
  const std::lock_guard lock(writing_);
  Transaction transaction(*writer_, Transaction::Kind::immediate);
  check_epoch(epoch);
  for (const FinishedBuild& build : builds) forget_build(*writer_, build);
  transaction.commit();
}

model::OpenRows SqliteStore::load_open() {
  const std::lock_guard lock(writing_);
  Transaction snapshot(*writer_, Transaction::Kind::snapshot);
  model::OpenRows rows = read_open(*writer_);
  snapshot.commit();
  return rows;
}

std::vector<CommitBuilds> SqliteStore::branch_page(const model::RepositoryName& repository,
                                                   const model::BranchName& branch, const CommitRange& range) const {
  const std::lock_guard lock(reading_);
  Transaction snapshot(reader_, Transaction::Kind::snapshot);
  std::vector<CommitBuilds> page;
  for (model::BranchCommit& place : read_branch(reader_, repository.value, branch.value, range)) {
    auto commit = read_commit(reader_, repository.value, place.hash.value);
    if (!commit)
      throw std::runtime_error(reader_.file().string() + ": commit " + place.hash.value + " of branch " + branch.value +
                               " is missing");
    auto builds = read_builds_of(reader_, repository.value, place.hash.value);
    page.push_back({std::move(place), std::move(*commit), std::move(builds)});
  }
  snapshot.commit();
  return page;
}

std::optional<BuildDetails> SqliteStore::build(model::BuildId id) const {
  const std::lock_guard lock(reading_);
  Transaction snapshot(reader_, Transaction::Kind::snapshot);
  auto build = read_build(reader_, id);
  if (!build) return std::nullopt;
  auto commit = read_commit(reader_, build->repository.value, build->commit.value);
  if (!commit)
    throw std::runtime_error(reader_.file().string() + ": commit " + build->commit.value + " of build " +
                             std::to_string(id.value) + " is missing");
  BuildDetails details{.build = std::move(*build),
                       .commit = std::move(*commit),
                       .attempts = read_attempts(reader_, id),
                       .steps = read_steps(reader_, id),
                       .cleared = read_cleared_results(reader_, id),
                       .logs_removed = read_removal(reader_, id)};
  snapshot.commit();
  return details;
}

std::vector<model::Build> SqliteStore::builds_by(const model::BuilderName& builder,
                                                 const model::CommitHash& commit) const {
  const std::lock_guard lock(reading_);
  return read_builds_by(reader_, builder.value, commit.value);
}

std::vector<model::Build> SqliteStore::recent_builds(std::size_t limit) const {
  const std::lock_guard lock(reading_);
  return read_recent_builds(reader_, limit);
}

std::vector<model::Session> SqliteStore::ended_sessions(model::Time since, std::size_t limit) const {
  const std::lock_guard lock(reading_);
  return read_ended_sessions(reader_, since, limit);
}

std::vector<std::pair<model::RepositoryName, model::BranchName>> SqliteStore::branches() const {
  const std::lock_guard lock(reading_);
  std::vector<std::pair<model::RepositoryName, model::BranchName>> names;
  for (model::BranchCommit& head : read_heads(reader_))
    names.emplace_back(std::move(head.repository), std::move(head.branch));
  return names;
}

std::optional<model::BranchCommit> SqliteStore::head(const model::RepositoryName& repository,
                                                     const model::BranchName& branch) const {
  const std::lock_guard lock(reading_);
  auto newest = read_branch(reader_, repository.value, branch.value, {.limit = 1});
  if (newest.empty()) return std::nullopt;
  return std::move(newest.front());
}

}  // namespace

std::unique_ptr<Store> open_sqlite(const std::filesystem::path& directory, std::span<const Migration> migrations) {
  return std::make_unique<SqliteStore>(directory / "farm.db", migrations);
}

std::unique_ptr<Store> open_sqlite(const std::filesystem::path& directory) {
  return open_sqlite(directory, all_migrations());
}

}  // namespace build::store
