// Who reviews what: for each directory with files of changes that were merged in the last year of a project's history,
// how many changes those are, and the three people who reviewed most of them:
//   who_reviews LOG-DIRECTORY HOST PROJECT
#include <build/base/utf8.h>
#include <maintner/corpus.h>
#include <maintner/query.h>
#include <algorithm>
#include <iomanip>
#include <iostream>
#include <map>
#include <set>

using namespace maintner;
using build::base::terminal_text;

constexpr std::int64_t kYear = 365 * 86400;  // seconds

/// Who has most, and how many.
std::string first_three(const std::map<std::string_view, int>& counts) {
  std::vector<std::pair<std::string_view, int>> most(counts.begin(), counts.end());
  std::stable_sort(most.begin(), most.end(), [](auto& a, auto& b) { return a.second > b.second; });
  std::string text = most.empty() ? "-" : "";
  for (std::size_t i = 0; i < std::min<std::size_t>(most.size(), 3); ++i)
    text += (i == 0 ? "" : ", ") + std::string(most[i].first) + " " + std::to_string(most[i].second);
  return terminal_text(text, 70);
}

int main(int count, char** args) try {
  if (count != 4) {
    std::cerr << "usage: who_reviews LOG-DIRECTORY HOST PROJECT\n";
    return 2;
  }
  const View view = Corpus(args[1]).view();
  const auto project = view.gerrit().project(args[2], args[3]);
  if (!project) throw std::runtime_error(std::string("there is no ") + args[3] + " of " + args[2] + " in " + args[1]);
  std::int64_t now = 0;
  for (const Change& change : project->changes()) now = std::max(now, change.commit().committer().seconds);
  std::map<std::string_view, int> changes;
  std::map<std::string_view, std::map<std::string_view, int>> reviews;
  for (const Change& change : find_changes(*project, {.status = ChangeStatus::merged})) {
    if (change.commit().committer().seconds <= now - kYear) continue;
    std::set<std::string_view> directories, reviewers;  // who was only asked is not among them
    for (const File& file : change.commit().files()) directories.insert(file.name.substr(0, file.name.rfind('/') + 1));
    auto line = line_value(change.commit().message(), "Reviewed-by:");
    for (; line; line = line_value(line->rest, "Reviewed-by:")) reviewers.insert(person_name(line->value));
    for (const std::string_view path : directories) {
      ++changes[path];
      for (const std::string_view who : reviewers) ++reviews[path][who];
    }
  }
  std::cout << "changes  directory                       reviewers\n";
  for (const auto& [path, merged] : changes)
    std::cout << std::setw(7) << merged << "  " << terminal_text(path.empty() ? "./" : path, 50, 30) << "  "
              << first_three(reviews[path]) << "\n";
} catch (const std::exception& error) {
  std::cerr << "who_reviews: " << error.what() << "\n";
  return 1;
}
