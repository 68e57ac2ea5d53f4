// Connections to a worker that were picked up before anybody wanted them, and how many of them there should be.
//
// The number follows the demand. Each dial that finds none raises it by one, up to the maximum. Once a period it is
// lowered by as many as were left over all through the period: to nothing, if nobody dialed. So none of them waits
// longer than two periods, and its worker may close those that do.
//
// While a connection waits here it is read from, which is how its end is noticed. What comes early is kept.
#pragma once

#include <io/byte_stream.h>
#include <io/clock.h>

#include <deque>
#include <functional>
#include <memory>

namespace revdial {

/// One of them, shared by the set, the task that reads it, and the stream that it becomes.
struct ReadyConnection;

class ReadySet {
 public:
  /// `changed` is called when there may be reason to ask for a connection; it must not throw. Everything else as in
  /// DialerOptions.
  ReadySet(io::Executor executor, io::Clock& clock, std::size_t max, io::Duration period,
           std::function<void()> changed);
  /// As close().
  ~ReadySet();
  ReadySet(const ReadySet&) = delete;
  ReadySet& operator=(const ReadySet&) = delete;

  /// Keeps it, or closes it if it is one too many. True if it is kept.
  bool add(io::StreamPtr connection);
  /// The one that has waited for the longest; null if there is none. For a dial: it tells the demand.
  io::StreamPtr take();
  /// A dial was served: its request goes before anything that is done here.
  void rest();
  /// A pick-up that was asked for to be kept here did not work: there is a pause before the next one.
  void failed();

  std::size_t size() const noexcept { return waiting_.size(); }
  /// How many connections should be asked for, `asked` being under way, and from when on.
  std::size_t missing(std::size_t asked) const noexcept;
  io::Instant not_before() const noexcept { return pause_until_; }
  /// Closes all and keeps none from now on.
  void close() noexcept;

 private:
  void found_dead(const ReadyConnection* connection);
  void pause(io::Duration time);
  void end_period();
  void start_period();

  io::Executor executor_;
  io::Clock& clock_;
  const std::size_t max_;
  const io::Duration period_;
  std::function<void()> changed_;
  std::deque<std::shared_ptr<ReadyConnection>> waiting_;
  std::size_t target_ = 0;
  std::size_t fewest_ = 0;  // in this period
  io::Duration failure_pause_;
  io::Instant pause_until_;
  io::Alarm period_alarm_;
  bool closed_ = false;
};

}  // namespace revdial
