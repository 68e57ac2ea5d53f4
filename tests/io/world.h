// What libio's tests share: an event loop with a clock, tasks that run side by side, whole reads.
#pragma once

#include <io/blocking_pool.h>
#include <io/byte_stream.h>
#include <io/clock.h>
#include <io/event.h>
#include <io/event_loop.h>

#include <boost/system/system_error.hpp>

#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace testing {

struct World {
  io::EventLoop loop;
  io::RealClock clock;

  /// Runs all tasks side by side until the last has ended; then throws the first error there was.
  void run(std::vector<io::Task<>> tasks);
};

/// A task that runs beside the test; its outcome can be looked at.
class Background {
 public:
  Background(io::EventLoop& loop, io::Task<> task);

  bool done() const { return outcome_->done; }
  /// Ends when the task has, however that was.
  io::Task<> ended() const { return wait(outcome_); }
  std::exception_ptr error() const { return outcome_->error; }
  /// The code of the boost::system::system_error it ended with; an empty one if it ended well.
  boost::system::error_code code() const;

 private:
  struct Outcome {
    explicit Outcome(io::Executor executor) : changed(std::move(executor)) {}
    io::Event changed;
    bool done = false;
    std::exception_ptr error;
  };
  static io::Task<> watch(io::Task<> task, std::shared_ptr<Outcome> outcome);
  static io::Task<> wait(std::shared_ptr<Outcome> outcome);
  std::shared_ptr<Outcome> outcome_;
};

/// `size` bytes that repeat only after 251 of them.
std::string pattern(std::size_t size);

io::Task<> write_all(io::ByteStream& stream, std::string text);
io::Task<> read_until_end(io::ByteStream& stream, std::string& into);
io::Task<> read_exactly(io::ByteStream& stream, std::size_t size, std::string& into);
/// Runs `job` on a thread of `pool`.
io::Task<> run_on(io::BlockingPool& pool, std::function<void()> job);
/// Writes back what comes until the end, then ends its own side.
io::Task<> echo(io::ByteStream& stream);

/// The code of the boost::system::system_error that `function` throws; an empty one if it throws none.
template <typename F>
boost::system::error_code code_of(F function) {
  try {
    function();
  } catch (const boost::system::system_error& error) {
    return error.code();
  }
  return {};
}

/// What the exception that `function` throws says; empty if it throws none.
template <typename F>
std::string complaint_of(F function) {
  try {
    function();
  } catch (const std::exception& error) {
    return error.what();
  }
  return {};
}

}  // namespace testing
