#include "names.h"

#include <algorithm>
#include <array>

namespace pargzip::tool {

namespace {

constexpr std::array<std::string_view, 7> kSuffixes = {".gz", ".z", ".taz", ".tgz", "-gz", "-z", "_z"};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 'a' - 'A') : c; }

bool same(std::string_view left, std::string_view right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](char a, char b) { return lower(a) == lower(b); });
}

bool ends_with(std::string_view name, std::string_view suffix) {
  return name.size() > suffix.size() && same(name.substr(name.size() - suffix.size()), suffix);
}

}  // namespace

std::string_view compressed_suffix(std::string_view name, std::string_view own) {
  const std::string_view leaf = name.substr(name.rfind('/') + 1);
  if (ends_with(leaf, own)) return leaf.substr(leaf.size() - own.size());
  for (const std::string_view suffix : kSuffixes)
    if (ends_with(leaf, suffix)) return leaf.substr(leaf.size() - suffix.size());
  return {};
}

std::optional<std::string> decompressed_name(std::string_view name, std::string_view own) {
  const std::string_view suffix = compressed_suffix(name, own);
  if (suffix.empty()) return std::nullopt;
  const bool tar = same(suffix, ".tgz") || same(suffix, ".taz");
  return std::string(name.substr(0, name.size() - suffix.size())) + (tar ? ".tar" : "");
}

std::vector<std::string> with_suffixes(const std::string& name, const std::string& own) {
  std::vector<std::string> names{name + own};
  for (const char* suffix : {".gz", ".z", "-z"})
    if (own != suffix) names.push_back(name + suffix);
  return names;
}

Place place_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == path.npos) return {".", path};
  return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

}  // namespace pargzip::tool
