// Open issues with a label, or with a word in their titles, those first that were commented most in the 90 days before
// the newest thing in the log:
//   flaky_issues LOG-DIRECTORY OWNER/NAME LABEL-OR-WORD
#include <build/base/utf8.h>
#include <maintner/corpus.h>
#include <maintner/query.h>
#include <algorithm>
#include <iomanip>
#include <iostream>
#include <tuple>

using namespace maintner;
using build::base::terminal_text;

constexpr std::int64_t kRecently = 90 * 86400;  // seconds

struct Flake {
  Issue issue;
  std::size_t recently = 0;  // commented
  Time newest;
};

int main(int count, char** args) try {
  const std::string name = count == 4 ? args[2] : "";
  const std::size_t slash = name.find('/');
  if (slash == std::string::npos) {
    std::cerr << "usage: flaky_issues LOG-DIRECTORY OWNER/NAME LABEL-OR-WORD\n";
    return 2;
  }
  const View view = Corpus(args[1]).view();
  const auto repo = view.github().repo(name.substr(0, slash), name.substr(slash + 1));
  if (!repo) throw std::runtime_error("there is no " + name + " in " + args[1]);
  Time now;
  for (const Issue& issue : repo->issues()) now = std::max(now, issue.last_modified().value_or(Time{}));
  std::vector<Flake> flakes;
  for (const Issue& issue : find_issues(*repo, {.pull_request = false})) {
    if (!issue.has_label(args[3]) && issue.title().find(args[3]) == std::string_view::npos) continue;
    Flake& flake = flakes.emplace_back(Flake{issue, 0, issue.created().value_or(Time{})});
    for (const Comment& comment : issue.comments()) {
      flake.newest = std::max(flake.newest, comment.created.value_or(Time{}));
      flake.recently += comment.created && comment.created->seconds > now.seconds - kRecently;
    }
  }
  std::stable_sort(flakes.begin(), flakes.end(), [](const Flake& a, const Flake& b) {
    return std::tie(a.recently, a.newest) > std::tie(b.recently, b.newest);
  });
  std::cout << "in 90 days  newest      assignee          issue\n";
  for (const auto& [issue, recently, newest] : flakes) {
    const auto assignees = issue.assignees();
    std::cout << std::setw(10) << recently << "  " << to_string(newest).substr(0, 10) << "  "
              << terminal_text(assignees.empty() ? "-" : assignees[0].login(), 16, 16) << "  " << issue.number() << ": "
              << terminal_text(issue.title(), 60) << "\n";
  }
} catch (const std::exception& error) {
  std::cerr << "flaky_issues: " << error.what() << "\n";
  return 1;
}
