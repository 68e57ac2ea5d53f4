#pragma once

#include <array>
#include <bit>
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
  using Block = std::uint8_t __attribute__((vector_size(16)));
  using Pairs = std::uint16_t __attribute__((vector_size(16)));
  using Half = std::uint8_t __attribute__((vector_size(8)));
  Block wrong{};
  for (const std::size_t at : {0U, 16U, 24U}) {
    Block c;
    std::memcpy(&c, digits + at, sizeof c);
    const Block digit = c - '0', letter = (c | 0x20) - 'a';
    const auto is_digit = reinterpret_cast<Block>(digit < 10), is_letter = reinterpret_cast<Block>(letter < 6);
    wrong |= ~(is_digit | is_letter);
    const auto pairs = reinterpret_cast<Pairs>((digit & is_digit) | ((letter + 10) & is_letter));
    const Pairs low = std::endian::native == std::endian::little ? pairs << 4 | pairs >> 8 : pairs >> 4 | pairs;
    const Half half = __builtin_convertvector(low & 0xff, Half);
    std::memcpy(bytes + at / 2, &half, sizeof half);
  }
  std::array<std::uint64_t, 2> any;
  std::memcpy(any.data(), &wrong, sizeof any);
  return (any[0] | any[1]) == 0;
}

}  // namespace maintner
