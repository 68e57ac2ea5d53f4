// The life of an attempt: begun under a new lease, closed with everything that hangs on it.

#include <build/farm/farm.h>

#include <algorithm>

namespace build::farm {

namespace {
constexpr int kMaxDoublings = 6;
}

void Farm::begin_attempt(Item& item, Worker& worker, Round& round) {
  last_lease_ = model::LeaseNumber{last_lease_.value + 1};
  model::Build& build = item.build;
  build.state = model::BuildState::running;
  ++build.attempts;

  model::Attempt attempt;
  attempt.build = build.id;
  attempt.number = build.attempts;
  attempt.lease = last_lease_;
  attempt.session = worker.session.id;
  attempt.worker = worker.session.worker;
  attempt.hostname = worker.session.hostname;
  attempt.started = round.now;
  attempt.resumable = keeps_runs(worker.session);

  item.lease = model::Lease{};
  item.lease.number = last_lease_;
  item.lease.worker = worker.session.worker;
  item.lease.session = worker.session.id;
  item.lease.build = build.id;
  item.lease.attempt = attempt.number;
  item.lease.granted = round.now;

  worker.holding.build = build.id;
  worker.holding.resumable = attempt.resumable;
  item.steps.clear();
  item.attempt = attempt;
  round.decision.changes.push_back(build);
  round.decision.changes.push_back(attempt);
  round.decision.changes.push_back(item.lease);
  round.decision.actions.push_back(StartAttempt{build, std::move(attempt)});
}

// Leaves the build's own row to the caller, who knows what becomes of it.
void Farm::close_attempt(Item& item, model::AttemptOutcome outcome, const std::string& why, Round& round) {
  model::Changes& changes = round.decision.changes;
  const bool cancelled = outcome == model::AttemptOutcome::cancelled;
  for (auto& [index, step] : item.steps) {
    if (step.outcome != model::AttemptOutcome::running) continue;
    step.outcome = cancelled ? outcome : model::AttemptOutcome::lost;
    step.ended = round.now;
    step.status = cancelled ? std::string(name_of(outcome)) : "the rest of its output was lost: " + why;
    changes.push_back(step);
  }
  item.attempt->outcome = outcome;
  item.attempt->ended = round.now;
  item.attempt->why = why;
  changes.push_back(*item.attempt);
  let_go(item, round);
  item.attempt.reset();
  item.steps.clear();
}

// Whoever holds the lease of an attempt that ended holds it on if that was cancelled, until it has stopped.
void Farm::let_go(Item& item, Round& round) {
  const auto worker = workers_.find(item.attempt->session);
  const auto absence = absences_.find(item.attempt->worker);
  Holding* holding = nullptr;
  if (worker != workers_.end())
    holding = &worker->second.holding;
  else if (absence != absences_.end())
    holding = &absence->second.holding;
  const bool held = holding != nullptr && holding->build == item.build.id;
  if (held) holding->build.reset();
  if (held && item.attempt->outcome == model::AttemptOutcome::cancelled) {
    holding->stopping = item.lease;
  } else if (item.lease.number == item.attempt->lease) {
    item.lease.released = round.now;
    round.decision.changes.push_back(item.lease);
  }
  if (worker != workers_.end() && held)
    worker->second.turn = ++last_turn_;
  else if (held && holding->none())
    absences_.erase(absence);
}

// Whether the event is about an attempt that was cancelled.
bool Farm::has_stopped(const AttemptEnded& event, Round& round) {
  for (auto& [session, worker] : workers_) {
    if (!worker.holding.stops(event.build, event.lease)) continue;
    release(worker.holding, round);
    worker.turn = ++last_turn_;
    return true;
  }
  const auto absence = std::find_if(absences_.begin(), absences_.end(), [&event](const auto& entry) {
    return entry.second.holding.stops(event.build, event.lease);
  });
  if (absence == absences_.end()) return false;
  release(absence->second.holding, round);
  absences_.erase(absence);
  return true;
}

// What was cancelled there has stopped.
void Farm::release(Holding& holding, Round& round) {
  holding.stopping->released = round.now;
  round.decision.changes.push_back(*holding.stopping);
  const auto retried = items_.find(holding.stopping->build);
  if (retried != items_.end()) retried->second.stopping_on.reset();
  holding.stopping.reset();
}

void Farm::lose_attempt(Item& item, const std::string& why, Round& round) {
  const model::WorkerId worker = item.attempt->worker;
  std::string loss =
      "attempt " + std::to_string(item.attempt->number) + " on " + item.attempt->hostname + " was lost: " + why;
  const model::Time begun = item.attempt->started;
  close_attempt(item, model::AttemptOutcome::lost, why, round);
  std::string losses = item.build.why.empty() ? std::move(loss) : item.build.why + "; " + loss;
  if (item.build.attempts - item.build.attempts_before >= rules_.max_attempts) {
    finish(item.build.id, model::Result::lost, "no attempt could be brought to an end: " + losses, round);
    return;
  }
  if (const std::string gone = unconfigured(item.build); !gone.empty()) {
    finish(item.build.id, model::Result::lost, gone + "; before that, " + losses, round);
    return;
  }
  const int doublings = std::min(item.build.attempts - item.build.attempts_before - 1, kMaxDoublings);
  item.not_before = begun + rules_.retry_pause * (1 << doublings);
  item.lost_on.insert(worker);
  item.since = round.now;
  item.build.state = model::BuildState::waiting;
  item.build.why = std::move(losses);
  round.decision.changes.push_back(item.build);
}

// Builds that run are left alone: lose_attempt() looks again.
void Farm::drop_unconfigured(Round& round) {
  std::vector<std::pair<model::BuildId, std::string>> gone;
  for (const auto& [id, item] : items_) {
    if (item.attempt) continue;
    std::string why = unconfigured(item.build);
    if (why.empty()) continue;
    if (!item.build.why.empty()) why += "; before that, " + item.build.why;
    gone.emplace_back(id, std::move(why));
  }
  for (auto& [id, why] : gone) finish(id, model::Result::lost, std::move(why), round);
}

void Farm::finish(model::BuildId id, model::Result result, std::string why, Round& round) {
  const auto found = items_.find(id);
  model::Build& build = found->second.build;
  build.state = model::BuildState::finished;
  build.result = result;
  build.finished = round.now;
  build.why = std::move(why);
  round.decision.changes.push_back(std::move(build));
  items_.erase(found);
}

}  // namespace build::farm
