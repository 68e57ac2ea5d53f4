// The coordinator: watches repositories, keeps the farm's decisions going, and runs attempts on workers.
//
// It owns the parts that do so; store, logs, clock, pool, random source and logger are handed in and outlive it. Lives
// on one executor. The usual order: construct, add_worker_routes(), run() (spawned), stop(), destroy.
#pragma once

#include <build/coordinator/attempt_runner.h>
#include <build/coordinator/farm_loop.h>
#include <build/coordinator/identity.h>
#include <build/coordinator/repository_watch.h>
#include <build/coordinator/worker_hub.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace build::coordinator {

/// What the coordinator reaches the world through.
struct Seams {
  io::Executor executor;
  io::Clock& clock;
  io::BlockingPool& pool;
  base::RandomSource& random;
  base::Logger& log;
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

  const config::FarmConfig& config() const { return config_; }
  const farm::Farm& farm() const { return loop_.farm(); }
  /// Notified when something about the farm changed.
  io::Event& changed() { return loop_.changed(); }
  /// Sentences about what is wrong or unsafe at this moment, for the pages.
  std::vector<std::string> notices() const;
  /// Whether a repository could not be read at the last look, or the store cannot be written.
  bool in_trouble() const;

 private:
  void act(const farm::Action& action);
  void start_attempt(const farm::StartAttempt& start);
  io::Task<> run_watch(RepositoryWatch& watch);
  void log_failure(std::exception_ptr error);
  io::Task<> run_attempt(std::shared_ptr<AttemptRunner> runner, model::BuildId build);

  Seams seams_;
  config::FarmConfig config_;
  bool dev_key_allowed_;
  store::Store& store_;
  livelog::LogStore& logs_;
  FarmLoop loop_;
  WorkerHub hub_;
  std::vector<std::unique_ptr<RepositoryWatch>> watches_;
  std::map<model::BuildId, std::shared_ptr<AttemptRunner>> attempts_;
  bool stopping_ = false;
  io::Gate gate_;
};

/// A plain-text table of the newest commits and their results, for terminals, newest commit first per branch.
std::string results_table(const config::FarmConfig& config, const store::Store& store, std::size_t commits);

}  // namespace build::coordinator
