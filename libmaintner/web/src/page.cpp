#include "page.h"

#include <algorithm>

namespace maintner::web {

namespace {

constexpr std::size_t kMaxPath = 2000, kMaxQuery = 48 * 1024, kMaxSegments = 32, kMaxPairs = 100;

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

}  // namespace

Asked parse_asked(std::string_view raw_path, std::string_view raw_query) {
  if (raw_path.size() > kMaxPath || raw_query.size() > kMaxQuery)
    throw Refusal(414, "The address is too long: a path may have " + std::to_string(kMaxPath) + " bytes, a query " +
                           std::to_string(kMaxQuery) + ".");
  Asked asked;
  asked.raw_query = raw_query;
  asked.query = io::parse_query(raw_query, kMaxPairs);
  std::string_view rest = raw_path.substr(std::min<std::size_t>(1, raw_path.size()));
  if (rest.starts_with('/')) throw Refusal(404, "There is nothing here.");
  if (rest.ends_with('/')) {
    asked.slash = true;
    rest.remove_suffix(1);
  }
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('/'), rest.size());
    const auto segment = io::percent_decode(rest.substr(0, end));
    if (!segment) throw Refusal(400, "The address has a percent sign without two hexadecimal digits behind it.");
    if (has_control(*segment)) throw Refusal(400, "The address has a control character in it.");
    if (segment->empty() || asked.path.size() == kMaxSegments) throw Refusal(404, "There is nothing here.");
    asked.path.push_back(*segment);
    asked.address += "/" + io::percent_encode(*segment);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (asked.address.empty()) asked.address = "/";
  return asked;
}

std::string value_of(const Asked& asked, std::string_view name, std::size_t limit) {
  std::string value = asked.query.get(name);
  if (value.size() > limit)
    throw Refusal(400, std::string(name) + " is longer than " + std::to_string(limit) + " bytes.");
  return value;
}

std::size_t page_of(const Asked& asked) {
  if (!asked.query.has("page")) return 1;
  const auto page = build::html::parse_number(asked.query.get("page"), kMaxPage);
  if (!page || *page < 1) throw Refusal(400, "page must be a number from 1 to " + std::to_string(kMaxPage) + ".");
  return static_cast<std::size_t>(*page);
}

std::string state_of(const Asked& asked) {
  std::string state = asked.query.get("state");
  if (state.empty()) return "open";
  if (state != "open" && state != "closed" && state != "all")
    throw Refusal(400, "state must be open, closed or all, and is \"" + build::html::clipped(state, 50) + "\".");
  return state;
}

Slice slice_of(const Asked& asked, std::size_t total, std::size_t per_page) {
  Slice slice;
  slice.page = page_of(asked);
  slice.total = total;
  slice.pages = std::max<std::size_t>(1, (total + per_page - 1) / per_page);
  if (slice.page > slice.pages)
    throw Refusal(
        404, "There is no page " + std::to_string(slice.page) + ": the last is " + std::to_string(slice.pages) + ".");
  slice.begin = (slice.page - 1) * per_page;
  slice.end = std::min(total, slice.begin + per_page);
  return slice;
}

}  // namespace maintner::web
