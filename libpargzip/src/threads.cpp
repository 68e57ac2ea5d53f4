#include "threads.h"

#include <algorithm>
#include <utility>

#include <pthread.h>
#include <sched.h>
#include <signal.h>

namespace pargzip {

namespace {

/// No signal comes to this thread, and to those that it starts, meanwhile.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace

unsigned threads_for(unsigned asked) {
  if (asked > 0) return asked;
  cpu_set_t cores;
  if (::sched_getaffinity(0, sizeof cores, &cores) == 0) return std::max(1, CPU_COUNT(&cores));
  // More than 1024 of them.
  return std::max(1U, std::thread::hardware_concurrency());
}

Threads::~Threads() {
  for (std::thread& thread : threads_) thread.join();
}

void Threads::start(std::function<void()> work) {
  threads_.reserve(threads_.size() + 1);
  const SignalsBlocked blocked;
  threads_.emplace_back(std::move(work));
}

}  // namespace pargzip
