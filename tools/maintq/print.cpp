#include "print.h"

#include <build/base/utf8.h>
#include <maintner/mutation_json.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <ostream>
#include <variant>

namespace maintq {

using maintner::SqlValue;

namespace {

constexpr std::size_t kWidest = 60;  ///< of a table's column, in characters

std::string number_text(double number) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%.15g", number);
  return text.data();
}

/// Empty for NULL.
std::string plain(const SqlValue& value) {
  if (const auto* const integer = std::get_if<std::int64_t>(&value)) return std::to_string(*integer);
  if (const auto* const number = std::get_if<double>(&value)) return number_text(*number);
  if (const auto* const text = std::get_if<std::string_view>(&value)) return std::string(*text);
  return {};
}

std::string json(const SqlValue& value) {
  if (const auto* const text = std::get_if<std::string_view>(&value)) return maintner::to_json(*text);
  if (const auto* const number = std::get_if<double>(&value); number != nullptr && !std::isfinite(*number))
    return "null";
  return std::holds_alternative<std::monostate>(value) ? "null" : plain(value);
}

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

std::size_t characters_in(std::string_view text) {
  return text.size() - static_cast<std::size_t>(std::count_if(text.begin(), text.end(), continues));
}

/// The first line, not too long.
std::string cell(std::string_view text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  const bool all = line.size() == text.size() && characters_in(line) <= kWidest;
  return build::base::terminal_text(line, kWidest) + (all ? "" : "…");
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

}  // namespace

void Printer::csv_line(const std::vector<std::string>& cells) {
  for (std::size_t i = 0; i < cells.size(); ++i) out_ << (i == 0 ? "" : ",") << csv_cell(cells[i]);
  out_ << "\r\n";
}

void Printer::row(const std::vector<std::string>& names, std::span<const SqlValue> values) {
  if (form_ == Form::json) {
    out_ << (begun_ ? ",\n {" : "[{");
    for (std::size_t i = 0; i < values.size(); ++i)
      out_ << (i == 0 ? "" : ", ") << maintner::to_json(names[i]) << ": " << json(values[i]);
    out_ << "}";
    begun_ = true;
    return;
  }
  std::vector<std::string> cells;
  cells.reserve(values.size());
  for (const SqlValue& value : values) cells.push_back(plain(value));
  if (form_ == Form::csv) {
    if (!begun_) csv_line(names);
    begun_ = true;
    csv_line(cells);
    return;
  }
  numeric_.resize(values.size(), true);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::holds_alternative<std::string_view>(values[i])) numeric_[i] = false;
    cells[i] = cell(cells[i]);
  }
  rows_.push_back(std::move(cells));
}

void Printer::end(const std::vector<std::string>& names) {
  if (form_ == Form::json) out_ << (begun_ ? "]\n" : "[]\n");
  if (form_ == Form::csv && !begun_) csv_line(names);
  if (form_ != Form::table) return;
  numeric_.resize(names.size(), false);
  std::vector<std::size_t> widths;
  widths.reserve(names.size());
  for (const std::string& name : names) widths.push_back(characters_in(name));
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], characters_in(row[i]));
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::string padding(widths[i] - characters_in(cells[i]), ' ');
      text += (i == 0 ? "" : "  ") + (numeric_[i] ? padding + cells[i] : cells[i] + padding);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out_ << text << "\n";
  };
  line(names);
  std::vector<std::string> rules;
  rules.reserve(widths.size());
  for (const std::size_t width : widths) rules.emplace_back(width, '-');
  line(rules);
  for (const auto& row : rows_) line(row);
}

}  // namespace maintq
