#include <algorithm>
#include <string>

#include "table.h"

namespace maintner {

namespace {

constexpr std::int64_t kDay = 86'400;

/// When the day begins with which the text of a time begins.
std::optional<Time> day_in(const std::optional<std::string>& text) {
  constexpr std::size_t kDate = std::string_view("2021-02-01").size();
  return text && text->size() >= kDate ? time_from(text->substr(0, kDate)) : std::nullopt;
}

/// The longest part of a pattern of LIKE's that has nothing special in it.
std::string_view literal_in(std::string_view pattern) {
  pattern = pattern.substr(0, pattern.find('\0'));
  std::string_view longest;
  while (!pattern.empty()) {
    const std::string_view part = pattern.substr(0, pattern.find_first_of("%_"));
    if (part.size() > longest.size()) longest = part;
    pattern.remove_prefix(std::min(pattern.size(), part.size() + 1));
  }
  return longest;
}

}  // namespace

std::optional<Time> Asked::from(int column) const { return day_in(value<std::string>(column, Op::at_least)); }

std::optional<Time> Asked::until(int column) const {
  std::optional<Time> time = day_in(value<std::string>(column, Op::at_most));
  if (time) time->seconds += kDay;
  return time;
}

std::optional<TextMatcher> Asked::like(int column) const {
  const auto pattern = value<std::string>(column, Op::like);
  const std::string_view literal = pattern ? literal_in(*pattern) : std::string_view();
  return literal.empty() ? std::nullopt : std::optional(TextMatcher(literal));
}

}  // namespace maintner
