// A chart of some numbers, as an SVG element.
#pragma once

#include <build/html/html.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace maintner::web {

enum class ChartKind { line, bars };

struct Chart {
  struct Series {
    std::string name;
    std::vector<std::optional<double>> values;  ///< one for each of `x`; those that are not finite count as none
  };
  std::vector<std::string> x;
  std::vector<Series> series;
};
inline constexpr std::size_t kMaxSeries = 6, kMaxPoints = 2000;

/// Nothing if there is nothing to draw; no more than kMaxSeries and kMaxPoints.
void write_chart(build::html::Html& html, const Chart& chart, ChartKind kind);

}  // namespace maintner::web
