#include <io/event_loop.h>
#include <io/loop_thread.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <exception>
#include <semaphore>
#include <thread>
#include <utility>

namespace io {

struct LoopThread::Impl {
  EventLoop loop;
  asio::executor_work_guard<Executor> work{loop.executor()};  // it goes on while there is nothing to do
  std::thread thread{[this] { loop.run(); }};
};

LoopThread::LoopThread() : impl_(std::make_unique<Impl>()) {}

LoopThread::~LoopThread() {
  impl_->loop.stop();
  impl_->thread.join();
}

Executor LoopThread::executor() { return impl_->loop.executor(); }

void LoopThread::run(Task<> task) {
  std::exception_ptr failed;
  std::binary_semaphore ended(0);
  asio::co_spawn(executor(), std::move(task), [&, loop = executor()](std::exception_ptr error) {
    // Handed over when the task and all that it held have gone, and moved: nobody here looks at the error any more
    // then.
    asio::post(loop, [&failed, &ended, error = std::move(error)]() mutable {
      failed = std::move(error);
      ended.release();
    });
  });
  ended.acquire();
  if (failed) std::rethrow_exception(std::move(failed));
}

}  // namespace io
