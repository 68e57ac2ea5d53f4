// How long do people wait for an answer? From an issue's creation to the first comment by somebody else than its
// author, for each month in which issues were made:
//   first_response LOG-DIRECTORY OWNER/NAME [BOT]...        (what a BOT says is no answer)
#include <maintner/corpus.h>
#include <algorithm>
#include <iomanip>
#include <iostream>
#include <map>
#include <set>

using namespace maintner;

constexpr std::int64_t kNone = INT64_MAX;

/// Seconds until the first answer, or kNone.
std::int64_t wait_of(const Issue& issue, const std::set<std::string_view>& bots) {
  for (const Comment& comment : issue.comments()) {
    const bool own = comment.user && issue.user() && comment.user->id() == issue.user()->id();
    if (comment.user && comment.created && !own && !bots.contains(comment.user->login()))
      return std::max<std::int64_t>(comment.created->seconds - issue.created()->seconds, 0);
  }
  return kNone;
}

/// In which `percent` of 100 issues were answered; those count that were not.
std::string percentile(const std::vector<std::int64_t>& sorted, std::size_t percent) {
  const std::int64_t seconds = sorted[(sorted.size() * percent + 99) / 100 - 1], hours = seconds / 3600;
  if (seconds == kNone) return "-";
  if (hours < 2) return std::to_string(seconds / 60) + " min";
  return hours < 48 ? std::to_string(hours) + " h" : std::to_string(hours / 24) + " days";
}

int main(int count, char** args) try {
  const std::string name = count > 2 ? args[2] : "";
  const std::size_t slash = name.find('/');
  if (slash == std::string::npos) {
    std::cerr << "usage: first_response LOG-DIRECTORY OWNER/NAME [BOT]...\n";
    return 2;
  }
  const std::set<std::string_view> bots(args + 3, args + count);
  const View view = Corpus(args[1]).view();
  const auto repo = view.github().repo(name.substr(0, slash), name.substr(slash + 1));
  if (!repo) throw std::runtime_error("there is no " + name + " in " + args[1]);
  std::map<std::string, std::vector<std::int64_t>> months;
  for (const Issue& issue : repo->issues())
    if (!issue.not_exist() && !issue.pull_request() && issue.created())
      months[to_string(*issue.created()).substr(0, 7)].push_back(wait_of(issue, bots));
  std::cout << "month    issues  unanswered     median        90%\n";
  for (auto& [month, waits] : months) {
    std::sort(waits.begin(), waits.end());
    std::cout << month << std::setw(8) << waits.size() << std::setw(12) << std::count(waits.begin(), waits.end(), kNone)
              << std::setw(11) << percentile(waits, 50) << std::setw(11) << percentile(waits, 90) << "\n";
  }
} catch (const std::exception& error) {
  std::cerr << "first_response: " << error.what() << "\n";
  return 1;
}
