// The one pool of threads for calls that block: libarchive, SQLite, name look-ups in files, deleting trees.
//
// Coroutines hand it a function and wait without blocking their event loop. Jobs start in the order they
// came. The pool is bounded: at most `threads` run, the others queue.
//
// Threads: run() and post() may be called from any. Make the pool after the event loops of the coroutines that use
// it, so that it goes (and joins) before them.
#pragma once

#include <io/task.h>

#include <boost/asio/async_result.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace io {

class BlockingPool {
 public:
  explicit BlockingPool(std::size_t threads = 4);
  /// Runs what is queued and joins. A job that waits (on a Bridge, say) must have been told to give up.
  ~BlockingPool();
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  /// Runs `function` on a pool thread; the coroutine goes on, on its own executor, with its value or
  /// exception. Cancelling the coroutine does not interrupt the function: the wait ends when it does, so
  /// references it holds stay good.
  ///
  /// A function that holds anything with a destructor must have a name, and is copied (one that can only be moved
  /// goes as std::ref(name)):
  ///
  ///   auto job = [path] { return read(path); };
  ///   co_await pool.run(job);
  ///
  /// g++ 12 destroys the captures of a lambda written inside the co_await expression twice.
  template <typename F>
  auto run(F&& function) {
    static_assert(std::is_lvalue_reference_v<F> || std::is_trivially_destructible_v<F>,
                  "give the function a name first and pass that: auto job = [...] {...}; co_await pool.run(job);");
    return run_kept<std::decay_t<F>>(std::forward<F>(function));
  }

  /// Queues `job` with nobody waiting. It must not throw.
  void post(std::function<void()> job);

 private:
  template <typename F>
  Task<std::invoke_result_t<F&>> run_kept(F function) {
    using T = std::invoke_result_t<F&>;
    std::exception_ptr error;
    if constexpr (std::is_void_v<T>) {
      std::function<void()> job = [&] {
        try {
          function();
        } catch (const std::exception&) {
          error = std::current_exception();
        }
      };
      co_await run_job(job);
      if (error) std::rethrow_exception(error);
    } else {
      std::optional<T> value;
      std::function<void()> job = [&] {
        try {
          value.emplace(function());
        } catch (const std::exception&) {
          error = std::current_exception();
        }
      };
      co_await run_job(job);
      if (error) std::rethrow_exception(error);
      co_return std::move(*value);
    }
  }

  Task<> run_job(std::function<void()>& job);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace io
