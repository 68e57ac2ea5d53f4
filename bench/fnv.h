// FNV-1a, 64 bits.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string_view>

inline std::uint64_t fnv(std::string_view text) {
  std::uint64_t sum = 0xcbf29ce484222325U;
  for (const char c : text) sum = (sum ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return sum;
}

/// Over texts: over the eight bytes of each one's own sum, so that where one ends counts. Texts live until value().
class Sum {
 public:
  void add(std::string_view text) {
    waiting_[count_++] = text;
    if (count_ == waiting_.size()) add_waiting();
  }
  /// Behind the texts that were added before.
  void add_value(std::uint64_t number) {
    flush();
    add_number(number);
  }
  std::uint64_t value() {
    flush();
    return value_;
  }

 private:
  static constexpr std::size_t kLanes = 4;

  void add_number(std::uint64_t number) {
    for (int i = 0; i < 8; ++i) value_ = (value_ ^ (number >> (8 * i) & 0xffU)) * 0x100000001b3U;
  }
  void flush() {
    for (std::size_t i = 0; i < count_; ++i) add_number(fnv(waiting_[i]));
    count_ = 0;
  }

  /// Each step of a sum waits for the one before: several at once, of about the same size, take hardly longer than one.
  void add_waiting() {
    std::array<std::uint8_t, kWaiting> by_size;
    std::iota(by_size.begin(), by_size.end(), std::uint8_t{0});
    std::sort(by_size.begin(), by_size.end(),
              [&](std::uint8_t a, std::uint8_t b) { return waiting_[a].size() < waiting_[b].size(); });
    std::array<std::uint64_t, kWaiting> sums;
    for (std::size_t i = 0; i < kWaiting; i += kLanes) {
      std::array<const char*, kLanes> text;
      std::array<std::uint64_t, kLanes> sum;
      sum.fill(0xcbf29ce484222325U);
      for (std::size_t lane = 0; lane < kLanes; ++lane) text[lane] = waiting_[by_size[i + lane]].data();
      const std::size_t common = waiting_[by_size[i]].size();
      for (std::size_t at = 0; at < common; ++at) {
#pragma GCC unroll 4
        for (std::size_t lane = 0; lane < kLanes; ++lane)
          sum[lane] = (sum[lane] ^ static_cast<unsigned char>(text[lane][at])) * 0x100000001b3U;
      }
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        for (const char c : waiting_[by_size[i + lane]].substr(common))
          sum[lane] = (sum[lane] ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
        sums[by_size[i + lane]] = sum[lane];
      }
    }
    for (const std::uint64_t sum : sums) add_number(sum);
    count_ = 0;
  }

  static constexpr std::size_t kWaiting = 64;
  std::uint64_t value_ = 0xcbf29ce484222325U;
  std::array<std::string_view, kWaiting> waiting_;
  std::size_t count_ = 0;
};
