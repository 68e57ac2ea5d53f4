#include "saved_queries.h"

#include <maintner/commit_text.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <system_error>

#include "assets.h"

namespace maintner::web {

namespace {

constexpr std::size_t kMaxText = 64 * 1024, kMaxQueries = 200;

SavedQuery saved_query(std::string name, std::string text) {
  std::string_view first = std::string_view(text).substr(0, text.find('\n'));
  std::string title = name;
  if (first.starts_with("--")) title = trimmed(first.substr(2));
  return {std::move(name), std::move(title), std::move(text)};
}

std::vector<std::filesystem::path> files_in(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end; at.increment(error))
    if (at->path().extension() == ".sql") files.push_back(at->path());
  std::sort(files.begin(), files.end());
  if (files.size() > kMaxQueries) files.resize(kMaxQueries);
  return files;
}

}  // namespace

std::vector<SavedQuery> saved_queries(const std::filesystem::path& directory) {
  std::map<std::string, SavedQuery> all;
  for (const Asset& asset : all_assets())
    if (asset.name.ends_with(".sql")) {
      std::string name(asset.name);
      all[name] = saved_query(name, std::string(asset.bytes));
    }
  if (!directory.empty())
    for (const std::filesystem::path& file : files_in(directory)) {
      std::error_code error;
      if (!std::filesystem::is_regular_file(file, error)) continue;
      std::ifstream in(file, std::ios::binary);
      std::string text(kMaxText + 1, '\0');
      in.read(text.data(), static_cast<std::streamsize>(text.size()));
      text.resize(static_cast<std::size_t>(in.gcount()));
      if (text.empty() || text.size() > kMaxText || in.bad()) continue;
      const std::string name = file.filename().string();
      all[name] = saved_query(name, std::move(text));
    }
  std::vector<SavedQuery> list;
  list.reserve(all.size());
  for (auto& [name, query] : all) list.push_back(std::move(query));
  return list;
}

}  // namespace maintner::web
