// Work that somebody else may end: a task that is awaited here and cancelled from elsewhere.
#pragma once

#include <io/event.h>
#include <io/task.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <memory>
#include <utility>

namespace io {

/// Lives on one executor; outlives its run().
class Stoppable {
 public:
  explicit Stoppable(Executor executor) : executor_(std::move(executor)) {}
  Stoppable(const Stoppable&) = delete;
  Stoppable& operator=(const Stoppable&) = delete;

  /// Returns or throws what `task` does, always after it has ended. After stop(): operation_aborted, at once. One run()
  /// at a time.
  Task<> run(Task<> task) {
    if (stopped_) throw boost::system::system_error(asio::error::operation_aborted);
    const auto end = std::make_shared<End>(executor_);
    auto on_end = [end](std::exception_ptr error) {
      end->done = true;
      end->error = std::move(error);
      end->changed.notify_all();
    };
    asio::co_spawn(executor_, std::move(task), asio::bind_cancellation_slot(signal_.slot(), std::move(on_end)));
    while (!end->done) co_await end->changed.wait();
    if (end->error) std::rethrow_exception(end->error);
  }

  /// Cancels what runs (in Asio's sense: its waits end with operation_aborted), and all that comes. May be called more
  /// than once.
  void stop() noexcept {
    stopped_ = true;
    signal_.emit(asio::cancellation_type::terminal);
  }
  bool stopped() const noexcept { return stopped_; }

 private:
  struct End {
    explicit End(const Executor& executor) : changed(executor) {}
    bool done = false;
    std::exception_ptr error;
    Event changed;
  };

  Executor executor_;
  asio::cancellation_signal signal_;
  bool stopped_ = false;
};

}  // namespace io
