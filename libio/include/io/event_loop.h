// The event loop of a program: one thread that runs all of its I/O.
//
// Made in main, handed on as an executor. A second thread never touches what lives on it.
#pragma once

#include <io/task.h>

#include <functional>
#include <memory>
#include <vector>

namespace io {

class EventLoop {
 public:
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  Executor executor();

  /// Runs on the calling thread until stop() or until there is nothing left to wait for.
  void run();
  /// Runs what is ready without waiting; returns how many handlers ran. For tests.
  std::size_t poll();
  /// Runs handlers (waiting for real events) until `task` has ended; returns or throws what it did. Throws
  /// std::runtime_error if stop() is called before.
  /// For tests and for small programs.
  void run_until_done(Task<> task);
  /// Makes run() return soon. May be called from any thread.
  void stop();

  /// Calls `on_signal` on the loop each time one of `signals` (SIGINT, SIGTERM, ...) arrives, until the
  /// loop is destroyed. It replaces the signals' default actions, and SIGHUP is ignored afterwards: it asks a program
  /// that ends for something, and must not kill it. From then on run() only returns after stop().
  void on_signals(const std::vector<int>& signals, std::function<void(int)> on_signal);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace io
