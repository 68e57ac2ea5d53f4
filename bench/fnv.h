// FNV-1a, 64 bits.
#pragma once

#include <cstdint>
#include <string_view>

inline std::uint64_t fnv(std::string_view text) {
  std::uint64_t sum = 0xcbf29ce484222325U;
  for (const char c : text) sum = (sum ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return sum;
}

/// Over texts: over the eight bytes of each one's own sum, so that where one ends counts.
class Sum {
 public:
  void add(std::string_view text) { add_number(fnv(text)); }
  void add_number(std::uint64_t number) {
    for (int i = 0; i < 8; ++i) value_ = (value_ ^ (number >> (8 * i) & 0xffU)) * 0x100000001b3U;
  }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325U;
};
