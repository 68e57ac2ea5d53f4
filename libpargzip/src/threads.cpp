#include "threads.h"

#include <algorithm>
#include <utility>

#include <pthread.h>
#include <sched.h>
#include <signal.h>

namespace pargzip {

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
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    threads_.emplace_back(std::move(work));
  } catch (...) {
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace pargzip
