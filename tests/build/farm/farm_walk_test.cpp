// Random walks: many seeds, 20,000 events in all per walk length, every rule checked after each event.
#include <doctest/doctest.h>

#include "liveness.h"

#include <algorithm>
#include <random>
#include <set>

namespace build::farm {

using model::AttemptOutcome;
using model::BuildId;
using model::BuildState;
using model::Result;

namespace {

class Walk {
 public:
  explicit Walk(unsigned seed) : random_(seed), bench_(usual_rules()) {
    bench_.rules.max_attempts = 1 + static_cast<int>(seed % 4);
    bench_.rules.lease = std::chrono::seconds{20 + 10 * (seed % 3)};
    bench_.restart();
  }

  void step() {
    bench_.now += std::chrono::milliseconds{pick(5000)};
    switch (pick(22)) {
      case 0:
      case 1:
        see_commits();
        break;
      case 2:
      case 3:
        connect();
        break;
      case 4:
        end_some_session();
        break;
      case 5:
      case 6:
      case 7:
      case 8:
        change_some_step();
        break;
      case 9:
      case 10:
      case 11:
      case 12:
        end_some_attempt();
        break;
      case 13:
        repeat_an_event();
        break;
      case 14:
        report_nonsense();
        break;
      case 15:
        cancel_some_build();
        break;
      case 16:
        retry_some_build();
        break;
      case 17:
      case 18:
        end_some_cancelled_attempt();
        break;
      case 19:
        change_rules_or_drain();
        break;
      case 20:
        let_time_pass();
        break;
      default:
        if (pick(6) == 0) restart();
    }
    check();
  }

  /// Takes every build to its end.
  void finish() {
    if (draining_) restart();
    while (const auto lease = some_stopping_lease()) report_stopped(*lease);
    int guard = 100000;
    while (!bench_.farm->idle() && --guard > 0) {
      const model::Build next = bench_.farm->unfinished().front();
      if (next.state == BuildState::waiting)
        feed(WorkerConnected{session(next.host_type.value)});
      else if (bench_.farm->away(next.id) && pick(2) == 0)
        let_time_pass();
      else
        end_attempt(next.id);
      if (guard % 10 == 0) check();
    }
    REQUIRE(guard > 0);
    for (const auto& [id, build] : bench_.rows.builds) REQUIRE(build.result != Result::none);
  }

  std::size_t builds() const { return bench_.rows.builds.size(); }
  std::size_t cancelled() const {
    return static_cast<std::size_t>(
        std::count_if(bench_.rows.attempts.begin(), bench_.rows.attempts.end(),
                      [](const auto& a) { return a.second.outcome == AttemptOutcome::cancelled; }));
  }
  std::size_t retries() const { return bench_.rows.cleared.size(); }
  const Liveness& liveness() const { return liveness_; }

 private:
  unsigned pick(unsigned below) { return static_cast<unsigned>(random_() % below); }

  void feed(const Event& event) {
    last_events_.push_back(event);
    if (last_events_.size() > 50) last_events_.erase(last_events_.begin());
    liveness_.before(event, bench_);
    bench_.feed(event);
    follow_actions();
  }

  void follow_actions() {
    liveness_.after(bench_);
    for (const Action& action : bench_.actions) {
      const auto* start = std::get_if<StartAttempt>(&action);
      if (start == nullptr) continue;
      must(start->attempt.lease > last_lease_, "lease numbers grow");
      must(!draining_, "a farm that drains begins nothing");
      must(!bench_.farm->draining(start->attempt.session), "a worker that drains gets nothing");
      last_lease_ = start->attempt.lease;
    }
  }

  void see_commits() {
    CommitsSeen seen{model::RepositoryName{"r"}, model::BranchName{pick(3) == 0 ? "release" : "main"}, {}};
    const unsigned count = 1 + pick(3);
    for (unsigned i = 0; i < count; ++i) {
      model::Commit commit;
      commit.repository = seen.repository;
      commit.hash = hash_of("c" + std::to_string(pick(5) == 0 ? pick(made_ + 1) : ++made_));
      seen.commits.push_back(commit);
    }
    feed(seen);
  }

