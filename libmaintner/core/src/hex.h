#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

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

/// The 20 bytes that 40 digits of either case mean. False if one is none; then `bytes` is anything.
inline bool read_hash(const char* digits, char* bytes) noexcept {
  // Sixteen digits at a time, the last ones for a second time. Each comparison is 0xff or 0.
  using Block = unsigned char __attribute__((vector_size(16)));
  Block wrong{};
  for (const std::size_t at : {0U, 16U, 24U}) {
    Block c;
    std::memcpy(&c, digits + at, sizeof c);
    const Block digit = c - '0', letter = (c | 0x20) - 'a';
    const Block is_digit = reinterpret_cast<Block>(digit < 10), is_letter = reinterpret_cast<Block>(letter < 6);
    wrong |= ~(is_digit | is_letter);
    const Block value = (digit & is_digit) | ((letter + 10) & is_letter);
    for (std::size_t i = 0; i < 8; ++i) bytes[at / 2 + i] = static_cast<char>(value[2 * i] << 4U | value[2 * i + 1]);
  }
  std::uint64_t halves[2];
  std::memcpy(halves, &wrong, sizeof halves);
  return (halves[0] | halves[1]) == 0;
}

}  // namespace maintner
