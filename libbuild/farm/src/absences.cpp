// Workers that are away while something goes on there: how long they are waited for, and what becomes of it when they
// are back, or are not. An absence begins with the end of a session (or with a start) and ends with the worker's next
// session, with Rules::lease, or when nothing holds the worker any more.

#include <build/farm/farm.h>

#include <algorithm>

#include "text.h"

namespace build::farm {

void Farm::wait_for(Absence& absence, const std::string& why, Round& round) {
  absence.since = round.now;
  absence.until = round.now + std::max(rules_.lease, std::chrono::milliseconds{0});
  absence.why = why;
}

// Of an attempt that was found running at the start.
void Farm::take_up_attempt(Item& item, const std::string& why, Round& round) {
  const model::Attempt& attempt = *item.attempt;
  const bool leased = item.lease.number == attempt.lease && absences_.count(attempt.worker) == 0;
  if (!attempt.resumable || !leased) {
    lose_attempt(item, why, round);
    return;
  }
  Absence& absence = absences_[attempt.worker];
  absence.hostname = attempt.hostname;
  absence.holding.build = item.build.id;
  absence.holding.resumable = true;
  wait_for(absence, why, round);
}

// In a new session, if the worker was waited for.
void Farm::come_back(Worker& worker, Round& round) {
  const model::Session& session = worker.session;
  const auto found = absences_.find(session.worker);
  if (found == absences_.end()) return;
  if (!keeps_runs(session)) {
    give_up(session.worker, found->second.why + "; when the worker was back it did not keep its runs any more", round);
    return;
  }
  worker.holding = std::move(found->second.holding);
  absences_.erase(found);
  Decision& decision = round.decision;
  if (worker.holding.stopping) {
    model::Lease& lease = *worker.holding.stopping;
    lease.session = session.id;
    decision.changes.push_back(lease);
    decision.actions.push_back(StopAttempt{lease.build, lease.attempt, session.id, lease.number});
    return;
  }
  Item& item = items_.at(*worker.holding.build);
  item.attempt->session = item.lease.session = session.id;
  decision.changes.push_back(*item.attempt);
  decision.changes.push_back(item.lease);
  ResumeAttempt resume{item.build, *item.attempt, {}};
  for (const auto& [index, step] : item.steps) resume.steps.push_back(step);
  decision.actions.push_back(std::move(resume));
}

void Farm::give_up(const model::WorkerId& worker, const std::string& why, Round& round) {
  const auto found = absences_.find(worker);
  Holding& holding = found->second.holding;
  if (holding.build) {
    lose_attempt(items_.at(*holding.build), why, round);  // ends the absence
    return;
  }
  release(holding, round);
  absences_.erase(found);
}

void Farm::end_waits(Round& round) {
  std::vector<model::WorkerId> over;
  for (const auto& [worker, absence] : absences_)
    if (absence.until <= round.now) over.push_back(worker);
  for (const model::WorkerId& worker : over) {
    const Absence& absence = absences_.at(worker);
    give_up(worker,
            "worker " + absence.hostname + " did not come back within " + length_text(absence.until - absence.since) +
                " after " + utc_text(absence.since) + ": " + absence.why,
            round);
  }
}

const Farm::Absence* Farm::absence_of(const Item& item) const {
  if (!item.attempt) return nullptr;
  const auto found = absences_.find(item.attempt->worker);
  return found != absences_.end() && found->second.holding.build == item.build.id ? &found->second : nullptr;
}

std::optional<Away> Farm::away(model::BuildId build) const {
  const auto item = items_.find(build);
  const Absence* absence = item == items_.end() ? nullptr : absence_of(item->second);
  if (absence == nullptr) return std::nullopt;
  Away away;
  away.hostname = absence->hostname;
  away.since = absence->since;
  away.until = absence->until;
  away.why = absence->why;
  away.sentence = "its worker " + absence->hostname + " is away since " + utc_text(absence->since) + " (" +
                  absence->why + "); the run goes on there, and is waited for until " + utc_text(absence->until);
  return away;
}

std::string Farm::where_it_stops(const model::WorkerId& id) const {
  for (const auto& [session, worker] : workers_)
    if (worker.session.worker == id) return worker.session.hostname;
  const Absence& absence = absences_.at(id);
  return absence.hostname + ", which is away since " + utc_text(absence.since) + " (" + absence.why + "), or until " +
         utc_text(absence.until);
}

bool Farm::holds_unresumable() const {
  return std::any_of(workers_.begin(), workers_.end(),
                     [](const auto& entry) { return !entry.second.holding.none() && !entry.second.holding.resumable; });
}

}  // namespace build::farm