  model::Session session(const std::string& host_type) {
    model::Session s;
    s.id = model::SessionId{"s" + std::to_string(++sessions_)};
    const std::string name = host_type + std::to_string(pick(4));
    // Half of the workers keep their runs, most of the time; some of those cannot be known again.
    const bool keeps = (name.back() - '0') % 2 == 0 && pick(8) != 0;
    if (keeps) s.features = {"runs"};
    s.worker = keeps && pick(8) == 0 ? model::nameless_worker(s.id) : model::WorkerId{name};
    s.hostname = name;
    s.host_type = model::HostType{host_type};
    s.connected = bench_.now;
    return s;
  }

  void connect() { feed(WorkerConnected{session(pick(3) == 0 ? "arm64" : "linux")}); }

  void end_some_session() {
    const auto open = bench_.farm->sessions();
    if (open.empty()) return;
    feed(SessionEnded{open[pick(static_cast<unsigned>(open.size()))].id, "the connection was reset"});
  }

  void let_time_pass() {
    const auto due = bench_.farm->due();
    if (due) bench_.now = std::max(bench_.now, *due);
    feed(TimePassed{});
    for (const model::Attempt& attempt : bench_.rows.running_rows().attempts)
      if (const auto away = bench_.farm->away(attempt.build)) must(away->until > bench_.now, "a wait has an end");
  }

  std::optional<model::Attempt> some_attempt() {
    const auto running = bench_.rows.running_rows().attempts;
    if (running.empty()) return std::nullopt;
    return running[pick(static_cast<unsigned>(running.size()))];
  }

  void change_some_step() {
    const auto attempt = some_attempt();
    if (!attempt) return;
    const auto outcome = static_cast<AttemptOutcome>(pick(3));
    feed(StepChanged{bench_.step(attempt->build, static_cast<int>(pick(4)), outcome)});
  }

  void end_attempt(BuildId build) {
    const model::Attempt attempt = bench_.rows.attempts_of(build).back();
    feed(AttemptEnded{build, attempt.number, attempt.lease, AttemptOutcome::ok, ""});
  }

  void end_some_attempt() {
    const auto attempt = some_attempt();
    if (!attempt) return;
    const auto outcome = static_cast<AttemptOutcome>(1 + pick(3));
    feed(AttemptEnded{attempt->build, attempt->number, attempt->lease, outcome, "why"});
  }

  const model::Build* some_build() {
    if (bench_.rows.builds.empty()) return nullptr;
    return &std::next(bench_.rows.builds.begin(), pick(static_cast<unsigned>(bench_.rows.builds.size())))->second;
  }

  void cancel_some_build() {
    if (const auto attempt = pick(2) == 0 ? some_attempt() : std::nullopt)
      feed(CancelBuild{attempt->build, "ann"});
    else if (const model::Build* build = some_build())
      feed(CancelBuild{build->id, "ann"});
  }

  void retry_some_build() {
    const model::Build* build = some_build();
    if (build == nullptr) return;
    const model::Build row = *build;
    const std::size_t cleared = bench_.rows.cleared.size();
    const bool possible = row.state == BuildState::finished && bench_.farm->unconfigured(row).empty();
    feed(RetryBuild{row, "bob"});
    must(bench_.rows.cleared.size() == cleared + (possible ? 1 : 0), "a finished build can be retried, others cannot");
    if (pick(2) == 0) feed(RetryBuild{row, "eve"});
    must(bench_.rows.cleared.size() == cleared + (possible ? 1 : 0), "a result is cleared once");
  }

  std::optional<model::Lease> some_stopping_lease() {
    for (const auto& [number, lease] : bench_.rows.leases)
      if (!lease.released && cancelled(lease)) return lease;
    return std::nullopt;
  }

  bool cancelled(const model::Lease& lease) const {
    return bench_.rows.attempts.at({lease.build, lease.attempt}).outcome == AttemptOutcome::cancelled;
  }

  void report_stopped(const model::Lease& lease) {
    feed(AttemptEnded{lease.build, lease.attempt, lease.number, AttemptOutcome::lost, "killed"});
    must(bench_.rows.leases.at(lease.number).released.has_value(), "what has stopped holds no worker");
  }

  void end_some_cancelled_attempt() {
    if (const auto lease = some_stopping_lease()) report_stopped(*lease);
  }

