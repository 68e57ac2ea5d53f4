// Removing old logs and results, as [retention] of farm.toml says.
//
// Only of finished builds, those that ended longest ago first, a few at a time on the pool, so that neither the event
// loop nor the farm's own rows wait for long. Logs are deleted before that is noted: if the coordinator ends in
// between, the next pass notes it. Lives on one executor.
#pragma once

#include <build/base/log.h>
#include <build/config/farm_config.h>
#include <build/livelog/log_store.h>
#include <build/store/store.h>
#include <io/blocking_pool.h>
#include <io/clock.h>
#include <io/event.h>

#include <string>
#include <vector>

namespace build::coordinator {

class Retention {
 public:
  static constexpr io::Duration kPeriod = std::chrono::minutes{10};

  /// Everything handed in by reference outlives it.
  Retention(io::Executor executor, io::Clock& clock, io::BlockingPool& pool, base::Logger& log, store::Store& store,
            model::Epoch epoch, livelog::LogStore& logs, config::RetentionConfig config);

  /// A pass at once and after each period, until stop(). What fails is logged and tried again in the next pass.
  io::Task<> run();
  void stop();
  /// Holds from the next pass on.
  void set(const config::RetentionConfig& config) { config_ = config; }

  /// Removes what is over its time or too much now. Throws what store and logs throw.
  io::Task<> pass();

 private:
  using Builds = std::vector<store::FinishedBuild>;
  io::Task<Builds> oldest(model::Time before, store::Store::Logs logs, std::size_t limit);
  io::Task<std::uint64_t> remove_logs(const Builds& builds);
  io::Task<> note(const Builds& builds, std::string why);
  io::Task<> forget_old_results();
  io::Task<> remove_old_logs();
  io::Task<> remove_surplus_logs();

  io::Clock& clock_;
  io::Executor executor_;
  io::BlockingPool& pool_;
  base::Logger& log_;
  store::Store& store_;
  const model::Epoch epoch_;
  livelog::LogStore& logs_;
  config::RetentionConfig config_;
  io::Event wake_;
  bool stopping_ = false;
};

}  // namespace build::coordinator
