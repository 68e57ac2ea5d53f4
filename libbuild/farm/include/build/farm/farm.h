// What the farm decides: what to build, which worker gets which build, what a lost worker means, when a build is
// over. A state machine over model records: an event and a time go in, changed rows and actions come out. It has
// no socket, clock, database or thread in it.
//
// The caller (coordinator/) feeds one event after the other, makes the changed rows durable, and only then carries
// the actions out. Actions are idempotent and follow from the rows. Not thread-safe; one owner. A copy is an
// independent farm in the same state.
//
// What is decided:
//   - One build per (repository, commit, builder), however often and on however many branches a commit is seen.
//   - Per host type the build whose commit is nearest to its branch's head is started first (the head itself
//     before all others), among equals the older one. So every branch's head comes before anybody's history.
//   - It goes to the free worker of that host type that has been idle the longest; to one that lost this build before
//     only if no other is free.
//   - An attempt that is lost (its session ended, the coordinator ended, the shell says so) is followed by another
//     one, up to Rules::max_attempts in all; then the build's result is `lost`, with a sentence that names each loss.
//     An attempt that ended ok or failed is never followed by another, unless somebody wants the build retried.
//   - A worker has one session. A second one ends the first, as lost.
//   - A worker that keeps its runs (model::keeps_runs) is waited for: when its session ends, or the coordinator, what
//     was begun there goes on. The attempt keeps its lease, and nobody else gets the build, until the worker is back
//     (then the attempt is resumed) or for Rules::lease (then it is lost, and all is as above).
//   - A cancelled build is finished at once. Its worker is free when the shell says that nothing runs there any more;
//     until then neither another build nor a retry of the same one is started where two could meet. If such a worker
//     keeps its runs it is waited for as well: when it is back it has to stop that first.
//   - A builder that is new to a repository builds each branch's head.
#pragma once

#include <build/model/records.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace build::farm {

/// The part of the configuration that decisions need.
struct BuilderRule {
  model::BuilderName name;
  model::HostType host_type;
};
struct RepositoryRule {
  model::RepositoryName name;
  std::vector<model::BuilderName> builders;  ///< which build its commits; builds are accepted in this order
};
struct Rules {
  std::vector<BuilderRule> builders;
  std::vector<RepositoryRule> repositories;
  int max_attempts = 3;  ///< of one build, at least 1; only loss of a worker or of the coordinator causes another
  /// The attempts of one build begin at least so far apart, after each further loss twice as far: workers that break at
  /// once must not use up all attempts in a moment. An attempt that ran for longer before it was lost is followed by
  /// the next one at once; so is one that was lost because the coordinator was restarted.
  std::chrono::milliseconds retry_pause{0};
  /// How long a worker that keeps its runs is waited for. Those that are away already are waited for as it was.
  std::chrono::milliseconds lease{std::chrono::minutes{30}};
};

// Events.

/// New commits on a branch's first-parent line, oldest first. What stands at or before the newest known commit of the
/// branch is passed over, so the same event may come twice; all else gets the next positions, also when the branch's
/// history was rewritten. Builds are made for commits of the repository that have none yet; if nothing is new and the
/// last commit is the newest known one, also for that (builders may have been added). Events of one branch come in the
/// order in which the branch grew. A repository that the rules do not name is ignored.
struct CommitsSeen {
  model::RepositoryName repository;
  model::BranchName branch;
  std::vector<model::Commit> commits;
};
/// A worker registered. An older session of the same worker is ended by this. If the worker was waited for, what runs
/// there is resumed or stopped, as long as the worker still keeps its runs. Ignored for a session that is known already
/// or has ended.
struct WorkerConnected {
  model::Session session;
};
/// A session's connection is gone (or was closed on our decision). `why` is a sentence's end: "the connection
/// was reset". If an attempt's loss comes from its connection, tell this, not AttemptEnded: it means the same and
/// keeps the session from getting the next attempt. A resumable attempt goes on: there is no action, the shell lets go
/// of it without stopping what runs and without telling that a step ended.
struct SessionEnded {
  model::SessionId session;
  std::string why;
};
/// A step of the running attempt began or ended; `step` is the whole record. Ignored for attempts that do not run
/// and for steps that have ended.
struct StepChanged {
  model::Step step;
};
/// The shell brought an attempt to an end: nothing of it runs on the worker any more. Of an attempt that was cancelled
/// it frees the worker, whatever `outcome` says; otherwise ignored unless `lease` is that attempt's and it is still
/// running. It does not matter whether the worker is connected. Throws std::invalid_argument if `outcome` is running or
/// cancelled.
struct AttemptEnded {
  model::BuildId build;
  int attempt = 0;
  model::LeaseNumber lease;
  model::AttemptOutcome outcome = model::AttemptOutcome::lost;  ///< ok, failed or lost
  std::string why;
};

