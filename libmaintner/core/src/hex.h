#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace maintner {

inline constexpr auto kHexDigits = [] {
  std::array<std::int8_t, 256> digits{};
  digits.fill(-1);
  for (int i = 0; i < 10; ++i) digits[static_cast<std::size_t>('0' + i)] = static_cast<std::int8_t>(i);
  for (int i = 0; i < 6; ++i) {
    digits[static_cast<std::size_t>('a' + i)] = static_cast<std::int8_t>(10 + i);
    digits[static_cast<std::size_t>('A' + i)] = static_cast<std::int8_t>(10 + i);
  }
  return digits;
}();

/// What a digit of either case means; -1 if it is none.
inline int hex_digit(char c) noexcept { return kHexDigits[static_cast<unsigned char>(c)]; }

}  // namespace maintner
