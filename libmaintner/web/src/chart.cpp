#include "chart.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string_view>

namespace maintner::web {

using build::html::Html;

namespace {

constexpr double kWidth = 900, kHeight = 320, kLeft = 70, kRight = 12, kTop = 12, kBottom = 34;
constexpr int kTicks = 5;
constexpr std::size_t kMostNames = 8, kMostHints = 400;

std::string number_text(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.10g", value);
  return text;
}

/// A place in the picture.
std::string place_text(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

bool is_drawn(const std::optional<double>& value) { return value && std::isfinite(*value) && std::abs(*value) < 1e300; }

/// 1, 2 or 5 times a power of ten, so that some steps make `range`.
double step_of(double range) {
  const double rough = range / kTicks, power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (rough <= factor * power) return factor * power;
  return 10 * power;
}

class ChartWriter {
 public:
  ChartWriter(Html& html, const Chart& chart, ChartKind kind)
      : html_(html),
        chart_(chart),
        kind_(kind),
        points_(std::min(chart.x.size(), kMaxPoints)),
        series_(std::min(chart.series.size(), kMaxSeries)) {}

  void write() {
    if (!find_range()) return;
    html_.markup("<figure class=\"chart\"><svg viewBox=\"0 0 900 320\" role=\"img\" aria-label=\"");
    for (std::size_t s = 0; s < series_; ++s) html_.text((s == 0 ? "" : ", ") + chart_.series[s].name);
    html_.markup("\">\n");
    axes();
    for (std::size_t s = 0; s < series_; ++s) kind_ == ChartKind::line ? line(s) : bars(s);
    html_.markup("</svg>\n<figcaption>");
    for (std::size_t s = 0; s < series_; ++s) {
      html_.markup("<span class=\"key c")
          .number(static_cast<std::int64_t>(s))
          .markup("\">")
          .text(chart_.series[s].name);
      html_.markup("</span> ");
    }
    html_.markup("</figcaption></figure>\n");
  }

 private:
  const std::optional<double>& value(std::size_t s, std::size_t i) const {
    static const std::optional<double> kNone;
    const auto& values = chart_.series[s].values;
    return i < values.size() ? values[i] : kNone;
  }

  /// From the smallest value, or zero, to the largest; false if there is none.
  bool find_range() {
    bool any = false;
    low_ = high_ = 0;
    for (std::size_t s = 0; s < series_; ++s)
      for (std::size_t i = 0; i < points_; ++i) {
        const auto& number = value(s, i);
        if (!is_drawn(number)) continue;
        any = true;
        low_ = std::min(low_, *number);
        high_ = std::max(high_, *number);
      }
    if (high_ - low_ < 1e-12) high_ = low_ + 1;
    step_ = step_of(high_ - low_);
    low_ = std::floor(low_ / step_) * step_;
    high_ = std::ceil(high_ / step_) * step_;
    return any;
  }

  double x(double index) const {
    return kLeft + (index + 0.5) * (kWidth - kLeft - kRight) / static_cast<double>(points_);
  }
  double y(double number) const { return kTop + (high_ - number) / (high_ - low_) * (kHeight - kTop - kBottom); }

  void axes() {
    const int lines = static_cast<int>(std::lround((high_ - low_) / step_));
    for (int i = 0; i <= lines; ++i) {
      const double number = low_ + i * step_;
      html_.markup("<line class=\"grid-line\" x1=\"70\" x2=\"888\" y1=\"")
          .text(place_text(y(number)))
          .markup("\" y2=\"");
      html_.text(place_text(y(number)))
          .markup("\"/><text class=\"tick\" x=\"62\" text-anchor=\"end\" dy=\".32em\" y=\"");
      html_.text(place_text(y(number)))
          .markup("\">")
          .text(number_text(std::abs(number) < step_ / 2 ? 0 : number))
          .markup("</text>\n");
    }
    const std::size_t every = (points_ + kMostNames - 1) / kMostNames;
    for (std::size_t i = 0; i < points_; i += every) {
      html_.markup("<text class=\"tick\" y=\"308\" text-anchor=\"middle\" x=\"")
          .text(place_text(x(static_cast<double>(i))));
      html_.markup("\">").text(build::html::clipped(chart_.x[i], 14)).markup("</text>\n");
    }
  }

  void open_colour(std::size_t s) { html_.markup("<g class=\"c").number(static_cast<std::int64_t>(s)).markup("\">\n"); }

  void hint(std::size_t s, std::size_t i) {
    html_.markup("<title>").text(chart_.x[i]).markup(": ").text(number_text(*value(s, i))).markup(" ");
    html_.text(chart_.series[s].name).markup("</title>");
  }

  void line(std::size_t s) {
    open_colour(s);
    bool open = false;
    for (std::size_t i = 0; i < points_; ++i) {
      if (!is_drawn(value(s, i))) {
        if (std::exchange(open, false)) html_.markup("\"/>\n");
        continue;
      }
      html_.markup(std::exchange(open, true) ? Html::Literal(" ") : Html::Literal("<polyline points=\""));
      html_.text(place_text(x(static_cast<double>(i)))).markup(",").text(place_text(y(*value(s, i))));
    }
    if (open) html_.markup("\"/>\n");
    if (points_ <= kMostHints)
      for (std::size_t i = 0; i < points_; ++i) {
        if (!is_drawn(value(s, i))) continue;
        html_.markup("<circle r=\"2.5\" cx=\"").text(place_text(x(static_cast<double>(i)))).markup("\" cy=\"");
        html_.text(place_text(y(*value(s, i)))).markup("\">");
        hint(s, i);
        html_.markup("</circle>\n");
      }
    html_.markup("</g>\n");
  }

  void bars(std::size_t s) {
    const double room = (kWidth - kLeft - kRight) / static_cast<double>(points_) * 0.8;
    const double width = room / static_cast<double>(series_);
    open_colour(s);
    for (std::size_t i = 0; i < points_; ++i) {
      if (!is_drawn(value(s, i))) continue;
      const double at = y(*value(s, i)), zero = y(0);
      html_.markup("<rect x=\"")
          .text(place_text(x(static_cast<double>(i)) - room / 2 + width * static_cast<double>(s)));
      html_.markup("\" y=\"")
          .text(place_text(std::min(at, zero)))
          .markup("\" width=\"")
          .text(place_text(std::max(width, 0.5)));
      html_.markup("\" height=\"").text(place_text(std::abs(zero - at))).markup("\">");
      if (points_ <= kMostHints) hint(s, i);
      html_.markup("</rect>\n");
    }
    html_.markup("</g>\n");
  }

  Html& html_;
  const Chart& chart_;
  const ChartKind kind_;
  const std::size_t points_, series_;
  double low_ = 0, high_ = 0, step_ = 1;
};

}  // namespace

void write_chart(Html& html, const Chart& chart, ChartKind kind) {
  if (!chart.x.empty() && !chart.series.empty()) ChartWriter(html, chart, kind).write();
}

}  // namespace maintner::web