/// Somebody wants the build ended. Ignored unless it waits or runs. If its worker is away, what runs there is stopped
/// when it is back.
struct CancelBuild {
  model::BuildId build;
  std::string by;  ///< who; becomes part of the result's sentence
};
/// Somebody wants a finished build built again: its result is cleared and kept as a ClearedResult, its attempts are
/// numbered on, and Rules::max_attempts counts anew. The farm does not hold finished builds: `build` is the row as the
/// store has it. Ignored if it is not finished, was retried since it was read, or is not configured any more.
struct RetryBuild {
  model::Build build;
  std::string by;
};
/// The configuration changed. Builds that wait and are no longer configured end as lost; those that run go on to their
/// end. Everything else keeps what it was accepted for.
struct RulesChanged {
  Rules rules;
};
/// The session's worker is about to end: it gets no further attempt. Ignored for a session that is not known.
struct SessionDraining {
  model::SessionId session;
};
/// The coordinator is about to end: no attempt is begun from now on. It lasts as long as this object.
struct Drain {};
/// It is as late as due() said.
struct TimePassed {};

using Event = std::variant<CommitsSeen, WorkerConnected, SessionEnded, StepChanged, AttemptEnded, CancelBuild,
                           RetryBuild, RulesChanged, SessionDraining, Drain, TimePassed>;

// Actions.

/// Run the build's steps on the session's worker, then report AttemptEnded.
struct StartAttempt {
  model::Build build;
  model::Attempt attempt;
};
/// Find again what the attempt runs on the worker, in the attempt's new session, and go on from there; then report
/// AttemptEnded. If the worker has nothing of it, that is to be reported as lost. It may have been begun by another
/// coordinator.
struct ResumeAttempt {
  model::Build build;
  model::Attempt attempt;
  std::vector<model::Step> steps;  ///< what is known of its steps, by index; at most the last one runs
};
/// Stop what the attempt does, then report AttemptEnded: for the farm the attempt has ended, but its worker is only
/// free then (if its session still lasts). Of a worker that was away it may be all that is told of the attempt: it was
/// begun in an earlier session, perhaps by another coordinator.
struct StopAttempt {
  model::BuildId build;
  int attempt = 0;
  model::SessionId session;
  model::LeaseNumber lease;
};
/// Close the session's connection. For the farm the session has ended already.
struct CloseSession {
  model::SessionId session;
  std::string why;
};

using Action = std::variant<StartAttempt, ResumeAttempt, StopAttempt, CloseSession>;

struct Decision {
  model::Changes changes;
  std::vector<Action> actions;
};

/// Why a build is not running.
struct Waiting {
  /// "waits for a worker of host type h: 2 connected, 2 busy; 3 builds are ahead; since 2025-01-31 12:00:00 UTC"
  std::string sentence;
  /// One of few words, for metrics: "no_worker", "busy", "draining" (the coordinator, or every worker that there is,
  /// is about to end), "stopping" (an earlier attempt of the same build), "pausing"
  /// (Rules::retry_pause).
  std::string label;
  /// When it was accepted, or when its last attempt was lost or it was retried if that was in this object's life.
  model::Time since;
  std::size_t ahead = 0;  ///< builds for the same host type that will be started before it
};