  void change_rules_or_drain() {
    const auto open = bench_.farm->sessions();
    if (pick(4) == 0 && !open.empty()) feed(SessionDraining{open[pick(static_cast<unsigned>(open.size()))].id});
    if (pick(4) == 0) {
      Rules rules = usual_rules();
      rules.max_attempts = bench_.rules.max_attempts;
      rules.lease = std::chrono::seconds{10 + pick(60)};
      if (pick(2) == 0)
        rules.repositories.front().builders.erase(rules.repositories.front().builders.begin() + pick(3));
      if (pick(4) == 0) rules.builders.erase(rules.builders.begin() + pick(3));
      bench_.rules = rules;
      feed(RulesChanged{rules});
    }
    if (pick(20) == 0) {
      draining_ = true;
      feed(Drain{});
    }
  }

  void repeat_an_event() {
    if (last_events_.empty()) return;
    const Event event = last_events_[pick(static_cast<unsigned>(last_events_.size()))];
    feed(event);
  }

  void report_nonsense() {
    const BuildId build{static_cast<std::int64_t>(pick(static_cast<unsigned>(bench_.rows.builds.size()) + 2))};
    const model::LeaseNumber lease{static_cast<std::int64_t>(pick(20))};
    const auto found = bench_.rows.leases.find(lease);
    const bool real = found != bench_.rows.leases.end() && found->second.build == build && !found->second.released;
    if (!real) feed(AttemptEnded{build, static_cast<int>(pick(4)), lease, AttemptOutcome::ok, ""});
  }

  void restart() {
    last_events_.clear();
    draining_ = false;
    liveness_.before_restart(bench_);
    bench_.restart();
    follow_actions();
    for (const model::Attempt& attempt : bench_.rows.running_rows().attempts) REQUIRE(attempt.resumable);
    for (const model::Attempt& attempt : bench_.rows.running_rows().stopping) REQUIRE(attempt.resumable);
    REQUIRE(bench_.rows.open_rows().sessions.empty());
  }

  void check() {
    check_running(bench_.rows.running_rows());
    if (++checks_ % 10 != 0) return;
    const model::OpenRows open = bench_.rows.open_rows();
    check_builds(open);
    check_places();
    check_replay(open);
  }

  void check_running(const model::OpenRows& open) {
    std::set<BuildId> running;
    std::set<model::WorkerId> used;
    bool unresumable = false;
    for (const model::Attempt& attempt : open.attempts) {
      const model::Session& session = bench_.rows.sessions.at(attempt.session);
      must(running.insert(attempt.build).second, "a build has one running attempt");
      must(used.insert(attempt.worker).second, "a worker is leased to one build");
      must(!session.ended || attempt.resumable, "an attempt runs only while its session lasts, or without it");
      must(bench_.farm->away(attempt.build).has_value() == session.ended.has_value(), "the farm knows who is away");
      if (!session.ended) must(bench_.farm->leased_to(session.id) == attempt.build, "the farm knows its leases");
      unresumable = unresumable || !attempt.resumable;
      must(bench_.rows.builds.at(attempt.build).host_type == session.host_type, "the worker has the host type");
      must(!bench_.rows.leases.at(attempt.lease).released, "a running attempt has its lease");
    }
    std::set<BuildId> live;
    std::set<model::SessionId> held;
    for (const model::Lease& lease : open.leases) {
      must(live.insert(lease.build).second, "a build lives on one worker");
      must(held.insert(lease.session).second, "a worker is held by one build");
      must(bench_.rows.sessions.at(lease.session).ended || bench_.farm->leased_to(lease.session) == lease.build,
           "the farm knows what holds its workers");
      must(running.count(lease.build) == 1 || cancelled(lease), "leases of ended attempts are released");
    }
    for (const model::Attempt& attempt : open.stopping) unresumable = unresumable || !attempt.resumable;
    must(bench_.farm->holds_unresumable() == unresumable, "the farm knows what would be lost with it");
    for (const model::Step& step : open.steps) {
      must(running.count(step.build) == 1, "a running step's build runs");
      must(step.attempt == bench_.rows.builds.at(step.build).attempts, "a running step's attempt runs");
    }
    std::set<model::WorkerId> workers;
    for (const model::Session& s : open.sessions) must(workers.insert(s.worker).second, "a worker has one session");
    must(open.sessions.size() == bench_.farm->sessions().size(), "the farm knows its sessions");
    for (const model::Session& s : open.sessions)
      must(bench_.farm->leased_to(s.id).has_value() == (held.count(s.id) == 1), "leased means held by an attempt");
  }

