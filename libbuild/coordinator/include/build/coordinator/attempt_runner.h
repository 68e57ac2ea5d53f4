// One attempt at a build, on one worker: clear it, send it the source, run the steps, keep their output.
//
// On a worker that keeps its runs it can be taken up again where it was, in another session of the worker, by another
// coordinator: what runs goes on there meanwhile, and its log goes on from the next byte.
#pragma once

#include <build/base/log.h>
#include <build/config/farm_config.h>
#include <build/coordinator/farm_loop.h>
#include <build/coordinator/step_log.h>
#include <build/coordinator/worker_hub.h>
#include <build/git/mirror.h>
#include <build/livelog/log_store.h>
#include <io/clock.h>
#include <io/stoppable.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace build::coordinator {

/// The name of the log of one step.
model::RunId run_id(model::BuildId build, int attempt, int step);

/// What there is to do.
struct AttemptWork {
  model::Build build;
  model::Attempt attempt;
  bool resumed = false;            ///< it was begun earlier
  std::vector<model::Step> steps;  ///< what is known of its steps then
  std::chrono::seconds lease{0};   ///< how long the worker keeps it when nobody asks
};

class AttemptRunner {
 public:
  /// Everything handed in by reference outlives the runner. It keeps the configuration that it began with.
  AttemptRunner(io::Executor executor, io::Clock& clock, io::BlockingPool& pool, FarmLoop& farm,
                livelog::LogStore& logs, LogTrouble& log_trouble, AttemptWork work,
                std::shared_ptr<WorkerSession> session, config::RepositoryConfig repository,
                config::BuilderConfig builder, std::shared_ptr<git::Mirror> mirror);

  /// Runs it to its end and tells the farm how it ended, when nothing of it runs on the worker any more; closes the
  /// worker's session if that cannot be known. If the worker is out of reach and keeps what runs, nothing is told: it
  /// is to be resumed.
  io::Task<> run();
  /// Ends it as soon as possible: run() returns soon.
  void stop() noexcept;
  /// Leaves it to be resumed, if it can be; otherwise as stop().
  void let_go() noexcept;

 private:
  struct Verdict {
    model::AttemptOutcome outcome = model::AttemptOutcome::ok;
    std::string why;
    enum class Worker { usable, broken, away } worker = Worker::usable;
  };
  static Verdict lost(std::string why) {
    return {model::AttemptOutcome::lost, std::move(why), Verdict::Worker::usable};
  }
  static Verdict broken(std::string why) {
    return {model::AttemptOutcome::lost, std::move(why), Verdict::Worker::broken};
  }
  static Verdict away(std::string why) { return {model::AttemptOutcome::lost, std::move(why), Verdict::Worker::away}; }
  static Verdict failed(std::string why) {
    return {model::AttemptOutcome::failed, std::move(why), Verdict::Worker::usable};
  }

  io::Task<> run_to_end();
  io::Task<Verdict> run_all();
  /// Of a worker that keeps its runs: what was said by `error` about it.
  Verdict verdict_of(const buildlet::WorkerError& error, const std::string& what) const;
  io::Task<Verdict> take_lease();
  io::Task<> end_lease();
  io::Task<std::string> wait_until_quiet();
  const model::Step* known_step(int index) const;
  io::Task<Verdict> send_source();
  io::Task<> send_tree(StepLog& log, Verdict& verdict);
  io::Task<Verdict> run_step(int index, const config::StepConfig& step);
  io::Task<Verdict> resume_step(const model::Step& known, const config::StepConfig& step);
  io::Task<Verdict> run_command(const model::Step& step, const config::StepConfig& config);
  io::Task<Verdict> follow(buildlet::Run& run, StepLog& log, const config::StepConfig& step);
  Verdict verdict_of(buildlet::RunResult result) const;
  buildlet::RunSpec spec_for(const config::StepConfig& step) const;
  model::Step begin_step(int index, const std::string& name, const std::string& command);
  void end_step(model::Step step, const Verdict& verdict);

  io::Executor executor_;
  io::Clock& clock_;
  io::BlockingPool& pool_;
  FarmLoop& farm_;
  livelog::LogStore& logs_;
  LogTrouble& log_trouble_;
  const AttemptWork work_;
  std::shared_ptr<WorkerSession> session_;
  const config::RepositoryConfig repository_;
  const config::BuilderConfig builder_;
  const std::shared_ptr<git::Mirror> mirror_;
  /// Makes a log known to stop() for as long as it is written.
  class Current {
   public:
    Current(AttemptRunner& runner, StepLog& log) : runner_(runner) { runner_.log_ = &log; }
    ~Current() { runner_.log_ = nullptr; }
    Current(const Current&) = delete;
    Current& operator=(const Current&) = delete;

   private:
    AttemptRunner& runner_;
  };

  buildlet::Run* current_ = nullptr;
  StepLog* log_ = nullptr;
  io::Stoppable sending_;
  bool stopping_ = false;
  bool letting_go_ = false;
  bool killed_ = false;  ///< something on the worker was told to end rather than seen to
};

}  // namespace build::coordinator
