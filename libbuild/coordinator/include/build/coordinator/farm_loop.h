// Runs the farm's decisions: events in, rows made durable, then actions out.
//
// Events that come while rows are being written wait and are decided together afterwards, so that one
// synchronisation of the disk serves them all (group commit). If the store cannot be written, nothing is acted on: the
// same rows are tried again until it works. What ran goes on meanwhile, and the events that come of it wait, which are
// few: some for each attempt. Those who would bring more without end ask full() before. Lives on one executor.
#pragma once

#include <build/base/log.h>
#include <build/farm/farm.h>
#include <build/store/store.h>
#include <io/blocking_pool.h>
#include <io/clock.h>
#include <io/event.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace build::coordinator {

class FarmLoop {
 public:
  using Act = std::function<void(const farm::Action&)>;

  /// `act` carries one action out; it must not block or throw, and may submit events.
  FarmLoop(io::Executor executor, io::Clock& clock, io::BlockingPool& pool, base::Logger& log, store::Store& store,
           model::Epoch epoch, farm::Farm farm, Act act);

  /// Decides from the rows as they were found, then from events, until stop(). Throws store::StaleEpoch
  /// when another coordinator has taken over.
  io::Task<> run();
  void stop();

  /// Hands an event in and waits until what was decided on it is durable and under way. After stop() it
  /// throws operation_aborted.
  io::Task<> submit(farm::Event event);
  /// Hands an event in without waiting.
  void post(farm::Event event);

  /// Whether so many events wait, because the store cannot be written, that nobody should be invited to bring more.
  bool full() const { return queue_.size() >= kMaxQueue; }
  using Written = std::function<void(const model::Changes&, io::Duration took)>;
  /// Called with each group of rows after it was made durable. Must not throw.
  void on_written(Written told) { written_ = std::move(told); }

  /// Whether the rows found at the start have been dealt with.
  bool started() const { return started_; }
  /// Whether everything that was handed in is decided and durable.
  bool settled() const { return started_ && done_ == submitted_; }
  /// What was decided; at most one group of rows ahead of the disk.
  const farm::Farm& farm() const { return farm_; }
  /// Notified after every group of decisions.
  io::Event& changed() { return changed_; }
  /// Why the store cannot be written at this moment.
  const std::optional<std::string>& store_trouble() const { return store_trouble_; }

 private:
  static constexpr std::size_t kMaxQueue = 4096;

  io::Task<> carry_out(farm::Decision decision);
  io::Alarm wake_when_due();

  io::Executor executor_;
  io::Clock& clock_;
  io::BlockingPool& pool_;
  base::Logger& log_;
  store::Store& store_;
  model::Epoch epoch_;
  farm::Farm farm_;
  Act act_;
  Written written_;
  std::vector<farm::Event> queue_;
  std::uint64_t submitted_ = 0, done_ = 0;
  bool started_ = false, stopping_ = false;
  std::optional<std::string> store_trouble_;
  io::Event wake_, changed_;
};

}  // namespace build::coordinator
