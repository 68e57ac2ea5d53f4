#include <build/coordinator/retention.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <utility>

namespace build::coordinator {

namespace {

constexpr std::size_t kSlice = 20;  ///< builds at a time: one transaction, and as many logs as they have steps

std::string days_text(std::chrono::days days) {
  return std::to_string(days.count()) + (days.count() == 1 ? " day" : " days");
}

}  // namespace

Retention::Retention(io::Executor executor, io::Clock& clock, io::BlockingPool& pool, base::Logger& log,
                     store::Store& store, model::Epoch epoch, livelog::LogStore& logs, config::RetentionConfig config)
    : clock_(clock),
      executor_(executor),
      pool_(pool),
      log_(log),
      store_(store),
      epoch_(epoch),
      logs_(logs),
      config_(config),
      wake_(executor) {}

void Retention::stop() {
  stopping_ = true;
  wake_.notify_all();
}

io::Task<> Retention::run() {
  while (!stopping_) {
    std::optional<std::string> trouble;
    try {
      co_await pass();
    } catch (const store::StaleEpoch&) {
      co_return;  // the farm's own writing finds out, too, and says so
    } catch (const std::runtime_error& error) {
      trouble = error.what();
    }
    if (trouble) log_.warning("old logs and results could not be removed", {{"why", *trouble}});
    if (stopping_) co_return;
    const io::Alarm alarm = clock_.call_after(executor_, kPeriod, [this] { wake_.notify_all(); });
    co_await wake_.wait();
  }
}

io::Task<> Retention::pass() {
  if (config_.result_age.count() > 0) co_await forget_old_results();
  if (config_.log_age.count() > 0) co_await remove_old_logs();
  if (config_.log_bytes > 0) co_await remove_surplus_logs();
}

io::Task<Retention::Builds> Retention::oldest(model::Time before, store::Store::Logs logs, std::size_t limit) {
  const auto read = [this, before, logs, limit] { return store_.finished_builds(before, logs, limit); };
  co_return co_await pool_.run(read);
}

io::Task<std::uint64_t> Retention::remove_logs(const Builds& builds) {
  std::uint64_t bytes = 0;
  for (const store::FinishedBuild& build : builds)
    for (const model::RunId& run : build.runs) bytes += co_await logs_.remove(run);
  co_return bytes;
}

io::Task<> Retention::note(const Builds& builds, std::string why) {
  const model::Time now = clock_.wall_now();
  const auto write = [this, &builds, &why, now] { store_.note_logs_removed(builds, now, why, epoch_); };
  co_await pool_.run(write);
  log_.info("logs were removed", {{"builds", std::to_string(builds.size())}, {"why", why}});
}

io::Task<> Retention::forget_old_results() {
  const model::Time before = clock_.wall_now() - config_.result_age;
  while (!stopping_) {
    const Builds builds = co_await oldest(before, store::Store::Logs::any, kSlice);
    if (builds.empty()) co_return;
    co_await remove_logs(builds);
    const auto forget = [this, &builds] { store_.forget(builds, epoch_); };
    co_await pool_.run(forget);
    log_.info("old results were removed", {{"builds", std::to_string(builds.size())}});
  }
}

io::Task<> Retention::remove_old_logs() {
  const model::Time before = clock_.wall_now() - config_.log_age;
  while (!stopping_) {
    const Builds builds = co_await oldest(before, store::Store::Logs::kept, kSlice);
    if (builds.empty()) co_return;
    co_await remove_logs(builds);
    std::string why = "they were older than " + days_text(config_.log_age);
    co_await note(builds, std::move(why));
  }
}

io::Task<> Retention::remove_surplus_logs() {
  std::uint64_t total = co_await logs_.total_size();
  while (!stopping_ && total > config_.log_bytes) {
    const Builds builds = co_await oldest(clock_.wall_now(), store::Store::Logs::kept, 1);
    if (builds.empty()) co_return;
    const std::uint64_t removed = co_await remove_logs(builds);
    total -= std::min(total, removed);
    std::string why = "all logs together took more than " + std::to_string(config_.log_bytes / 1'000'000) +
                      " MB, and these were the oldest";
    co_await note(builds, std::move(why));
  }
}

}  // namespace build::coordinator
