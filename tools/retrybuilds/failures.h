// Which builds to build again.
#pragma once

#include "service.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace retrybuilds {

struct Wanted {
  std::string builder;  ///< empty: any
  std::string hash;     ///< a commit's hash or its beginning; empty: any
  std::string branch;   ///< for redo_flaky; empty: any
  std::string substr;   ///< in the log; empty: whatever is in it
  bool redo_flaky = false;
};

/// Whether a log tells of trouble with the machine rather than with the commit. A guess: the phrases are the
/// original's, but for those that honest failures print as well ("killed", "memory").
bool looks_flaky(std::string_view log);

/// Those of `builds` that failed or were lost and are wanted. `log_of` is asked only where the log decides.
std::vector<FinishedBuild> choose(const std::vector<FinishedBuild>& builds, const Wanted& wanted,
                                  const std::function<std::string(std::int64_t)>& log_of);

}  // namespace retrybuilds
