// The life of an attempt: begun under a new lease, closed with everything that hangs on it.

#include <build/farm/farm.h>

namespace build::farm {

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

  item.lease = model::Lease{};
  item.lease.number = last_lease_;
  item.lease.worker = worker.session.worker;
  item.lease.session = worker.session.id;
  item.lease.build = build.id;
  item.lease.attempt = attempt.number;
  item.lease.granted = round.now;

  worker.build = build.id;
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
  for (auto& [index, step] : item.steps) {
    if (step.outcome != model::AttemptOutcome::running) continue;
    step.outcome = model::AttemptOutcome::lost;
    step.ended = round.now;
    step.status = "lost";
    changes.push_back(step);
  }
  item.attempt->outcome = outcome;
  item.attempt->ended = round.now;
  item.attempt->why = why;
  changes.push_back(*item.attempt);
  if (item.lease.number == item.attempt->lease) {
    item.lease.released = round.now;
    changes.push_back(item.lease);
  }
  const auto worker = workers_.find(item.attempt->session);
  if (worker != workers_.end() && worker->second.build == item.build.id) {
    worker->second.build.reset();
    worker->second.turn = ++last_turn_;
  }
  item.attempt.reset();
  item.steps.clear();
}

void Farm::lose_attempt(Item& item, const std::string& why, Round& round) {
  const model::WorkerId worker = item.attempt->worker;
  std::string loss =
      "attempt " + std::to_string(item.attempt->number) + " on " + item.attempt->hostname + " was lost: " + why;
  close_attempt(item, model::AttemptOutcome::lost, why, round);
  std::string losses = item.build.why.empty() ? std::move(loss) : item.build.why + "; " + loss;
  if (item.build.attempts >= rules_.max_attempts) {
    finish(item.build.id, model::Result::lost, "no attempt could be brought to an end: " + losses, round);
    return;
  }
  item.lost_on.insert(worker);
  item.since = round.now;
  item.build.state = model::BuildState::waiting;
  item.build.why = std::move(losses);
  round.decision.changes.push_back(item.build);
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
