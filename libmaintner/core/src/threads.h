#pragma once

#include <functional>

namespace maintner {

/// How many can work at once here.
unsigned processors() noexcept;
/// Calls `work` in so many threads at once, of which the caller's is one. It must not throw.
void in_threads(unsigned count, const std::function<void()>& work);

}  // namespace maintner
