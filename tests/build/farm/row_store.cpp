#include "row_store.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

namespace build::farm {

namespace {

struct Put {
  RowStore& rows;
  void operator()(const model::Commit& row) { rows.commits[{row.repository, row.hash}] = row; }
  void operator()(const model::BranchCommit& row) { rows.places[{row.repository, row.branch, row.position}] = row; }
  void operator()(const model::Build& row) { rows.builds[row.id] = row; }
  void operator()(const model::Attempt& row) {
    model::Attempt& known = rows.attempts[{row.build, row.number}];
    if (known.ended) FAIL("an attempt that ended does not change");
    known = row;
  }
  void operator()(const model::Step& row) { rows.steps[{row.build, row.attempt, row.index}] = row; }
  void operator()(const model::Lease& row) {
    model::Lease& known = rows.leases[row.number];
    if (known.released) FAIL("a lease is released once");
    known = row;
  }
  void operator()(const model::Session& row) { rows.sessions[row.id] = row; }
  void operator()(const model::ClearedResult& row) { rows.cleared[{row.build, row.number}] = row; }
};

}  // namespace

void RowStore::apply(const model::Changes& changes) {
  for (const model::Change& change : changes) std::visit(Put{*this}, change);
}

model::OpenRows RowStore::running_rows() const {
  model::OpenRows open;
  for (const auto& [id, build] : builds) {
    if (build.state != model::BuildState::finished) open.builds.push_back(build);
    open.last_build = id;
  }
  std::set<std::pair<model::BuildId, int>> holding;
  for (const auto& [number, lease] : leases) {
    open.last_lease = number;
    if (lease.released) continue;
    open.leases.push_back(lease);
    holding.emplace(lease.build, lease.attempt);
  }
  for (const auto& [key, attempt] : attempts) {
    if (attempt.outcome == model::AttemptOutcome::running)
      open.attempts.push_back(attempt);
    else if (holding.count(key) != 0)
      open.stopping.push_back(attempt);
  }
  for (const model::Attempt& attempt : open.attempts)
    for (const model::Step& step : steps_of(attempt)) open.steps.push_back(step);
  for (const auto& [id, session] : sessions)
    if (!session.ended) open.sessions.push_back(session);
  return open;
}

model::OpenRows RowStore::open_rows() const {
  model::OpenRows open = running_rows();
  for (const auto& [id, build] : builds) open.built.push_back({build.repository, build.commit, build.builder});
  std::map<std::pair<model::RepositoryName, model::BranchName>, model::BranchCommit> heads;
  for (const auto& [key, place] : places) heads[{place.repository, place.branch}] = place;
  for (const auto& [key, place] : heads) open.heads.push_back(place);
  return open;
}

std::vector<model::Build> RowStore::unfinished() const { return open_rows().builds; }

std::vector<model::Attempt> RowStore::attempts_of(model::BuildId build) const {
  std::vector<model::Attempt> result;
  for (const auto& [key, attempt] : attempts)
    if (attempt.build == build) result.push_back(attempt);
  return result;
}

std::vector<model::Step> RowStore::steps_of(const model::Attempt& attempt) const {
  std::vector<model::Step> result;
  for (auto row = steps.lower_bound({attempt.build, attempt.number, 0});
       row != steps.end() && row->second.build == attempt.build && row->second.attempt == attempt.number; ++row)
    result.push_back(row->second);
  return result;
}

Bench::Bench(Rules rules_of_farm) : rules(std::move(rules_of_farm)) { restart(); }

void Bench::restart() {
  farm.emplace(rules, rows.open_rows());
  const Decision decision = farm->start(now);
  rows.apply(decision.changes);
  actions = decision.actions;
}

void Bench::feed(const Event& event) {
  const Decision decision = farm->apply(event, now);
  rows.apply(decision.changes);
  actions = decision.actions;
}

void Bench::commits(const std::vector<std::string>& names, const std::string& branch) {
  CommitsSeen seen{model::RepositoryName{"r"}, model::BranchName{branch}, {}};
  for (const std::string& name : names) {
    model::Commit commit;
    commit.repository = model::RepositoryName{"r"};
    commit.hash = hash_of(name);
    commit.subject = name;
    seen.commits.push_back(commit);
  }
  feed(seen);
}

void Bench::connect(const std::string& session, const std::string& worker, const std::string& host_type) {
  feed(WorkerConnected{session_of(session, worker, host_type)});
}

void Bench::connect_keeping(const std::string& session, const std::string& worker) {
  model::Session s = session_of(session, worker, "linux");
  s.features = {"other", "runs"};
  feed(WorkerConnected{s});
}

void Bench::pass(std::chrono::milliseconds time) {
  now += time;
  feed(TimePassed{});
}

model::Session Bench::session_of(const std::string& session, const std::string& worker,
                                 const std::string& host_type) const {
  model::Session s;
  s.id = model::SessionId{session};
  s.worker = model::WorkerId{worker};
  s.host_type = model::HostType{host_type};
  s.hostname = worker;
  s.connected = now;
  return s;
}

void Bench::end_session(const std::string& session, const std::string& why) {
  feed(SessionEnded{model::SessionId{session}, why});
}

void Bench::end_attempt(model::BuildId id, model::AttemptOutcome outcome, const std::string& why) {
  const std::vector<model::Attempt> all = rows.attempts_of(id);
  REQUIRE(!all.empty());
  feed(AttemptEnded{id, all.back().number, all.back().lease, outcome, why});
}

model::Step Bench::step(model::BuildId build, int index, model::AttemptOutcome outcome) {
  model::Step step;
  step.build = build;
  step.attempt = rows.builds.at(build).attempts;
  step.index = index;
  step.name = "step" + std::to_string(index);
  step.run = model::RunId{"run-" + std::to_string(build.value) + "-" + std::to_string(step.attempt) + "-" +
                          std::to_string(index)};
  step.started = now;
  step.outcome = outcome;
  if (outcome != model::AttemptOutcome::running) {
    step.ended = now;
    step.status = "ok";
  }
  return step;
}

const model::Build& Bench::build_of(const std::string& commit, const std::string& builder) const {
  const model::Build* found = nullptr;
  for (const auto& [id, build] : rows.builds) {
    if (build.commit != hash_of(commit) || build.builder.value != builder) continue;
    REQUIRE_MESSAGE(found == nullptr, "two builds of " << commit << " by " << builder);
    found = &build;
  }
  REQUIRE_MESSAGE(found != nullptr, "no build of " << commit << " by " << builder);
  return *found;
}

std::vector<std::int64_t> Bench::started() const {
  std::vector<std::int64_t> ids;
  for (const Action& action : actions)
    if (const auto* start = std::get_if<StartAttempt>(&action)) ids.push_back(start->build.id.value);
  return ids;
}

Rules usual_rules() {
  using model::BuilderName, model::HostType;
  Rules rules;
  rules.builders = {{BuilderName{"debug"}, HostType{"linux"}},
                    {BuilderName{"asan"}, HostType{"linux"}},
                    {BuilderName{"arm"}, HostType{"arm64"}}};
  rules.repositories = {{model::RepositoryName{"r"}, {BuilderName{"debug"}, BuilderName{"asan"}, BuilderName{"arm"}}}};
  return rules;
}

Rules one_builder() {
  Rules rules = usual_rules();
  rules.builders.resize(1);
  rules.repositories.front().builders.resize(1);
  return rules;
}

model::CommitHash hash_of(const std::string& name) {
  std::string hash;
  for (const char c : name) {
    static constexpr char kDigits[] = "0123456789abcdef";
    hash += kDigits[static_cast<unsigned char>(c) >> 4];
    hash += kDigits[static_cast<unsigned char>(c) & 15];
  }
  hash.resize(40, '0');
  return model::CommitHash{hash};
}

}  // namespace build::farm
