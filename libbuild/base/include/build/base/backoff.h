// How long to pause before trying again something that failed.
//
// Full jitter: each pause is random between nothing and a window that doubles from one failure to the next, up to a
// cap. Many that lost the same peer at once then do not come back at once. One owner, no clock: the caller waits.
#pragma once

#include <build/base/random.h>

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace build::base {

class Backoff {
 public:
  struct Options {
    std::chrono::nanoseconds first = std::chrono::seconds{5};  ///< the first window
    std::chrono::nanoseconds cap = std::chrono::seconds{60};   ///< the longest one
  };

  /// `random` must outlive it.
  Backoff(Options options, RandomSource& random) : options_(options), random_(random), window_(options.first) {}

  /// The pause after one more failure, within the present window; the next window is twice as long.
  std::chrono::nanoseconds next() {
    const auto pause = std::chrono::nanoseconds(random_.below(static_cast<std::uint64_t>(window_.count()) + 1));
    window_ = std::min(window_ * 2, options_.cap);
    return pause;
  }

  /// It worked: the next failure is a first one again.
  void reset() { window_ = options_.first; }

  std::chrono::nanoseconds cap() const { return options_.cap; }

 private:
  Options options_;
  RandomSource& random_;
  std::chrono::nanoseconds window_;
};

}  // namespace build::base
