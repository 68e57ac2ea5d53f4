// Times and lengths of time, as people and programs read them.
#pragma once

#include <build/html/html.h>
#include <build/model/ids.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace build::web {

using html::count_text;
using html::parse_number;

std::string rfc3339(model::Time time);   ///< "2025-01-31T12:00:00.000Z"
std::string utc_text(model::Time time);  ///< "2025-01-31 12:00:00 UTC"
/// "just now", "3 min ago", "5 h ago", "2 days ago", "2025-01-31"
std::string age_text(model::Time time, model::Time now);
/// "0.4 s", "12 s", "3 min 4 s", "1 h 2 min"
std::string duration_text(std::chrono::milliseconds duration);
/// "17 bytes", "3.4 KiB", "120 MiB"
std::string size_text(std::uint64_t bytes);

}  // namespace build::web
