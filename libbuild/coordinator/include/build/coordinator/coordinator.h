// The coordinator: watches repositories, keeps the farm's decisions going, and runs attempts on workers.
//
// It owns the parts that do so; store, logs, clock, pool, random source and logger are handed in and outlive it. Lives
// on one executor. The usual order: construct, add_worker_routes(), run() (spawned), stop(), destroy.
#pragma once

#include <build/coordinator/attempt_runner.h>
#include <build/coordinator/farm_loop.h>
#include <build/coordinator/identity.h>
#include <build/coordinator/repository_watch.h>
#include <build/coordinator/retention.h>
#include <build/coordinator/worker_hub.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace build::coordinator {

inline constexpr std::size_t kMaxPersonName = 200;

/// What the coordinator reaches the world through.
struct Seams {
  io::Executor executor;
  io::Clock& clock;
  io::BlockingPool& pool;
  base::RandomSource& random;
  base::Logger& log;
};

/// What became of something that a person wanted.
struct ControlAnswer {
  enum class Outcome {
    done,
    unknown,  ///< there is no such build
    refused,  ///< it cannot be done in the state that things are in
  };
  Outcome outcome = Outcome::done;
  std::string sentence;  ///< for the person: what was done, or why not
};

class Coordinator {
 public:
  /// Takes the next epoch and loads what is not finished; blocks. Throws std::runtime_error with a sentence
  /// (also for a repository URL that is refused).
  Coordinator(Seams seams, config::FarmConfig config, WorkerTrust trust, store::Store& store, livelog::LogStore& logs);
  ~Coordinator();
  Coordinator(const Coordinator&) = delete;
  Coordinator& operator=(const Coordinator&) = delete;

  void add_worker_routes(net::Router& router) { hub_.add_routes(router); }

  /// Works until stop() has ended. Throws store::StaleEpoch when another coordinator has taken over.
  io::Task<> run();
  /// Ends sessions, attempts and watching, and waits for them. What ran is taken up again, as lost, at the next start.
  io::Task<> stop();
  /// Whether every repository was read (or cannot be) since the start, and no build waits or runs.
  bool idle() const;
  /// Returns once idle().
  io::Task<> until_idle();

  // What people want. `by` is the name of who wants it: it is stored and shown, cut to kMaxPersonName bytes. The answer
  // comes when it is durable. Throws operation_aborted when the coordinator stops meanwhile.

  /// Ends a build that waits or runs. What runs on a worker may take a moment to stop; the worker gets nothing else
  /// until then.
  io::Task<ControlAnswer> cancel_build(model::BuildId build, std::string by);
  /// Clears the result of a finished build, so that it is built again. Its attempts and the result are kept.
  io::Task<ControlAnswer> retry_build(model::BuildId build, std::string by);
  /// The same for what a builder built of a commit, in every repository that has the commit. That there is nothing to
  /// clear is no reason to refuse it.
  io::Task<ControlAnswer> clear_results(model::BuilderName builder, model::CommitHash commit, std::string by);

  /// Takes another configuration over. Builds that wait and whose builder or repository is not in it any more end as
  /// lost; those that run go on to their end as they began. Repositories that are new or changed are looked at at once.
  /// Gives a sentence for each setting that differs but needs a restart; config() keeps the old value of it. Throws
  /// std::invalid_argument, and nothing is changed, if a repository's URL is refused.
  std::vector<std::string> reload(config::FarmConfig config);
  /// Shows among the notices why a configuration was not taken over, until reload() succeeds.
  void reload_failed(std::string sentence) { reload_trouble_ = std::move(sentence); }

  /// From now on no attempt is begun. Returns when none runs any more and all that was decided is durable. There is no
  /// way back but a new start.
  io::Task<> drain();
  bool draining() const { return draining_; }

  const config::FarmConfig& config() const { return config_; }
  const farm::Farm& farm() const { return loop_.farm(); }
  /// Notified when something about the farm changed.
  io::Event& changed() { return loop_.changed(); }
  /// Sentences about what is wrong or unsafe at this moment, for the pages.
  std::vector<std::string> notices() const;
  /// A sentence for each reason why no build can be begun or ended at the moment; none if they can.
  std::vector<std::string> not_ready() const;
  /// `told` is called with each group of rows that was made durable, and how long that took. It must not throw.
  void on_written(FarmLoop::Written told) { loop_.on_written(std::move(told)); }
  /// Whether a repository could not be read at the last look, or the store or a log cannot be written.
  bool in_trouble() const;

 private:
  void act(const farm::Action& action);
  void start_attempt(const farm::StartAttempt& start);
  void resume(const farm::ResumeAttempt& again);
  void stop_attempt(const farm::StopAttempt& stop);
  void report_lost(model::BuildId build, int attempt, model::LeaseNumber lease, std::string why);
  using AttemptKey = std::pair<model::BuildId, int>;
  io::Task<> run_attempt(std::shared_ptr<AttemptRunner> runner, AttemptKey key);
  std::shared_ptr<RepositoryWatch> make_watch(const config::RepositoryConfig& repository);
  void start_watch(std::shared_ptr<RepositoryWatch> watch, std::shared_ptr<RepositoryWatch> before);
  io::Task<> run_watch(std::shared_ptr<RepositoryWatch> watch, std::shared_ptr<RepositoryWatch> before);
  io::Task<> run_retention();
  void log_failure(std::exception_ptr error);
  std::optional<ControlAnswer> cannot_decide() const;
  io::Task<std::optional<model::Build>> read_build(model::BuildId build);

  Seams seams_;
  config::FarmConfig config_;
  bool dev_key_allowed_;
  store::Store& store_;
  livelog::LogStore& logs_;
  const model::Epoch epoch_;
  LogTrouble log_trouble_;
  FarmLoop loop_;
  WorkerHub hub_;
  Retention retention_;
  /// One for each configured repository. What uses a mirror shares its watch.
  std::vector<std::shared_ptr<RepositoryWatch>> watches_;
  std::set<const RepositoryWatch*> running_watches_;
  struct Running {
    std::shared_ptr<AttemptRunner> runner;
    io::Alarm stop_limit;
  };
  std::map<AttemptKey, Running> attempts_;
  std::optional<std::string> reload_trouble_;
  bool started_ = false, draining_ = false, stopping_ = false;
  io::Gate gate_;
};

/// A plain-text table of the newest commits and their results, for terminals, newest commit first per branch.
std::string results_table(const config::FarmConfig& config, const store::Store& store, std::size_t commits);

}  // namespace build::coordinator
