#include <io/event_loop.h>
#include <io/loop_thread.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>

#include <future>
#include <thread>

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
  std::promise<void> ended;
  asio::co_spawn(executor(), std::move(task), [&ended](const std::exception_ptr& error) {
    if (error) {
      ended.set_exception(error);
    } else {
      ended.set_value();
    }
  });
  ended.get_future().get();
}

}  // namespace io
