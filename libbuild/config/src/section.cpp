#include "section.h"

#include <build/base/cli.h>
#include <build/base/nearest.h>

#include <algorithm>

namespace build::config {

namespace {

constexpr std::size_t kMaxNameLength = 100;
constexpr std::chrono::seconds kMaxDuration = std::chrono::hours(30 * 24);

std::string_view kind_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "text";
    case toml::node_type::integer:
    case toml::node_type::floating_point:
      return "a number";
    case toml::node_type::boolean:
      return "true or false";
    default:
      return "a date or time";
  }
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

std::string joined(std::span<const std::string_view> words) {
  std::string text;
  for (const std::string_view word : words) {
    if (!text.empty()) text += ", ";
    text += word;
  }
  return text;
}

}  // namespace

void refuse(const std::string& file, const toml::source_region& where, const std::string& sentence) {
  const auto line = std::max<toml::source_index>(where.begin.line, 1);
  throw ConfigError(file + ":" + std::to_string(line) + ": " + sentence);
}

std::string in_quotes(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (c == '\n')
      result += "\\n";
    else if (c == '\t')
      result += "\\t";
    else if (is_control(c))
      result += '?';
    else
      result += c;
  }
  return result + '"';
}

std::string suggestion(std::string_view unknown, const std::vector<std::string>& known) {
  const std::string* nearest = base::nearest_name(unknown, known);
  return nearest ? " (did you mean " + in_quotes(*nearest) + "?)" : "";
}

bool is_name(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  };
  return !text.empty() && text.size() <= kMaxNameLength && text.front() != '-' && text.front() != '.' &&
         std::all_of(text.begin(), text.end(), allowed);
}

Section::Section(const std::string& file, const toml::table& table, std::string title,
                 std::span<const std::string_view> keys)
    : file_(file), table_(table), title_(std::move(title)) {
  // The table is sorted by key; a person reads from the top.
  const toml::key* first = nullptr;
  for (const auto& [key, node] : table_) {
    if (std::find(keys.begin(), keys.end(), key.str()) != keys.end()) continue;
    if (!first || key.source().begin < first->source().begin) first = &key;
  }
  if (!first) return;
  const std::string near = suggestion(first->str(), {keys.begin(), keys.end()});
  config::refuse(file_, first->source(),
                 title_ + " has no " + in_quotes(first->str()) + (near.empty() ? "; it has " + joined(keys) : near));
}

void Section::refuse(std::string_view key, const std::string& sentence) const {
  const toml::node* node = find(key);
  config::refuse(file_, node ? node->source() : table_.source(), sentence);
}

void Section::refuse_item(std::string_view key, std::size_t index, const std::string& sentence) const {
  config::refuse(file_, find(key)->as_array()->at(index).source(), sentence);
}

std::string Section::checked_text(std::string_view key, const toml::node& node) const {
  const auto* text = node.as_string();
  if (!text)
    config::refuse(file_, node.source(),
                   std::string(key) + " of " + title_ + " must be text in quotes, not " + std::string(kind_of(node)));
  if (text->get().empty()) config::refuse(file_, node.source(), std::string(key) + " of " + title_ + " is empty");
  if (std::any_of(text->get().begin(), text->get().end(), is_control))
    config::refuse(file_, node.source(),
                   std::string(key) + " of " + title_ + " holds a control character: " + in_quotes(text->get()));
  return text->get();
}

std::optional<std::string> Section::text(std::string_view key) const {
  const toml::node* node = find(key);
  if (!node) return std::nullopt;
  return checked_text(key, *node);
}

std::string Section::required_text(std::string_view key, std::string_view what_it_is) const {
  if (auto value = text(key)) return *value;
  refuse(key, title_ + " has no " + std::string(key) + ": " + std::string(what_it_is));
}

std::optional<std::string> Section::free_text(std::string_view key) const {
  const toml::node* node = find(key);
  if (!node) return std::nullopt;
  const auto* text = node->as_string();
  if (!text)
    refuse(key, std::string(key) + " of " + title_ + " must be text in quotes, not " + std::string(kind_of(*node)));
  if (text->get().find('\0') != std::string::npos)
    refuse(key, std::string(key) + " of " + title_ + " holds a NUL character");
  return text->get();
}

