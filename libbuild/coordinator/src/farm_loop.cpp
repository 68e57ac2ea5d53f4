#include <build/coordinator/farm_loop.h>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <utility>

namespace build::coordinator {

namespace {
constexpr io::Duration kStoreRetry = std::chrono::seconds{2};
constexpr io::Duration kShortestPause = std::chrono::milliseconds{1}, kLongestPause = std::chrono::minutes{1};
}  // namespace

FarmLoop::FarmLoop(io::Executor executor, io::Clock& clock, io::BlockingPool& pool, base::Logger& log,
                   store::Store& store, model::Epoch epoch, farm::Farm farm, Act act)
    : executor_(executor),
      clock_(clock),
      pool_(pool),
      log_(log),
      store_(store),
      epoch_(epoch),
      farm_(std::move(farm)),
      act_(std::move(act)),
      wake_(executor),
      changed_(executor) {}

void FarmLoop::post(farm::Event event) {
  queue_.push_back(std::move(event));
  ++submitted_;
  wake_.notify_all();
}

io::Task<> FarmLoop::submit(farm::Event event) {
  if (!stopping_) post(std::move(event));
  const std::uint64_t mine = submitted_;
  while (!stopping_ && done_ < mine) co_await changed_.wait();
  if (done_ < mine || stopping_) throw boost::system::system_error(boost::asio::error::operation_aborted);
}

void FarmLoop::stop() {
  stopping_ = true;
  wake_.notify_all();
  changed_.notify_all();
}

io::Task<> FarmLoop::run() {
  farm::Decision first = farm_.start(clock_.wall_now());
  co_await carry_out(std::move(first));
  started_ = true;
  while (!stopping_) {
    if (queue_.empty()) {
      const io::Alarm alarm = wake_when_due();
      co_await wake_.wait();
      continue;
    }
    const std::vector<farm::Event> batch = std::exchange(queue_, {});
    farm::Decision together;
    for (const farm::Event& event : batch) {
      farm::Decision decision = farm_.apply(event, clock_.wall_now());
      std::move(decision.changes.begin(), decision.changes.end(), std::back_inserter(together.changes));
      std::move(decision.actions.begin(), decision.actions.end(), std::back_inserter(together.actions));
    }
    co_await carry_out(std::move(together));
    done_ += batch.size();
    changed_.notify_all();
  }
}

io::Alarm FarmLoop::wake_when_due() {
  const std::optional<model::Time> due = farm_.due();
  if (!due) return {};
  // Calendar time may be set meanwhile: look at it again soon.
  const io::Duration pause = std::clamp<io::Duration>(*due - clock_.wall_now(), kShortestPause, kLongestPause);
  return clock_.call_after(executor_, pause, [this] { post(farm::TimePassed{}); });
}

io::Task<> FarmLoop::carry_out(farm::Decision decision) {
  while (!decision.changes.empty() && !stopping_) {
    std::optional<std::string> trouble;
    const io::Instant began = clock_.now();
    const auto write = [this, &decision] { store_.apply(decision.changes, epoch_); };
    try {
      co_await pool_.run(write);
    } catch (const store::StaleEpoch&) {
      throw;
    } catch (const std::runtime_error& error) {
      trouble = error.what();
    }
    if (trouble && trouble != store_trouble_) log_.error("the store cannot be written", {{"why", *trouble}});
    if (!trouble && store_trouble_) log_.info("the store can be written again");
    store_trouble_ = trouble;
    if (!trouble && written_) written_(decision.changes, clock_.now() - began);
    if (!trouble) break;
    co_await clock_.sleep_for(kStoreRetry);
  }
  if (stopping_) co_return;
  for (const farm::Action& action : decision.actions) act_(action);
}

}  // namespace build::coordinator
