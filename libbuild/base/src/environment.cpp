#include <build/base/environment.h>

#include <algorithm>
#include <unordered_set>

namespace build::base {

namespace {

bool is_entry_for(std::string_view entry, std::string_view name) {
  return entry.size() > name.size() && entry.substr(0, name.size()) == name && entry[name.size()] == '=';
}

/// Where the name of "NAME=value" ends. A leading "=" belongs to the name, as in Go (and on Windows, "=C:=C:\").
std::size_t name_end(std::string_view entry) {
  const std::size_t equals = entry.find('=');
  if (equals != 0) return equals;
  const std::size_t second = entry.find('=', 1);
  return second == std::string_view::npos ? 0 : second;
}

}  // namespace

Environment environment_from(const char* const* envp) {
  Environment list;
  for (; envp != nullptr && *envp != nullptr; ++envp) list.emplace_back(*envp);
  return list;
}

Environment deduplicated(const Environment& list) {
  Environment kept;
  kept.reserve(list.size());
  std::unordered_set<std::string_view> seen;
  for (auto entry = list.rbegin(); entry != list.rend(); ++entry) {
    const std::size_t end = name_end(*entry);
    if (end == std::string_view::npos) {
      if (!entry->empty()) kept.push_back(*entry);
    } else if (seen.insert(std::string_view(*entry).substr(0, end)).second) {
      kept.push_back(*entry);
    }
  }
  std::reverse(kept.begin(), kept.end());
  return kept;
}

std::optional<std::string> find_variable(const Environment& list, std::string_view name) {
  const auto entry =
      std::find_if(list.rbegin(), list.rend(), [&](const std::string& each) { return is_entry_for(each, name); });
  if (entry == list.rend()) return std::nullopt;
  return entry->substr(name.size() + 1);
}

void set_variable(Environment& list, std::string_view name, std::string_view value) {
  std::string entry(name);
  entry += '=';
  entry += value;
  list.push_back(std::move(entry));
}

void remove_variable(Environment& list, std::string_view name) {
  std::erase_if(list, [&](const std::string& entry) { return is_entry_for(entry, name); });
}

}  // namespace build::base
