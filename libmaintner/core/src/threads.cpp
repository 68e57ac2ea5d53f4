#include "threads.h"

#include <algorithm>
#include <system_error>
#include <thread>
#include <vector>

namespace maintner {

unsigned processors() noexcept { return std::max(1U, std::thread::hardware_concurrency()); }

void in_threads(unsigned count, const std::function<void()>& work) {
  std::vector<std::jthread> others;
  try {
    for (unsigned i = 1; i < count; ++i) others.emplace_back(work);
  } catch (const std::system_error&) {
    // There are no more to be had: those that there are do it.
  }
  work();
}

std::future<void> beside(bool thread, const std::function<void()>& work) {
  if (thread) {
    try {
      return std::async(std::launch::async, work);
    } catch (const std::system_error&) {
      // There is none.
    }
  }
  return std::async(std::launch::deferred, work);
}

}  // namespace maintner
