#pragma once

#include <functional>
#include <future>

namespace maintner {

/// How many can work at once here.
unsigned processors() noexcept;
/// Calls `work` in so many threads at once, of which the caller's is one. It must not throw.
void in_threads(unsigned count, const std::function<void()>& work);
/// Does `work` in a thread beside; without `thread`, or if there is none to be had, when it is waited for. To destroy
/// the future waits for the thread.
std::future<void> beside(bool thread, const std::function<void()>& work);

}  // namespace maintner
