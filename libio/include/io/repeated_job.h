// What is done again and again because nobody says when it is needed: a file that others write is looked at.
#pragma once

#include <io/blocking_pool.h>
#include <io/clock.h>
#include <io/event.h>
#include <io/stoppable.h>
#include <io/task.h>

#include <functional>
#include <string>

namespace io {

/// Lives on one executor, from before run() until after stop() has returned.
class RepeatedJob {
 public:
  struct Pace {
    Duration after_success, after_failure;
  };
  struct Ears {
    std::function<void(const std::string& why)> failed;  ///< once, also if it goes on failing
    std::function<void()> works_again;
  };

  /// `clock` and `pool` outlive it. `job` runs in a thread of the pool, and may throw.
  RepeatedJob(Executor executor, Clock& clock, BlockingPool& pool, Pace pace, std::function<void()> job, Ears ears);

  /// Does it until stop().
  Task<> run();
  /// Returns when it is not being done any more.
  Task<> stop();

 private:
  /// Why it failed; empty if it did not.
  Task<std::string> try_job();

  Clock& clock_;
  BlockingPool& pool_;
  const Pace pace_;
  const std::function<void()> job_;
  const Ears ears_;
  Stoppable stoppable_;
  Event ended_;
  bool is_running_ = false;
};

}  // namespace io