std::string Section::required_name(std::string_view key, std::string_view what_it_is) const {
  std::string value = required_text(key, what_it_is);
  if (!is_name(value))
    refuse(key,
           std::string(key) + " " + in_quotes(value) +
               " cannot be a name: use letters, digits, '.', '_' and '-', with a letter, digit or '_' first, at most " +
               std::to_string(kMaxNameLength));
  return value;
}

std::optional<int> Section::integer(std::string_view key, int min, int max) const {
  const toml::node* node = find(key);
  if (!node) return std::nullopt;
  const auto* number = node->as_integer();
  const std::string range = " must be a whole number from " + std::to_string(min) + " to " + std::to_string(max);
  if (!number) refuse(key, std::string(key) + " of " + title_ + range + ", not " + std::string(kind_of(*node)));
  if (number->get() < min || number->get() > max)
    refuse(key, std::string(key) + " of " + title_ + range + ", not " + std::to_string(number->get()));
  return static_cast<int>(number->get());
}

std::optional<bool> Section::boolean(std::string_view key) const {
  const toml::node* node = find(key);
  if (!node) return std::nullopt;
  const auto* value = node->as_boolean();
  if (!value)
    refuse(key, std::string(key) + " of " + title_ + " must be true or false, not " + std::string(kind_of(*node)));
  return value->get();
}

std::optional<std::chrono::seconds> Section::duration(std::string_view key, std::chrono::seconds min) const {
  const auto value = text(key);
  if (!value) return std::nullopt;
  const auto length = base::parse_duration(*value);
  const std::string what = std::string(key) + " " + in_quotes(*value);
  if (!length) refuse(key, what + " is no length of time: write, for example, \"90s\", \"30m\" or \"1h30m\"");
  if (*length < min) refuse(key, what + " is too short: it must be at least 1s");
  if (*length > kMaxDuration) refuse(key, what + " is too long: it must be at most 720h");
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(*length);
  if (seconds != *length) refuse(key, what + " is no whole number of seconds");
  return seconds;
}

std::optional<std::vector<std::string>> Section::list(std::string_view key) const {
  const toml::node* node = find(key);
  if (!node) return std::nullopt;
  const toml::array* array = node->as_array();
  if (!array)
    refuse(key, std::string(key) + " of " + title_ + " must be a list, for example [\"one\", \"two\"], not " +
                    std::string(kind_of(*node)));
  std::vector<std::string> items;
  for (const toml::node& item : *array) {
    std::string text = checked_text(key, item);
    if (std::find(items.begin(), items.end(), text) != items.end())
      refuse_item(key, items.size(), std::string(key) + " of " + title_ + " names " + in_quotes(text) + " twice");
    items.push_back(std::move(text));
  }
  return items;
}

std::optional<std::filesystem::path> Section::path(std::string_view key, const std::filesystem::path& base) const {
  const auto value = text(key);
  if (!value) return std::nullopt;
  return (base / *value).lexically_normal();
}

std::vector<const toml::table*> Section::tables(std::string_view key, std::string_view heading) const {
  std::vector<const toml::table*> tables;
  const toml::node* node = find(key);
  if (!node) return tables;
  const std::string sentence = "write [[" + std::string(heading) + "]] above each " + std::string(key);
  const toml::array* array = node->as_array();
  if (!array) refuse(key, sentence + ", not [" + std::string(heading) + "]");
  for (const toml::node& item : *array) {
    if (!item.is_table()) config::refuse(file_, item.source(), sentence);
    tables.push_back(item.as_table());
  }
  return tables;
}

const toml::table* Section::table(std::string_view key, std::string_view heading) const {
  const toml::node* node = find(key);
  if (!node) return nullptr;
  if (!node->is_table()) refuse(key, "write [" + std::string(heading) + "] above its lines, once");
  return node->as_table();
}

}  // namespace build::config