/// A build that runs on a worker which is not connected.
struct Away {
  /// "its worker h is away since 2025-01-31 12:00:00 UTC (the connection was reset); the run goes on there, and is
  /// waited for until 2025-01-31 12:30:00 UTC"
  std::string sentence;
  std::string hostname;
  model::Time since;
  model::Time until;  ///< then the attempt is lost
  std::string why;    ///< a sentence's end: "the connection was reset"
};

class Farm {
 public:
  /// Takes up unfinished rows. Until start() is called nothing else may be.
  Farm(Rules rules, model::OpenRows rows);

  /// The decisions that follow from finding the rows as they are: sessions are over; of the attempts that ran when the
  /// previous coordinator ended, the resumable ones wait for their workers, the others are lost (and their builds wait
  /// again, or are lost too when attempts are used up); builds whose builder or repository is not configured any more
  /// are lost.
  Decision start(model::Time now);

  Decision apply(const Event& event, model::Time now);

  /// nullopt unless the build waits.
  std::optional<Waiting> explain(model::BuildId build) const;
  /// nullopt unless it runs on a worker that is not connected.
  std::optional<Away> away(model::BuildId build) const;

  /// Builds that are not finished: running ones first, in the order in which they were started, then waiting ones
  /// in the order in which they would be (given a worker for each host type).
  std::vector<model::Build> unfinished() const;
  /// Connected workers, longest connected first.
  std::vector<model::Session> sessions() const;
  /// The build that the session's worker is leased to; of a cancelled one until it has stopped.
  std::optional<model::BuildId> leased_to(const model::SessionId& session) const;
  /// Whether the session's worker is about to end.
  bool draining(const model::SessionId& session) const;
  /// Why builds of this kind are not made any more ("builder b is no longer configured"); empty if they are.
  std::string unconfigured(const model::Build& build) const;
  bool idle() const;  ///< no build waits or runs
  /// Whether something runs that would be lost if the coordinator ended now.
  bool holds_unresumable() const;
  /// When TimePassed is to be handed in, if there is no other event before: the end of the first pause, or of the first
  /// wait for a worker.
  std::optional<model::Time> due() const;

 private:
  /// A build that is not finished.
  struct Item {
    model::Build build;
    std::size_t branch = 0;             ///< its branch's place in branches_
    model::Time since;                  ///< for Waiting
    std::set<model::WorkerId> lost_on;  ///< a hint for the choice of worker, not kept in rows
    /// Set while a cancelled attempt of it has not stopped yet.
    std::optional<model::WorkerId> stopping_on;
    std::optional<model::Time> not_before;  ///< its next attempt, after a loss; not kept in rows
    // While it runs:
    std::optional<model::Attempt> attempt;
    model::Lease lease;
    std::map<int, model::Step> steps;  ///< by index; also ended ones

    bool ready() const { return !attempt && !stopping_on && !not_before; }
  };
  /// What a worker is leased for; one thing or nothing.
  struct Holding {
    std::optional<model::BuildId> build;   ///< whose running attempt it is leased to
    std::optional<model::Lease> stopping;  ///< that of a cancelled attempt which has not stopped yet
    bool resumable = false;                ///< that attempt

    bool none() const { return !build && !stopping; }
    bool stops(model::BuildId of, model::LeaseNumber lease) const {
      return stopping && stopping->build == of && stopping->number == lease;
    }
  };
  struct Worker {
    model::Session session;
    Holding holding;
    bool draining = false;
    std::uint64_t turn = 0;  ///< smaller: longer idle

