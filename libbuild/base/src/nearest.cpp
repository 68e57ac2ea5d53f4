#include <build/base/nearest.h>

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace build::base {

namespace {

std::size_t edit_distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> row(right.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= left.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= right.size(); ++j) {
      const std::size_t exchanged = diagonal + (left[i - 1] == right[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, exchanged}));
    }
  }
  return row.back();
}

}  // namespace

const std::string* nearest_name(std::string_view unknown, std::span<const std::string> known) {
  const std::string* nearest = nullptr;
  std::size_t best = std::max<std::size_t>(2, unknown.size() / 3) + 1;
  for (const std::string& candidate : known) {
    const bool begun = unknown.size() > 1 && candidate.starts_with(unknown);
    const std::size_t distance = begun ? 1 : edit_distance(unknown, candidate);
    if (distance < best && distance < candidate.size()) {
      best = distance;
      nearest = &candidate;
    }
  }
  return nearest;
}

}  // namespace build::base
