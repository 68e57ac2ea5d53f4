#include <build/base/exposition.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

namespace build::base {

namespace {

std::string number_text(double value) {
  std::array<char, 64> room{};
  const bool whole = std::abs(value) < 1e15 && value == std::floor(value);
  const auto [end, error] =
      whole ? std::to_chars(room.data(), room.data() + room.size(), static_cast<std::int64_t>(value))
            : std::to_chars(room.data(), room.data() + room.size(), value);
  return error == std::errc() ? std::string(room.data(), end) : "NaN";
}

std::string label_text(std::string_view value) {
  std::string text;
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      text += "\\n";
    } else if (byte < 0x20 || byte == 0x7f || byte == 0xc0 || byte == 0xc1 || byte > 0xf4) {
      text += '?';
    } else {
      if (c == '\\' || c == '"') text += '\\';
      text += c;
    }
  }
  return text;
}

}  // namespace

void Histogram::observe(double seconds) {
  ++counts_[static_cast<std::size_t>(std::lower_bound(bounds_.begin(), bounds_.end(), seconds) - bounds_.begin())];
  ++count_;
  sum_ += seconds;
}

std::uint64_t Histogram::up_to(std::size_t i) const {
  return std::accumulate(counts_.begin(), counts_.begin() + static_cast<std::ptrdiff_t>(i) + 1, std::uint64_t{0});
}

Exposition& Exposition::family(std::string_view name, Type type, std::string_view help) {
  name_ = name;
  out_.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ").append(name);
  out_.append(type == Type::counter ? " counter\n" : type == Type::gauge ? " gauge\n" : " histogram\n");
  return *this;
}

void Exposition::line(std::string_view suffix, Labels labels, std::string_view value) {
  out_.append(name_).append(suffix);
  char before = '{';
  for (const auto& [name, text] : labels) {
    out_ += std::exchange(before, ',');
    out_.append(name).append("=\"").append(label_text(text)).append("\"");
  }
  if (labels.size() > 0) out_ += '}';
  out_.append(" ").append(value).append("\n");
}

Exposition& Exposition::sample(Labels labels, double value) {
  line("", labels, number_text(value));
  return *this;
}

Exposition& Exposition::histogram(const Histogram& values) {
  for (std::size_t i = 0; i < values.bounds().size(); ++i) {
    const std::string bound = number_text(values.bounds()[i]);
    line("_bucket", {{"le", bound}}, std::to_string(values.up_to(i)));
  }
  line("_bucket", {{"le", "+Inf"}}, std::to_string(values.count()));
  line("_sum", {}, number_text(values.sum()));
  line("_count", {}, std::to_string(values.count()));
  return *this;
}

}  // namespace build::base
