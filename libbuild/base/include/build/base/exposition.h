// Prometheus' text format, version 0.0.4. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace build::base {

inline constexpr const char* kExpositionType = "text/plain; version=0.0.4; charset=utf-8";

/// Counts values by size. The bounds are in seconds and rise.
class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds) : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}

  void observe(double seconds);

  const std::vector<double>& bounds() const { return bounds_; }
  std::uint64_t count() const { return count_; }
  double sum() const { return sum_; }
  /// How many values were at most bounds()[i].
  std::uint64_t up_to(std::size_t i) const;

 private:
  std::vector<double> bounds_;
  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  double sum_ = 0;
};

/// Writes one family after the other.
class Exposition {
 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;
  enum class Type { counter, gauge, histogram };

  /// What follows belongs to it. `name` and `help` are our own literals.
  Exposition& family(std::string_view name, Type type, std::string_view help);
  /// Label values may be any text; a control character, and a byte that no UTF-8 has, is written as "?".
  Exposition& sample(Labels labels, double value);
  Exposition& sample(double value) { return sample({}, value); }
  Exposition& histogram(const Histogram& values);

  std::string str() && { return std::move(out_); }

 private:
  void line(std::string_view suffix, Labels labels, std::string_view value);

  std::string out_, name_;
};

}  // namespace build::base
