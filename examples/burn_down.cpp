// A milestone's burn-down: how many of its issues were open, week by week up to the newest thing in the log, as they
// were in the milestone then, not now:
//   burn_down LOG-DIRECTORY OWNER/NAME MILESTONE
#include <maintner/as_of.h>
#include <maintner/corpus.h>
#include <algorithm>
#include <iomanip>
#include <iostream>

using namespace maintner;

constexpr std::int64_t kWeek = 7 * 86400;  // seconds
constexpr std::size_t kWidth = 60;         // of the longest bar

/// Now, or once.
bool was_in(const Issue& issue, std::string_view milestone) {
  if (issue.milestone() && issue.milestone()->title() == milestone) return true;
  return std::any_of(issue.events().begin(), issue.events().end(),
                     [&](const Event& event) { return event.milestone() == milestone; });
}

int main(int count, char** args) try {
  const std::string name = count == 4 ? args[2] : "";
  const std::size_t slash = name.find('/');
  if (slash == std::string::npos) {
    std::cerr << "usage: burn_down LOG-DIRECTORY OWNER/NAME MILESTONE\n";
    return 2;
  }
  const View view = Corpus(args[1]).view();
  const auto repo = view.github().repo(name.substr(0, slash), name.substr(slash + 1));
  if (!repo) throw std::runtime_error("there is no " + name + " in " + args[1]);
  Time now, first{INT64_MAX};
  std::vector<Issue> issues;
  for (const Issue& issue : repo->issues()) {
    now = std::max(now, issue.last_modified().value_or(Time{}));
    if (issue.not_exist() || !issue.created() || !was_in(issue, args[3])) continue;
    first = std::min(first, *issue.created());
    issues.push_back(issue);
  }
  if (issues.empty()) throw std::runtime_error("no issue was ever in the milestone " + std::string(args[3]));
  std::vector<std::pair<Time, std::size_t>> weeks;  // how many were open
  for (Time week = now; week >= first; week.seconds -= kWeek) {
    const auto open = std::count_if(issues.begin(), issues.end(), [&](const Issue& issue) {
      const auto then = as_of(issue, week);
      return then && !then->closed && then->milestone == args[3];
    });
    weeks.insert(weeks.begin(), {week, static_cast<std::size_t>(open)});
  }
  const auto used = std::find_if(weeks.begin(), weeks.end(), [](auto& week) { return week.second > 0; });
  weeks.erase(weeks.begin(), used == weeks.end() ? weeks.end() - 1 : used);
  const auto peak = std::max_element(weeks.begin(), weeks.end(), [](auto& a, auto& b) { return a.second < b.second; });
  std::cout << "week of      open\n";
  for (const auto& [week, open] : weeks)
    std::cout << to_string(week).substr(0, 10) << std::setw(7) << open << "  "
              << std::string(open * kWidth / std::max<std::size_t>(peak->second, 1), '#') << "\n";
} catch (const std::exception& error) {
  std::cerr << "burn_down: " << error.what() << "\n";
  return 1;
}
