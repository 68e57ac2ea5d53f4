// FNV-1a, 64 bits.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

inline constexpr std::uint64_t kFnvBegin = 0xcbf29ce484222325U, kFnvPrime = 0x100000001b3U;

inline std::uint64_t fnv(std::string_view text, std::uint64_t sum = kFnvBegin) {
  for (const char c : text) sum = (sum ^ static_cast<unsigned char>(c)) * kFnvPrime;
  return sum;
}

/// Over texts: over the eight bytes of each one's own sum, so that where one ends counts. Texts live until value().
class Sum {
 public:
  void add(std::string_view text) {
    texts_[count_++] = text;
    if (count_ == texts_.size()) add_texts();
  }
  /// Behind the texts that were added before.
  void add_value(std::uint64_t number) {
    add_texts();
    add_number(number);
  }
  std::uint64_t value() {
    add_texts();
    return value_;
  }

 private:
  static constexpr std::size_t kTexts = 1024, kLanes = 4;

  /// The sum of a text that is under way.
  struct Lane {
    const char* rest = nullptr;
    std::size_t left = 0, text = 0;
    std::uint64_t sum = kFnvBegin;
  };

  void add_number(std::uint64_t number) {
    for (int i = 0; i < 8; ++i) value_ = (value_ ^ (number >> (8 * i) & 0xffU)) * kFnvPrime;
  }

  /// Each step of a sum waits for the one before; four sums at once take hardly longer than one. Where one's text ends,
  /// the next text begins.
  void add_texts() {
    std::array<Lane, kLanes> lanes;
    std::size_t next = 0;
    const auto begin_next = [&](Lane& lane) {
      for (; next < count_ && texts_[next].empty(); ++next) sums_[next] = kFnvBegin;
      if (next == count_) return false;
      lane = {texts_[next].data(), texts_[next].size(), next, kFnvBegin};
      ++next;
      return true;
    };
    bool all_run = true;
    for (Lane& lane : lanes) all_run = begin_next(lane) && all_run;
    while (all_run) {
      step_all(lanes);
      for (Lane& lane : lanes) {
        if (lane.left > 0) continue;
        sums_[lane.text] = lane.sum;
        all_run = begin_next(lane) && all_run;
      }
    }
    for (const Lane& lane : lanes)
      if (lane.left > 0) sums_[lane.text] = fnv({lane.rest, lane.left}, lane.sum);
    for (std::size_t i = 0; i < count_; ++i) add_number(sums_[i]);
    count_ = 0;
  }

  /// Up to the end of the shortest.
  static void step_all(std::array<Lane, kLanes>& lanes) {
    auto [a, b, c, d] = lanes;
    const std::size_t count = std::min({a.left, b.left, c.left, d.left});
    for (std::size_t i = 0; i < count; ++i) {
      a.sum = (a.sum ^ static_cast<unsigned char>(a.rest[i])) * kFnvPrime;
      b.sum = (b.sum ^ static_cast<unsigned char>(b.rest[i])) * kFnvPrime;
      c.sum = (c.sum ^ static_cast<unsigned char>(c.rest[i])) * kFnvPrime;
      d.sum = (d.sum ^ static_cast<unsigned char>(d.rest[i])) * kFnvPrime;
    }
    for (Lane* lane : {&a, &b, &c, &d}) {
      lane->rest += count;
      lane->left -= count;
    }
    lanes = {a, b, c, d};
  }

  std::uint64_t value_ = kFnvBegin;
  std::array<std::string_view, kTexts> texts_;
  std::array<std::uint64_t, kTexts> sums_{};
  std::size_t count_ = 0;
};
