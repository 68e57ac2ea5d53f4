// Decimal numbers as Go reads them: with a sign or without, and nothing else.
#pragma once

#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <system_error>

namespace maintner {

template <class Number>
std::optional<Number> decimal(std::string_view text) noexcept {
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  using Limits = std::numeric_limits<Number>;
  if (number < Limits::min() || number > Limits::max()) return std::nullopt;
  return static_cast<Number>(number);
}

}  // namespace maintner
