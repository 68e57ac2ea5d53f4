// Times and lengths of time in the farm's sentences.
#pragma once

#include <build/model/ids.h>

#include <chrono>
#include <cstdio>
#include <string>

namespace build::farm {

/// "2025-01-31 12:00:00 UTC"
inline std::string utc_text(model::Time time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const auto second = std::chrono::floor<std::chrono::seconds>(time - day).count();
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u %02d:%02d:%02d UTC", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), static_cast<int>(second / 3600),
                static_cast<int>(second / 60 % 60), static_cast<int>(second % 60));
  return text;
}

/// "30 min", "1 h 30 min", "90 s" as "1 min 30 s"; parts of a second are left out.
inline std::string length_text(std::chrono::milliseconds length) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(length).count();
  std::string text;
  const auto add = [&text](long long count, const char* unit) {
    if (count != 0) text += (text.empty() ? "" : " ") + std::to_string(count) + unit;
  };
  add(seconds / 3600, " h");
  add(seconds / 60 % 60, " min");
  add(seconds % 60, " s");
  return text.empty() ? "0 s" : text;
}

}  // namespace build::farm
