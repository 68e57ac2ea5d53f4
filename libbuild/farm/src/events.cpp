// What each event means.

#include <build/farm/farm.h>

#include <algorithm>
#include <stdexcept>

namespace build::farm {

namespace {
constexpr std::size_t kEndedSessionsKept = 1024;
}

void Farm::on(const CommitsSeen& event, Round& round) {
  const RepositoryRule* rule = rule_of(event.repository);
  if (rule == nullptr) return;
  const std::size_t index = branch_index(event.repository, event.branch);
  Branch& branch = branches_[index];
  // What follows the last occurrence of the known head; all of them if it does not occur.
  const auto known = std::find_if(event.commits.rbegin(), event.commits.rend(),
                                  [&branch](const model::Commit& commit) { return commit.hash == branch.head; });
  auto commit = known == event.commits.rend() ? event.commits.begin() : known.base();
  if (commit == event.commits.end() && commit != event.commits.begin() && event.commits.back().hash == branch.head)
    accept(*rule, {event.repository, event.branch, branch.position, branch.head}, index, round);
  std::set<model::CommitHash> in_this_event;
  for (; commit != event.commits.end(); ++commit) {
    if (!in_this_event.insert(commit->hash).second) continue;
    branch.head = commit->hash;
    const model::BranchCommit place{event.repository, event.branch, ++branch.position, commit->hash};
    model::Commit row = *commit;
    row.repository = event.repository;
    round.decision.changes.push_back(std::move(row));
    round.decision.changes.push_back(place);
    accept(*rule, place, index, round);
  }
  start_what_can_start(round);
}

// A build for each builder that has none of this commit yet.
void Farm::accept(const RepositoryRule& rule, const model::BranchCommit& place, std::size_t branch, Round& round) {
  for (const model::BuilderName& name : rule.builders) {
    const BuilderRule* builder = rule_of(name);
    if (builder == nullptr || !mark_built({place.repository, place.hash, name})) continue;
    last_build_ = model::BuildId{last_build_.value + 1};
    Item item;
    item.branch = branch;
    item.since = round.now;
    item.build.id = last_build_;
    item.build.repository = place.repository;
    item.build.branch = place.branch;
    item.build.commit = place.hash;
    item.build.builder = name;
    item.build.host_type = builder->host_type;
    item.build.position = place.position;
    item.build.accepted = round.now;
    round.decision.changes.push_back(item.build);
    items_.emplace(last_build_, std::move(item));
  }
}

void Farm::on(const WorkerConnected& event, Round& round) {
  const model::Session& session = event.session;
  if (workers_.count(session.id) != 0 || ended_.count(session.id) != 0) return;
  if (const auto older = session_of_.find(session.worker); older != session_of_.end()) {
    const std::string why = "a newer session of the same worker took its place";
    const model::SessionId id = older->second;
    end_session(id, why, round);
    round.decision.actions.push_back(CloseSession{id, why});
  }
  Worker worker;
  worker.session = session;
  worker.session.ended.reset();
  worker.session.why.clear();
  worker.turn = ++last_turn_;
  round.decision.changes.push_back(worker.session);
  session_of_.emplace(session.worker, session.id);
  come_back(workers_.emplace(session.id, std::move(worker)).first->second, round);
  start_what_can_start(round);
}

void Farm::on(const SessionEnded& event, Round& round) {
  if (workers_.count(event.session) == 0) return;
  end_session(event.session, event.why, round);
  start_what_can_start(round);
}

void Farm::on(const StepChanged& event, Round& round) {
  const model::Step& step = event.step;
  const auto found = items_.find(step.build);
  if (found == items_.end()) return;
  Item& item = found->second;
  if (!item.attempt || item.attempt->number != step.attempt) return;
  const auto known = item.steps.find(step.index);
  if (known != item.steps.end()) {
    if (known->second.outcome != model::AttemptOutcome::running || known->second == step) return;
  }
  item.steps.insert_or_assign(step.index, step);
  round.decision.changes.push_back(step);
}

void Farm::on(const AttemptEnded& event, Round& round) {
  if (event.outcome == model::AttemptOutcome::running || event.outcome == model::AttemptOutcome::cancelled)
    throw std::invalid_argument("an attempt of build " + std::to_string(event.build.value) +
                                " was reported as ended with the outcome \"" + std::string(name_of(event.outcome)) +
                                "\"");
  if (has_stopped(event, round)) {
    start_what_can_start(round);
    return;
  }
  const auto found = items_.find(event.build);
  if (found == items_.end()) return;
  Item& item = found->second;
  if (!item.attempt || item.attempt->number != event.attempt || item.attempt->lease != event.lease) return;
  if (event.outcome == model::AttemptOutcome::lost) {
    lose_attempt(item, event.why, round);
  } else {
    const bool ok = event.outcome == model::AttemptOutcome::ok;
    close_attempt(item, event.outcome, event.why, round);
    finish(event.build, ok ? model::Result::ok : model::Result::failed, ok ? std::string() : event.why, round);
  }
  start_what_can_start(round);
}

void Farm::on(const CancelBuild& event, Round& round) {
  const auto found = items_.find(event.build);
  if (found == items_.end()) return;
  Item& item = found->second;
  const std::string why = "cancelled by " + event.by;
  if (item.attempt) {
    const model::Attempt& attempt = *item.attempt;
    if (workers_.count(attempt.session) != 0)
      round.decision.actions.push_back(StopAttempt{event.build, attempt.number, attempt.session, attempt.lease});
    close_attempt(item, model::AttemptOutcome::cancelled, why, round);
  }
  finish(event.build, model::Result::cancelled, why, round);
}

void Farm::on(const RetryBuild& event, Round& round) {
  const model::Build& old = event.build;
  if (old.state != model::BuildState::finished || old.id > last_build_ || items_.count(old.id) != 0) return;
  if (!unconfigured(old).empty()) return;
  const auto [known, fresh] = retries_.try_emplace(old.id, old.retries);
  if (known->second != old.retries) return;
  ++known->second;

  model::ClearedResult cleared;
  cleared.build = old.id;
  cleared.number = known->second;
  cleared.result = old.result;
  cleared.why = old.why;
  cleared.finished = old.finished.value_or(round.now);
  cleared.attempts = old.attempts;
  cleared.cleared = round.now;
  cleared.cleared_by = event.by;
  round.decision.changes.push_back(std::move(cleared));

  Item item;
  item.since = round.now;
  item.branch = branch_index(old.repository, old.branch);
  for (const auto& [session, worker] : workers_)
    if (worker.holding.stopping && worker.holding.stopping->build == old.id) item.stopping_on = worker.session.worker;
  for (const auto& [worker, absence] : absences_)
    if (absence.holding.stopping && absence.holding.stopping->build == old.id) item.stopping_on = worker;
  item.build = old;
  item.build.host_type = rule_of(old.builder)->host_type;
  item.build.state = model::BuildState::waiting;
  item.build.result = model::Result::none;
  item.build.finished.reset();
  item.build.why.clear();
  item.build.retries = known->second;
  item.build.attempts_before = old.attempts;
  round.decision.changes.push_back(item.build);
  mark_built({old.repository, old.commit, old.builder});
  items_.emplace(old.id, std::move(item));
  start_what_can_start(round);
}

void Farm::on(const RulesChanged& event, Round& round) {
  rules_ = event.rules;
  rules_.max_attempts = std::max(rules_.max_attempts, 1);
  drop_unconfigured(round);
}

void Farm::on(const SessionDraining& event, Round&) {
  const auto found = workers_.find(event.session);
  if (found != workers_.end()) found->second.draining = true;
}

void Farm::on(const Drain&, Round&) { draining_ = true; }

void Farm::on(const TimePassed&, Round& round) { start_what_can_start(round); }

void Farm::end_session(const model::SessionId& id, const std::string& why, Round& round) {
  const auto found = workers_.find(id);
  Worker& worker = found->second;
  worker.session.ended = round.now;
  worker.session.why = why;
  round.decision.changes.push_back(worker.session);
  if (worker.holding.resumable && !worker.holding.none()) {
    Absence& absence = absences_[worker.session.worker];
    absence.holding = std::exchange(worker.holding, {});
    absence.hostname = worker.session.hostname;
    wait_for(absence, why, round);
  }
  if (worker.holding.build) {
    Item& item = items_.at(*worker.holding.build);
    round.decision.actions.push_back(StopAttempt{item.build.id, item.attempt->number, id, item.attempt->lease});
    lose_attempt(item, why, round);
  }
  if (worker.holding.stopping) release(worker.holding, round);
  session_of_.erase(worker.session.worker);
  workers_.erase(found);
  remember_ended(id);
}

void Farm::remember_ended(const model::SessionId& session) {
  ended_.insert(session);
  ended_order_.push_back(session);
  if (ended_order_.size() <= kEndedSessionsKept) return;
  ended_.erase(ended_order_.front());
  ended_order_.pop_front();
}

}  // namespace build::farm
