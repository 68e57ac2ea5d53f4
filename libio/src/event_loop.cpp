#include <io/event_loop.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <atomic>
#include <csignal>
#include <exception>
#include <stdexcept>
#include <utility>

namespace io {

struct EventLoop::Impl {
  Impl() = default;
  ~Impl() {
    if (!takes_hangups) return;
    // In this thread none arrives between the two.
    sigset_t hangup, before;
    sigemptyset(&hangup);
    sigaddset(&hangup, SIGHUP);
    ::pthread_sigmask(SIG_BLOCK, &hangup, &before);
    signal_sets.clear();
    ::signal(SIGHUP, SIG_IGN);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // An io_context that ran out of work says "stopped" as well; only stop() shall keep it from running on.
  void wake() {
    if (context.stopped() && !stop_asked) context.restart();
  }

  void wait_for_signal(asio::signal_set& set, std::shared_ptr<std::function<void(int)>> on_signal) {
    set.async_wait([this, &set, on_signal](boost::system::error_code error, int signal) {
      if (error) return;
      (*on_signal)(signal);
      wait_for_signal(set, on_signal);
    });
  }

  asio::io_context context{1};
  std::atomic<bool> stop_asked = false;
  bool takes_hangups = false;
  std::vector<std::unique_ptr<asio::signal_set>> signal_sets;
};

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {}

EventLoop::~EventLoop() = default;

Executor EventLoop::executor() { return impl_->context.get_executor(); }

void EventLoop::run() {
  impl_->wake();
  impl_->context.run();
  impl_->stop_asked = false;
}

std::size_t EventLoop::poll() {
  impl_->wake();
  return impl_->context.poll();
}

void EventLoop::run_until_done(Task<> task) {
  struct Outcome {
    bool done = false;
    std::exception_ptr error;
  };
  auto outcome = std::make_shared<Outcome>();
  asio::co_spawn(impl_->context, std::move(task), [outcome](std::exception_ptr error) {
    outcome->done = true;
    outcome->error = error;
  });
  while (!outcome->done) {
    impl_->wake();
    if (impl_->context.run_one() == 0 && !outcome->done) {
      impl_->stop_asked = false;
      throw std::runtime_error("the event loop was stopped before the task had ended");
    }
  }
  if (outcome->error) std::rethrow_exception(outcome->error);
}

void EventLoop::stop() {
  impl_->stop_asked = true;
  impl_->context.stop();
}

void EventLoop::on_signals(const std::vector<int>& signals, std::function<void(int)> on_signal) {
  auto set = std::make_unique<asio::signal_set>(impl_->context);
  for (const int signal : signals) set->add(signal);
  for (const int signal : signals) impl_->takes_hangups = impl_->takes_hangups || signal == SIGHUP;
  asio::signal_set& kept = *set;
  impl_->signal_sets.push_back(std::move(set));
  impl_->wait_for_signal(kept, std::make_shared<std::function<void(int)>>(std::move(on_signal)));
}

}  // namespace io
