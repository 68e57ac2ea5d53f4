#include "chart.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <sstream>

namespace {

std::uint64_t largest_of(const Months& months) {
  std::uint64_t largest = 0;
  for (const auto& [month, count] : months) largest = std::max(largest, count);
  return largest;
}

/// 1, 2 or 5 and zeros, so that `largest` takes four to ten of them.
std::uint64_t step_for(std::uint64_t largest) {
  for (std::uint64_t unit = 1;; unit *= 10)
    for (const std::uint64_t step : {unit, 2 * unit, 5 * unit})
      if (largest <= 8 * step) return step;
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else
      out += c;
  }
  return out;
}

}  // namespace

std::string month_of(std::int64_t seconds) {
  constexpr std::int64_t kFirst = -62'135'596'800, kLast = 253'402'300'799;  // the years 1 to 9999
  if (seconds < kFirst || seconds > kLast) return {};
  const std::time_t time = seconds;
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  char text[32];
  std::snprintf(text, sizeof text, "%04d-%02d", parts.tm_year + 1900, parts.tm_mon + 1);
  return text;
}

Months without_gaps(const Months& months) {
  Months all = months;
  if (months.empty()) return all;
  int year = std::stoi(months.begin()->first.substr(0, 4)), month = std::stoi(months.begin()->first.substr(5));
  for (std::string name; name < months.rbegin()->first;) {
    char text[32];
    std::snprintf(text, sizeof text, "%04d-%02d", year, month);
    name = text;
    all.emplace(name, 0);
    year += month == 12 ? 1 : 0;
    month = month % 12 + 1;
  }
  return all;
}

std::string text_chart(const Months& months, std::size_t width) {
  std::ostringstream out;
  const std::uint64_t largest = std::max<std::uint64_t>(1, largest_of(months));
  const std::size_t digits = std::to_string(largest).size();
  for (const auto& [month, count] : months) {
    const std::string number = std::to_string(count);
    // Something is seen of all that is not nothing.
    const std::size_t bar = count == 0 ? 0 : std::max<std::size_t>(1, count * width / largest);
    out << month << "  " << std::string(digits - number.size(), ' ') << number << (bar > 0 ? "  " : "")
        << std::string(bar, '#') << "\n";
  }
  return out.str();
}

std::string svg_chart(const Months& months, const std::string& title) {
  constexpr int kWidth = 960, kHeight = 320, kLeft = 64, kTop = 40, kBottom = 32, kRight = 16;
  const int inner_width = kWidth - kLeft - kRight, inner_height = kHeight - kTop - kBottom;
  const std::uint64_t step = step_for(std::max<std::uint64_t>(1, largest_of(months)));
  const std::uint64_t top = (std::max<std::uint64_t>(1, largest_of(months)) + step - 1) / step * step;
  const auto y_of = [&](std::uint64_t count) {
    return kTop + inner_height - static_cast<double>(count) * inner_height / static_cast<double>(top);
  };
  std::ostringstream out;
  out << "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " << kWidth << " " << kHeight
      << "\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#333\">\n<rect width=\"100%\" height=\"100%\" "
         "fill=\"#fff\"/>\n"
      << "<text x=\"" << kLeft << "\" y=\"22\" font-size=\"15\">" << escaped(title) << "</text>\n";
  for (std::uint64_t count = 0; count <= top; count += step) {
    out << "<line x1=\"" << kLeft << "\" x2=\"" << kWidth - kRight << "\" y1=\"" << y_of(count) << "\" y2=\""
        << y_of(count) << "\" stroke=\"#ddd\"/><text x=\"" << kLeft - 6 << "\" y=\"" << y_of(count) + 4
        << "\" text-anchor=\"end\">" << count << "</text>\n";
  }
  const double each = static_cast<double>(inner_width) / static_cast<double>(std::max<std::size_t>(1, months.size()));
  // A year's name needs about 40 pixels.
  const int years_apart = std::max(1, static_cast<int>(40 / (each * 12) + 0.999));
  int index = 0;
  for (const auto& [month, count] : months) {
    const double x = kLeft + each * index++;
    out << "<rect x=\"" << x << "\" y=\"" << y_of(count) << "\" width=\"" << std::max(0.5, each * 0.8) << "\" height=\""
        << kTop + inner_height - y_of(count) << "\" fill=\"#2a78b5\"><title>" << month << ": " << count
        << "</title></rect>\n";
    const bool named = month.ends_with("-01") && std::stoi(month.substr(0, 4)) % years_apart == 0;
    if (named || (months.size() < 12 && index == 1))
      out << "<text x=\"" << x << "\" y=\"" << kHeight - 10 << "\">" << (named ? month.substr(0, 4) : month)
          << "</text>\n";
  }
  out << "</svg>\n";
  return out.str();
}
