#include <build/base/cli.h>

#include <array>
#include <cmath>

namespace build::base {

namespace {

struct Unit {
  std::string_view name;
  std::int64_t nanoseconds;
};

// Longer names before their prefixes ("ms" before "m").
constexpr std::array kUnits = {Unit{"ns", 1},
                               Unit{"us", 1'000},
                               Unit{"µs", 1'000},
                               Unit{"ms", 1'000'000},
                               Unit{"s", 1'000'000'000},
                               Unit{"m", 60'000'000'000},
                               Unit{"h", 3'600'000'000'000}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Takes "1.5h" off `text`; its length in nanoseconds, or a negative number.
double take_part(std::string_view& text) {
  double number = 0, scale = 1;
  bool digits = false, fraction = false;
  while (!text.empty() && (is_digit(text.front()) || (text.front() == '.' && !fraction))) {
    if (text.front() == '.') {
      fraction = true;
    } else {
      digits = true;
      number = number * 10 + (text.front() - '0');
      if (fraction) scale *= 10;
    }
    text.remove_prefix(1);
  }
  if (!digits) return -1;
  for (const Unit& unit : kUnits) {
    if (text.starts_with(unit.name)) {
      text.remove_prefix(unit.name.size());
      return number / scale * static_cast<double>(unit.nanoseconds);
    }
  }
  return -1;
}

}  // namespace

std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return std::chrono::nanoseconds{0};
  if (text.empty()) return std::nullopt;
  double total = 0;
  while (!text.empty()) {
    const double part = take_part(text);
    if (part < 0) return std::nullopt;
    total += part;
  }
  if (!(total < 9.2e18)) return std::nullopt;
  const std::chrono::nanoseconds length{std::llround(total)};
  return negative ? -length : length;
}

}  // namespace build::base