  void check_builds(const model::OpenRows& open) {
    const std::set<model::BuildKey> keys(open.built.begin(), open.built.end());
    must(keys.size() == bench_.rows.builds.size(), "a commit has one build by one builder");
    for (const auto& [id, build] : bench_.rows.builds) {
      const auto [known, fresh] = results_.emplace(std::pair{id, build.retries}, build.result);
      must(known->second == Result::none || known->second == build.result, "a result is final until it is cleared");
      known->second = build.result;
      must((build.state == BuildState::finished) == (build.result != Result::none), "finished means a result");
      must((build.state == BuildState::finished) == build.finished.has_value(), "finished means a time");
      must(build.attempts - build.attempts_before <= bench_.rules.max_attempts, "attempts are bounded");
      must(build.retries == cleared_results_of(id), "each retry has cleared one result");
      must(build.result == Result::ok || build.result == Result::none || !build.why.empty(), "bad ends have a reason");
    }
    for (const auto& [key, attempt] : bench_.rows.attempts)
      must((attempt.outcome == AttemptOutcome::running) == !attempt.ended, "an attempt that ended has a time");
  }

  int cleared_results_of(BuildId id) const {
    int count = 0;
    for (auto row = bench_.rows.cleared.lower_bound({id, 1});
         row != bench_.rows.cleared.end() && row->first.first == id; ++row) {
      must(row->second.result != Result::none, "what was cleared was a result");
      must(row->second.number == ++count, "cleared results are numbered");
    }
    return count;
  }

  /// What the farm holds is what its rows say, and what another farm would take up from them.
  void check_replay(const model::OpenRows& open) {
    auto held = bench_.farm->unfinished();
    must(held == Farm(bench_.rules, open).unfinished(), "rows give the same state again");
    for (std::size_t i = 0; i < held.size(); i += 1 + held.size() / 4)
      must(bench_.farm->explain(held[i].id).has_value() == (held[i].state == BuildState::waiting), "waits explain");
    std::set<BuildId> stopping;
    for (const model::Lease& lease : open.leases)
      if (cancelled(lease)) stopping.insert(lease.build);
    for (const model::Build& build : held) {
      if (build.state != BuildState::waiting) continue;
      must(bench_.farm->unconfigured(build).empty(), "nobody waits for what is not configured");
      for (const model::Session& s : open.sessions) {
        if (draining_ || bench_.farm->draining(s.id) || bench_.farm->leased_to(s.id) || stopping.count(build.id) != 0)
          continue;
        must(build.host_type != s.host_type, "nobody waits beside a free worker");
      }
    }
    std::sort(held.begin(), held.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    must(held == open.builds, "the farm holds what the rows hold");
    must(bench_.farm->idle() == held.empty(), "idle means nothing is held");
  }

  void check_places() {
    std::map<model::BranchName, std::int64_t> last;
    for (const auto& [key, place] : bench_.rows.places)
      must(place.position == ++last[place.branch], "positions are dense");
  }

  std::mt19937 random_;
  Bench bench_;
  Liveness liveness_;
  std::vector<Event> last_events_;
  std::map<std::pair<BuildId, int>, Result> results_;
  bool draining_ = false;
  model::LeaseNumber last_lease_;
  unsigned made_ = 0, sessions_ = 0, checks_ = 0;
};

}  // namespace

TEST_CASE("the rules hold over random events, repeated, late and nonsensical ones and restarts among them") {
  constexpr unsigned kSeeds = 100;
  constexpr int kEvents = 200;  // per seed: 20,000 in all
  std::size_t builds = 0, cancelled = 0, retries = 0, resumed = 0, stopped_later = 0, given_up = 0;
  for (unsigned seed = 1; seed <= kSeeds; ++seed) {
    CAPTURE(seed);
    Walk walk(seed);
    for (int i = 0; i < kEvents; ++i) {
      CAPTURE(i);
      walk.step();
    }
    walk.finish();
    builds += walk.builds();
    cancelled += walk.cancelled();
    retries += walk.retries();
    resumed += walk.liveness().resumed();
    stopped_later += walk.liveness().stopped_later();
    given_up += walk.liveness().given_up();
  }
  CHECK(builds > 1000);
  CHECK(cancelled > 100);
  CHECK(retries > 100);
  CHECK(resumed > 100);
  CHECK(stopped_later > 10);
  CHECK(given_up > 50);
}

}  // namespace build::farm
