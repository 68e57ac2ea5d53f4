// Statements that somebody wrote for others: those that are part of the program, and those of a directory.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace maintner::web {

struct SavedQuery {
  std::string name;   ///< "issues-by-month.sql"
  std::string title;  ///< what stands in its first line behind "--", or the name
  std::string text;
};

/// By name; one of the directory hides one of the program that has its name. What cannot be read in the directory, is
/// longer than 64 KiB, or the 201st, is left out.
std::vector<SavedQuery> saved_queries(const std::filesystem::path& directory);

}  // namespace maintner::web
