#include "text.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace build::web {

namespace {

using std::chrono::milliseconds;

struct Civil {
  int year = 0;
  unsigned month = 0, day = 0;
  int hour = 0, minute = 0, second = 0, millisecond = 0;
};

Civil civil(model::Time time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const auto rest = static_cast<int>((time - day).count());
  return {static_cast<int>(date.year()),
          static_cast<unsigned>(date.month()),
          static_cast<unsigned>(date.day()),
          rest / 3'600'000,
          rest / 60'000 % 60,
          rest / 1000 % 60,
          rest % 1000};
}

template <typename... Args>
std::string print(const char* format, Args... args) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), format, args...);
  return text.data();
}

std::string counted(std::int64_t count, const char* one, const char* many) {
  return std::to_string(count) + (count == 1 ? one : many);
}

}  // namespace

std::string rfc3339(model::Time time) {
  const Civil c = civil(time);
  return print("%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", c.year, c.month, c.day, c.hour, c.minute, c.second,
               c.millisecond);
}

std::string utc_text(model::Time time) {
  const Civil c = civil(time);
  return print("%04d-%02u-%02u %02d:%02d:%02d UTC", c.year, c.month, c.day, c.hour, c.minute, c.second);
}

std::string age_text(model::Time time, model::Time now) {
  const std::int64_t seconds = (now - time).count() / 1000;
  if (seconds < 60) return "just now";
  if (seconds < 3600) return std::to_string(seconds / 60) + " min ago";
  if (seconds < 48 * 3600) return std::to_string(seconds / 3600) + " h ago";
  if (seconds < 60 * 86400) return counted(seconds / 86400, " day ago", " days ago");
  const Civil c = civil(time);
  return print("%04d-%02u-%02u", c.year, c.month, c.day);
}

std::string duration_text(milliseconds duration) {
  const std::int64_t ms = std::max<std::int64_t>(duration.count(), 0);
  if (ms < 10'000)
    return print("%lld.%lld s", static_cast<long long>(ms / 1000), static_cast<long long>(ms % 1000 / 100));
  const std::int64_t s = ms / 1000;
  if (s < 60) return std::to_string(s) + " s";
  if (s < 3600) return std::to_string(s / 60) + " min " + std::to_string(s % 60) + " s";
  return std::to_string(s / 3600) + " h " + std::to_string(s / 60 % 60) + " min";
}

std::string size_text(std::uint64_t bytes) {
  if (bytes < 1024) return counted(static_cast<std::int64_t>(bytes), " byte", " bytes");
  const double kib = static_cast<double>(bytes) / 1024;
  if (kib < 1024) return print(kib < 10 ? "%.1f KiB" : "%.0f KiB", kib);
  const double mib = kib / 1024;
  if (mib < 1024) return print(mib < 10 ? "%.1f MiB" : "%.0f MiB", mib);
  return print("%.1f GiB", mib / 1024);
}

}  // namespace build::web
