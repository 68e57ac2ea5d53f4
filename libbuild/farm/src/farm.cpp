// Taking up rows, and what follows from finding them.
//
// The state is items_ (builds that are not finished), workers_ (sessions that have not ended), absences_ (workers
// without a session that still hold a lease) and what must be known of the past: branches with their heads, which
// builds there were, the last numbers given out. Every change of it is also put into the round's decision as a row, so
// the rows alone give the same state again (but for how long a worker is away: a start begins to wait anew).
// Invariants: a build runs if and only if its item has an attempt; a lease that is not released is held by one worker
// or one absence.
//
// Functions called from another file of this part take a Round, not a time: the part's objects then refer to nothing of
// <chrono>, which a check looks for.

#include <build/farm/farm.h>

#include <algorithm>

namespace build::farm {

Farm::Farm(Rules rules, model::OpenRows rows)
    : rules_(std::move(rules)), last_build_(rows.last_build), last_lease_(rows.last_lease) {
  rules_.max_attempts = std::max(rules_.max_attempts, 1);
  for (const model::BuildKey& key : rows.built) mark_built(key);
  for (const model::BranchCommit& head : rows.heads) {
    Branch& branch = branches_[branch_index(head.repository, head.branch)];
    branch.position = head.position;
    branch.head = head.hash;
  }
  for (model::Build& build : rows.builds) {
    mark_built({build.repository, build.commit, build.builder});
    const model::BuildId id = build.id;
    last_build_ = std::max(last_build_, id);
    Item item;
    item.since = build.accepted;
    item.branch = branch_index(build.repository, build.branch);
    item.build = std::move(build);
    items_.emplace(id, std::move(item));
  }
  for (model::Attempt& attempt : rows.attempts) {
    const auto found = items_.find(attempt.build);
    if (found != items_.end()) found->second.attempt = std::move(attempt);
  }
  for (model::Step& step : rows.steps) {
    const auto found = items_.find(step.build);
    if (found != items_.end()) found->second.steps.emplace(step.index, std::move(step));
  }
  for (model::Session& session : rows.sessions) {
    Worker worker;
    worker.turn = ++last_turn_;
    worker.session = std::move(session);
    session_of_.emplace(worker.session.worker, worker.session.id);
    workers_.emplace(worker.session.id, worker);
  }
  for (model::Lease& lease : rows.leases) take_up_lease(std::move(lease), rows.stopping);
}

// A lease that is held belongs to a running attempt, or to a cancelled one that had not stopped yet and may go on.
void Farm::take_up_lease(model::Lease lease, const std::vector<model::Attempt>& stopping) {
  last_lease_ = std::max(last_lease_, lease.number);
  const auto found = items_.find(lease.build);
  if (found != items_.end() && found->second.attempt && found->second.attempt->lease == lease.number) {
    found->second.lease = std::move(lease);
    return;
  }
  const auto attempt = std::find_if(stopping.begin(), stopping.end(),
                                    [&lease](const model::Attempt& ended) { return ended.lease == lease.number; });
  if (attempt == stopping.end() || !attempt->resumable || absences_.count(lease.worker) != 0) {
    stray_leases_.push_back(std::move(lease));
    return;
  }
  if (found != items_.end()) found->second.stopping_on = lease.worker;
  Absence& absence = absences_[lease.worker];
  absence.hostname = attempt->hostname;
  absence.holding.resumable = true;
  absence.holding.stopping = std::move(lease);
}

Decision Farm::start(model::Time now) {
  const std::string why_restarted = "the coordinator was restarted";
  Round round{now, {}};
  for (auto& [worker, absence] : absences_) wait_for(absence, why_restarted, round);
  std::vector<model::BuildId> ids;
  ids.reserve(items_.size());
  for (const auto& [id, item] : items_) ids.push_back(id);
  for (const model::BuildId id : ids) {
    Item& item = items_.at(id);
    if (item.attempt) {
      take_up_attempt(item, why_restarted, round);
      if (const auto waits = items_.find(id); waits != items_.end()) waits->second.not_before.reset();
    } else if (item.build.state != model::BuildState::waiting) {
      item.build.state = model::BuildState::waiting;
      round.decision.changes.push_back(item.build);
    }
  }
  while (!workers_.empty()) {
    const model::SessionId session = workers_.begin()->first;
    end_session(session, why_restarted, round);
  }
  for (model::Lease& lease : stray_leases_) {
    lease.released = now;
    round.decision.changes.push_back(std::move(lease));
  }
  stray_leases_.clear();
  drop_unconfigured(round);
  return std::move(round.decision);
}

Decision Farm::apply(const Event& event, model::Time now) {
  Round round{now, {}};
  std::visit([this, &round](const auto& e) { on(e, round); }, event);
  return std::move(round.decision);
}

const RepositoryRule* Farm::rule_of(const model::RepositoryName& repository) const {
  for (const RepositoryRule& rule : rules_.repositories)
    if (rule.name == repository) return &rule;
  return nullptr;
}

const BuilderRule* Farm::rule_of(const model::BuilderName& builder) const {
  for (const BuilderRule& rule : rules_.builders)
    if (rule.name == builder) return &rule;
  return nullptr;
}

std::string Farm::unconfigured(const model::Build& build) const {
  if (rule_of(build.builder) == nullptr) return "builder " + build.builder.value + " is no longer configured";
  const RepositoryRule* repository = rule_of(build.repository);
  if (repository == nullptr) return "repository " + build.repository.value + " is no longer configured";
  const auto& builders = repository->builders;
  if (std::find(builders.begin(), builders.end(), build.builder) != builders.end()) return {};
  return "builder " + build.builder.value + " no longer builds repository " + build.repository.value;
}

std::size_t Farm::branch_index(const model::RepositoryName& repository, const model::BranchName& branch) {
  const auto [entry, fresh] = branch_indexes_.try_emplace(BranchKey{repository, branch}, branches_.size());
  if (fresh) branches_.emplace_back();
  return entry->second;
}

bool Farm::mark_built(const model::BuildKey& key) {
  std::vector<model::BuilderName>& builders = built_[{key.repository, key.commit}];
  if (std::find(builders.begin(), builders.end(), key.builder) != builders.end()) return false;
  builders.push_back(key.builder);
  return true;
}

}  // namespace build::farm
