#include "byte_range.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <system_error>

namespace maintner {

namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpaces = " \t";
  const std::size_t first = text.find_first_not_of(kSpaces);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpaces) - first + 1);
}

/// Digits only. What does not fit is as large as can be.
std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || end != text.data() + text.size()) return std::nullopt;
  return error == std::errc::result_out_of_range ? std::numeric_limits<std::uint64_t>::max() : value;
}

}  // namespace

std::variant<WholeRange, ByteRange, NoOverlap, BadRange> parse_range(std::string_view field, std::uint64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  if (field.empty()) return WholeRange{};
  if (!field.starts_with(kUnit)) return BadRange{};
  field.remove_prefix(kUnit.size());
  if (field.find(',') != std::string_view::npos) return WholeRange{};
  field = trimmed(field);
  const std::size_t dash = field.find('-');
  if (dash == std::string_view::npos) return field.empty() ? decltype(parse_range({}, 0)){WholeRange{}} : BadRange{};
  const std::string_view first = trimmed(field.substr(0, dash)), last = trimmed(field.substr(dash + 1));
  if (first.empty()) {
    const auto count = number(last);
    if (!count) return BadRange{};
    if (size == 0) return WholeRange{};
    return *count == 0 ? decltype(parse_range({}, 0)){NoOverlap{}} : ByteRange{size - std::min(*count, size), size};
  }
  const auto begin = number(first);
  const auto end = last.empty() ? std::numeric_limits<std::uint64_t>::max() : number(last);
  if (!begin || !end || *begin > *end) return BadRange{};
  if (*begin >= size) return size == 0 ? decltype(parse_range({}, 0)){WholeRange{}} : NoOverlap{};
  return ByteRange{*begin, *end >= size ? size : *end + 1};
}

}  // namespace maintner
