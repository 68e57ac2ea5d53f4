#include "failures.h"

#include <algorithm>
#include <array>

namespace retrybuilds {

bool looks_flaky(std::string_view log) {
  constexpr std::array<std::string_view, 8> kPhrases{"No space left on device",
                                                     "no space left on device",
                                                     "not enough space on the disk",
                                                     "disk quota exceeded",
                                                     "Failed to schedule \"",
                                                     "no such host",
                                                     "Temporary failure in name resolution",
                                                     "i/o timeout"};
  return std::any_of(kPhrases.begin(), kPhrases.end(),
                     [&](std::string_view phrase) { return log.find(phrase) != std::string_view::npos; });
}

std::vector<FinishedBuild> choose(const std::vector<FinishedBuild>& builds, const Wanted& wanted,
                                  const std::function<std::string(std::int64_t)>& log_of) {
  std::vector<FinishedBuild> chosen;
  for (const FinishedBuild& build : builds) {
    if (build.result != "failed" && build.result != "lost") continue;
    if (!wanted.builder.empty() && !wanted.redo_flaky && build.builder != wanted.builder) continue;
    if (!build.commit.starts_with(wanted.hash)) continue;
    if (wanted.redo_flaky && !wanted.branch.empty() && build.branch != wanted.branch) continue;
    if (wanted.redo_flaky || !wanted.substr.empty()) {
      const std::string log = log_of(build.id);
      if (log.find(wanted.substr) == std::string::npos) continue;
      if (wanted.redo_flaky && build.result != "lost" && !looks_flaky(log)) continue;
    }
    chosen.push_back(build);
  }
  return chosen;
}

}  // namespace retrybuilds
