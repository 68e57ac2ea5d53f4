// An event loop with a thread of its own, for programs whose own code blocks.
//
// Objects that live on it are made, used and destroyed there: by tasks given to run(). Threads: run() may be called
// from any but the loop's own, by several at once.
#pragma once

#include <io/task.h>

#include <memory>
#include <optional>
#include <utility>

namespace io {

class LoopThread {
 public:
  LoopThread();
  /// Stops the loop and joins the thread; tasks that still run are dropped where they wait. No run() may be under way.
  ~LoopThread();
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;

  Executor executor();

  /// Runs `task` on the loop, blocks until it has ended, and returns or throws what it did.
  void run(Task<> task);
  template <typename T>
  T run(Task<T> task) {
    std::optional<T> value;
    run(keep(std::move(task), value));
    return std::move(*value);
  }

 private:
  template <typename T>
  static Task<> keep(Task<T> task, std::optional<T>& value) {
    value.emplace(co_await std::move(task));
  }

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace io
