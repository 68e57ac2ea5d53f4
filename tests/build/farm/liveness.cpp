#include "liveness.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace build::farm {

void must(bool holds, const char* rule) {
  if (!holds) FAIL(std::string(rule));
}

void Liveness::before(const Event& event, const Bench& bench) {
  if (const auto* connected = std::get_if<WorkerConnected>(&event)) {
    connect(connected->session, bench);
  } else if (const auto* ended = std::get_if<SessionEnded>(&event)) {
    end_session(ended->session, bench);
  } else if (const auto* over = std::get_if<AttemptEnded>(&event)) {
    const auto run = runs_.find(over->lease);
    if (run != runs_.end() && run->second.build == over->build) run->second.told = true;
  }
}

void Liveness::before_restart(const Bench& bench) {
  while (!sessions_.empty()) end_session(model::SessionId(sessions_.begin()->first), bench);
  for (auto& [lease, run] : runs_)
    if (run.resumable) run.until = bench.now + bench.rules.lease;
}

void Liveness::connect(const model::Session& session, const Bench& bench) {
  if (!seen_.insert(session.id).second) return;
  const auto older = std::find_if(sessions_.begin(), sessions_.end(),
                                  [&session](const auto& entry) { return entry.second.worker == session.worker; });
  if (older != sessions_.end()) end_session(model::SessionId(older->first), bench);
  sessions_.emplace(session.id, session);
  const bool keeps = std::count(session.features.begin(), session.features.end(), "runs") != 0;
  for (auto& [lease, run] : runs_)
    if (run.worker == session.worker && !keeps) run.told = true;
}

void Liveness::end_session(const model::SessionId& session, const Bench& bench) {
  if (sessions_.erase(session) == 0) return;
  for (auto& [lease, run] : runs_) {
    if (run.session != session) continue;
    if (run.resumable)
      run.until = bench.now + bench.rules.lease;
    else
      run.told = true;
  }
}

void Liveness::follow(const StartAttempt& start, const Bench& bench) {
  const model::Attempt& attempt = start.attempt;
  const auto session = sessions_.find(attempt.session);
  must(session != sessions_.end(), "an attempt begins in a session that lasts");
  for (const auto& [lease, run] : runs_) {
    const bool live = !run.told && (!run.until || *run.until > bench.now);
    must(!live || run.build != attempt.build, "a build has one live attempt");
    must(!live || run.worker != attempt.worker, "a worker has one live attempt");
  }
  const auto& features = session->second.features;
  const bool resumable = std::count(features.begin(), features.end(), "runs") != 0 &&
                         attempt.worker.value.find("session/") == std::string::npos;
  must(attempt.resumable == resumable, "what its worker keeps is resumable");
  runs_[attempt.lease] = {.build = attempt.build,
                          .attempt = attempt.number,
                          .worker = attempt.worker,
                          .session = attempt.session,
                          .resumable = resumable,
                          .until = std::nullopt};
}

void Liveness::follow(const ResumeAttempt& resume, const Bench& bench) {
  const auto run = runs_.find(resume.attempt.lease);
  must(run != runs_.end() && !run->second.told && run->second.until,
       "what may run on a worker that was away is resumed");
  must(run->second.build == resume.build.id && run->second.attempt == resume.attempt.number, "it is that attempt");
  const auto session = sessions_.find(resume.attempt.session);
  must(session != sessions_.end() && session->second.worker == run->second.worker, "it is resumed on its worker");
  must(resume.steps == bench.rows.steps_of(resume.attempt), "all that is known of its steps comes along");
  run->second.session = resume.attempt.session;
  run->second.until.reset();
  ++resumed_;
}

void Liveness::follow(const StopAttempt& stop, const Bench&) {
  const auto run = runs_.find(stop.lease);
  must(run != runs_.end() && run->second.build == stop.build && run->second.attempt == stop.attempt,
       "what is to be stopped was begun");
  const auto session = sessions_.find(stop.session);
  if (session == sessions_.end()) return;
  must(session->second.worker == run->second.worker, "it is stopped on its worker");
  if (!run->second.until) return;
  run->second.session = stop.session;
  run->second.until.reset();
  ++stopped_later_;
}

void Liveness::after(const Bench& bench) {
  for (const Action& action : bench.actions)
    std::visit([this, &bench](const auto& wanted) { follow(wanted, bench); }, action);
  compare(bench);
}

void Liveness::compare(const Bench& bench) {
  std::set<model::WorkerId> leased;
  std::set<model::BuildId> live;
  for (auto entry = runs_.begin(); entry != runs_.end();) {
    const Run& run = entry->second;
    if (!bench.rows.leases.at(entry->first).released) {
      must(!run.told, "a lease is held as long as something may run, and no longer");
      must(leased.insert(run.worker).second, "a worker is leased once");
      must(live.insert(run.build).second, "a build is live once");
      must(!run.until || std::none_of(sessions_.begin(), sessions_.end(),
                                      [&run](const auto& session) { return session.second.worker == run.worker; }),
           "what runs on a worker that is back is resumed or stopped");
      ++entry;
      continue;
    }
    must(run.told || (run.until && *run.until <= bench.now), "a lease is held as long as something may run");
    if (!run.told) ++given_up_;
    entry = runs_.erase(entry);
  }
  for (const model::Lease& lease : bench.rows.running_rows().leases)
    must(runs_.count(lease.number) == 1, "what holds a lease was begun");
}

}  // namespace build::farm
