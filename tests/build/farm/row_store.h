// The rows that a farm's decisions make, kept in maps: what a store would hold, and would give to the next start.
#pragma once

#include <build/farm/farm.h>

#include <map>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

namespace build::farm {

struct RowStore {
  std::map<model::BuildId, model::Build> builds;
  std::map<std::pair<model::BuildId, int>, model::Attempt> attempts;
  std::map<std::tuple<model::BuildId, int, int>, model::Step> steps;
  std::map<model::LeaseNumber, model::Lease> leases;
  std::map<model::SessionId, model::Session> sessions;
  std::map<std::pair<model::BuildId, int>, model::ClearedResult> cleared;
  std::map<std::pair<model::RepositoryName, model::CommitHash>, model::Commit> commits;
  std::map<std::tuple<model::RepositoryName, model::BranchName, std::int64_t>, model::BranchCommit> places;

  void apply(const model::Changes& changes);
  model::OpenRows open_rows() const;
  /// The same without `built` and `heads`, which take time to gather.
  model::OpenRows running_rows() const;

  /// Builds that are not finished, by id.
  std::vector<model::Build> unfinished() const;
  std::vector<model::Attempt> attempts_of(model::BuildId build) const;
  std::vector<model::Step> steps_of(const model::Attempt& attempt) const;
};

/// A farm together with its rows, which fails a test that changes what is final. Time stands still unless it is moved.
struct Bench {
  Rules rules;
  RowStore rows;
  model::Time now{std::chrono::hours{24 * 365 * 55}};
  std::optional<Farm> farm;
  std::vector<Action> actions;  ///< of the last decision

  /// Starts a farm without rows.
  explicit Bench(Rules rules_of_farm);
  /// Throws the farm away and starts another one from the rows.
  void restart();
  void feed(const Event& event);

  /// Commits `names` (oldest first) of repository "r", whose hashes are made from the names.
  void commits(const std::vector<std::string>& names, const std::string& branch = "main");
  void connect(const std::string& session, const std::string& worker, const std::string& host_type = "linux");
  /// A worker of host type "linux" that keeps its runs.
  void connect_keeping(const std::string& session, const std::string& worker);
  void pass(std::chrono::milliseconds time);
  void end_session(const std::string& session, const std::string& why);
  /// Ends the build's running attempt.
  void end_attempt(model::BuildId build, model::AttemptOutcome outcome, const std::string& why = {});
  model::Step step(model::BuildId build, int index, model::AttemptOutcome outcome = model::AttemptOutcome::running);

  const model::Build& build(std::int64_t id) const { return rows.builds.at(model::BuildId{id}); }
  /// The only build of a commit by a builder.
  const model::Build& build_of(const std::string& commit, const std::string& builder = "debug") const;
  /// Ids in the order in which StartAttempt actions name them in the last decision.
  std::vector<std::int64_t> started() const;

 private:
  model::Session session_of(const std::string& session, const std::string& worker, const std::string& host_type) const;
};

template <typename T>
std::vector<T> actions_of(const Bench& bench) {
  std::vector<T> result;
  for (const Action& action : bench.actions)
    if (const auto* wanted = std::get_if<T>(&action)) result.push_back(*wanted);
  return result;
}

/// Repository "r", builders "debug" and "asan" on "linux", "arm" on "arm64"; three attempts.
Rules usual_rules();
/// One builder, "debug" on "linux".
Rules one_builder();
model::CommitHash hash_of(const std::string& name);

}  // namespace build::farm
