// The farm's records: what is kept in the store, decided on by farm/, shown by web/. Plain values.
#pragma once

#include <build/model/ids.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace build::model {

/// One commit of a repository, as git tells it. Text is whatever the commit holds; it may be hostile.
struct Commit {
  RepositoryName repository;
  CommitHash hash;
  std::string author_name;
  std::string author_email;
  std::string subject;  ///< first line of the message
  Time committed;

  bool operator==(const Commit&) const = default;
};

/// A commit's place on a branch's first-parent line. Greater positions are newer; positions are dense per branch.
struct BranchCommit {
  RepositoryName repository;
  BranchName branch;
  std::int64_t position = 0;
  CommitHash hash;

  bool operator==(const BranchCommit&) const = default;
};

enum class BuildState { waiting, running, finished };

/// How a build ended. `lost` is the farm's fault (no attempt could be brought to an end), `cancelled` somebody's wish,
/// the others the commit's.
enum class Result { none, ok, failed, lost, cancelled };

/// One commit to be built by one builder. There is one per (repository, commit, builder).
struct Build {
  BuildId id;
  RepositoryName repository;
  BranchName branch;  ///< where it was first seen
  CommitHash commit;
  BuilderName builder;
  HostType host_type;         ///< what it needs, from the builder's configuration when it was accepted
  std::int64_t position = 0;  ///< the commit's position on `branch`
  BuildState state = BuildState::waiting;
  Result result = Result::none;
  int attempts = 0;  ///< how many were begun
  Time accepted;
  std::optional<Time> finished;
  /// A sentence about the result; empty for ok. While the build waits after losses, it names those.
  std::string why;
  int retries = 0;          ///< how often its result was cleared so that it builds again
  int attempts_before = 0;  ///< of `attempts`, how many were begun before the last retry: they are not counted again

  bool operator==(const Build&) const = default;
};

/// A result that a build had until somebody wanted it built again. There is one for each of Build::retries.
struct ClearedResult {
  BuildId build;
  int number = 0;                  ///< from 1
  Result result = Result::failed;  ///< never none
  std::string why;
  Time finished;
  int attempts = 0;  ///< how many were begun until then; later ones belong to a later result
  Time cleared;
  std::string cleared_by;

  bool operator==(const ClearedResult&) const = default;
};

enum class AttemptOutcome { running, ok, failed, lost, cancelled };

/// One try at a build, on one worker, under one lease.
struct Attempt {
  BuildId build;
  int number = 0;  ///< from 1
  LeaseNumber lease;
  SessionId session;
  WorkerId worker;
  std::string hostname;
  Time started;
  std::optional<Time> ended;
  AttemptOutcome outcome = AttemptOutcome::running;
  std::string why;         ///< a sentence: the failing step and its status, or how it was lost
  bool resumable = false;  ///< it goes on without its session, see keeps_runs(); the session is then its newest

  bool operator==(const Attempt&) const = default;
};

/// One command of an attempt. Its output is the log object named by `run`.
struct Step {
  BuildId build;
  int attempt = 0;
  int index = 0;  ///< from 0; the farm's own preparation ("source") comes first
  std::string name;
  std::string command;
  RunId run;
  Time started;
  std::optional<Time> ended;
  AttemptOutcome outcome = AttemptOutcome::running;
  std::string status;  ///< "ok", "exit status 2", "signal: killed", "time limit of 600 s exceeded", ...

  bool operator==(const Step&) const = default;
};

/// The right of one attempt to use one worker. It is released when nothing of the attempt runs there any more, which
/// for an attempt that was cancelled is later than its end. Of a resumable attempt the session is its newest.
struct Lease {
  LeaseNumber number;
  WorkerId worker;
  SessionId session;
  BuildId build;
  int attempt = 0;
  Time granted;
  std::optional<Time> released;

  bool operator==(const Lease&) const = default;
};

/// One registration of a worker, from its dialing in to its loss.
struct Session {
  SessionId id;
  WorkerId worker;      ///< host type and id; for workers that send no id (the original's): the session's
  InstanceId instance;  ///< empty for workers that send none
  HostType host_type;
  std::string hostname;
  std::string version;
  std::vector<std::string> features;
  std::string peer;      ///< network address, for people
  bool dev_key = false;  ///< registered with the publicly known key
  Time connected;
  std::optional<Time> ended;
  std::string why;  ///< how it ended

  bool operator==(const Session&) const = default;
};

/// A worker that announces this in Session::features goes on with its commands when its session ends, and has them for
/// whoever asks for them by their RunId in a later one.
inline constexpr std::string_view kRunsFeature = "runs";

/// The worker of a session in which no id was sent.
WorkerId nameless_worker(const SessionId& session);
/// Whether what is begun in this session can be taken up in the worker's next one: the worker announces kRunsFeature,
/// and sent an id by which it is known again.
bool keeps_runs(const Session& session);

/// A row to be written: the whole record, replacing one with the same key. Writing it twice changes nothing.
using Change = std::variant<Commit, BranchCommit, Build, Attempt, Step, Lease, Session, ClearedResult>;
using Changes = std::vector<Change>;

/// What there is one build of.
struct BuildKey {
  RepositoryName repository;
  CommitHash commit;
  BuilderName builder;

  auto operator<=>(const BuildKey&) const = default;
};

/// What is not over: what a coordinator needs to go on after a start.
struct OpenRows {
  std::vector<Build> builds;      ///< waiting or running
  std::vector<Attempt> attempts;  ///< running
  std::vector<Attempt> stopping;  ///< ended, but their lease is not released
  std::vector<Step> steps;        ///< of running attempts, also those that ended
  std::vector<Lease> leases;      ///< not released
  std::vector<Session> sessions;  ///< not ended
  BuildId last_build;             ///< greatest given out
  LeaseNumber last_lease;         ///< greatest given out
  /// For each branch: its newest known commit (the one with the greatest position).
  std::vector<BranchCommit> heads;
  /// Of every build there ever was, finished or not: a commit that comes on a second branch is not built again.
  std::vector<BuildKey> built;
};

std::string_view name_of(BuildState state);        ///< "waiting", "running", "finished"
std::string_view name_of(Result result);           ///< "none", "ok", "failed", "lost", "cancelled"
std::string_view name_of(AttemptOutcome outcome);  ///< "running", "ok", "failed", "lost", "cancelled"
/// The inverse; nullopt for text that is none of the names.
std::optional<BuildState> build_state_from(std::string_view name);
std::optional<Result> result_from(std::string_view name);
std::optional<AttemptOutcome> attempt_outcome_from(std::string_view name);

}  // namespace build::model