    bool free() const { return holding.none() && !draining; }
  };
  /// A worker that is waited for.
  struct Absence {
    Holding holding;  ///< something resumable
    std::string hostname;
    model::Time since, until;
    std::string why;
  };
  /// One event being decided.
  struct Round {
    model::Time now;
    Decision decision;
  };
  struct Branch {
    std::int64_t position = 0;  ///< of its newest known commit; 0 if there is none
    model::CommitHash head;
  };
  using BranchKey = std::pair<model::RepositoryName, model::BranchName>;
  using CommitKey = std::pair<model::RepositoryName, model::CommitHash>;

  void on(const CommitsSeen& event, Round& round);
  void on(const WorkerConnected& event, Round& round);
  void on(const SessionEnded& event, Round& round);
  void on(const StepChanged& event, Round& round);
  void on(const AttemptEnded& event, Round& round);
  void on(const CancelBuild& event, Round& round);
  void on(const RetryBuild& event, Round& round);
  void on(const RulesChanged& event, Round& round);
  void on(const SessionDraining& event, Round& round);
  void on(const Drain& event, Round& round);
  void on(const TimePassed& event, Round& round);

  const RepositoryRule* rule_of(const model::RepositoryName& repository) const;
  const BuilderRule* rule_of(const model::BuilderName& builder) const;
  std::size_t branch_index(const model::RepositoryName& repository, const model::BranchName& branch);
  void take_up_lease(model::Lease lease, const std::vector<model::Attempt>& stopping);
  void accept(const RepositoryRule& rule, const model::BranchCommit& place, std::size_t branch, Round& round);
  bool mark_built(const model::BuildKey& key);

  void begin_attempt(Item& item, Worker& worker, Round& round);
  void close_attempt(Item& item, model::AttemptOutcome outcome, const std::string& why, Round& round);
  void let_go(Item& item, Round& round);
  void lose_attempt(Item& item, const std::string& why, Round& round);
  bool has_stopped(const AttemptEnded& event, Round& round);
  void release(Holding& holding, Round& round);
  void drop_unconfigured(Round& round);
  void finish(model::BuildId build, model::Result result, std::string why, Round& round);
  void end_session(const model::SessionId& session, const std::string& why, Round& round);
  void remember_ended(const model::SessionId& session);

  void wait_for(Absence& absence, const std::string& why, Round& round);
  void take_up_attempt(Item& item, const std::string& why, Round& round);
  void come_back(Worker& worker, Round& round);
  void give_up(const model::WorkerId& worker, const std::string& why, Round& round);
  void end_waits(Round& round);
  const Absence* absence_of(const Item& item) const;
  std::string where_it_stops(const model::WorkerId& worker) const;

  bool starts_before(const Item& a, const Item& b) const;
  void start_what_can_start(Round& round);
  void end_pauses(Round& round);
  Item* next_for(const model::HostType& host_type);
  Worker* free_worker_for(const Item& item);

  Rules rules_;
  std::map<model::BuildId, Item> items_;
  std::map<model::SessionId, Worker> workers_;
  std::map<model::WorkerId, model::SessionId> session_of_;  ///< of each worker in workers_
  std::map<model::WorkerId, Absence> absences_;             ///< of none that has a session
  std::vector<Branch> branches_;
  std::map<BranchKey, std::size_t> branch_indexes_;
  std::map<CommitKey, std::vector<model::BuilderName>> built_;
  model::BuildId last_build_;
  model::LeaseNumber last_lease_;
  std::uint64_t last_turn_ = 0;
  bool draining_ = false;
  /// Leases that were found held by nobody who is known; released at the start.
  std::vector<model::Lease> stray_leases_;
  /// Build::retries of those that were retried in this object's life: a row that is older comes too late.
  std::map<model::BuildId, int> retries_;
  // Sessions that ended lately, so that a WorkerConnected that comes late does not revive one.
  std::deque<model::SessionId> ended_order_;
  std::set<model::SessionId> ended_;
};

}  // namespace build::farm
