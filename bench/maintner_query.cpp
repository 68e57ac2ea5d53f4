// What questions of a corpus take: by index, in SQL, as a search, and by looking at everything.
//   maintner_query [--snapshot FILE] DIR
// Prints a line for each: its name, how many it found, and seconds: for the first time, then the least, the middle and
// the most of the rounds. Behind those that go by index how much memory the indexes take, in KiB.
#include <maintner/corpus.h>
#include <maintner/query.h>
#include <maintner/sql.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "maintner/plain_scan.h"

namespace {

using namespace maintner;

constexpr int kRounds = 9;

using Question = std::function<std::size_t()>;

double seconds_of(const Question& question, std::size_t& found) {
  const auto begin = std::chrono::steady_clock::now();
  found = question();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void measure(const char* name, const Question& question, int rounds = kRounds) {
  std::size_t found = 0;
  const double first = seconds_of(question, found);
  std::vector<double> times;
  times.reserve(static_cast<std::size_t>(rounds));
  for (int i = 0; i < rounds; ++i) times.push_back(seconds_of(question, found));
  std::sort(times.begin(), times.end());
  std::printf("%-28s %9zu %.6f %.6f %.6f %.6f\n", name, found, first, times.front(), times[times.size() / 2],
              times.back());
  std::fflush(stdout);
}

/// Memory that is no file's, in KiB.
long anonymous_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("RssAnon:")) return std::stol(line.substr(line.find(':') + 1));
  return 0;
}

/// The repository with the most issues.
Repo largest(const View& view) {
  const auto repos = view.github().repos();
  return *std::max_element(repos.begin(), repos.end(),
                           [](const Repo& a, const Repo& b) { return a.issues().size() < b.issues().size(); });
}

/// The label and milestone that the most open issues have together.
IssueQuery frequent(const Repo& repo) {
  std::map<std::pair<std::string, std::string>, int> counts;
  for (const Issue& issue : repo.issues())
    if (!issue.not_exist() && !issue.closed() && issue.milestone())
      for (const Label& label : issue.labels())
        ++counts[{std::string(label.name()), std::string(issue.milestone()->title())}];
  const auto most =
      std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return {.labels = {most->first.first}, .milestone = most->first.second};
}

/// The file that the most commits changed.
std::string frequent_file(const View& view) {
  std::map<std::string_view, int> counts;
  for (const Commit& commit : view.commits())
    for (const File& file : commit.files()) ++counts[file.name];
  return std::string(std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) {
                       return a.second < b.second;
                     })->first);
}

std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("''") : std::string(1, c);
  return result + "'";
}

}  // namespace

int main(int argc, char** argv) {
  CorpusOptions options;
  if (argc == 4 && std::string(argv[1]) == "--snapshot") options.snapshot = argv[2];
  if (argc != 2 && argc != 4) {
    std::fprintf(stderr, "usage: maintner_query [--snapshot FILE] DIR\n");
    return 2;
  }
  const Corpus corpus(argv[argc - 1], options);
  const View view = corpus.view();
  const Repo repo = largest(view);
  const IssueQuery query = frequent(repo);
  const auto projects = view.gerrit().projects();
  const Project project = *std::max_element(projects.begin(), projects.end(), [](const Project& a, const Project& b) {
    return a.changes_seen() < b.changes_seen();
  });
  const auto changes = project.changes();
  const std::string owner(person_email(changes[changes.size() / 2].owner()->person));
  const std::string file = frequent_file(view);
  const std::string directory = file.substr(0, file.find('/') + 1);

  const long before = anonymous_kib();
  measure("issues, label, milestone", [&] { return find_issues(repo, query).size(); });
  measure("issues, plain scan", [&] { return plain_scan::find_issues(repo, query).size(); });
  measure("open changes", [&] { return find_changes(project, {}).size(); });
  measure("changes by owner", [&] { return find_changes(project, {.status = {}, .owner = owner}).size(); });
  measure("changes, plain scan",
          [&] { return plain_scan::find_changes(project, {.status = {}, .owner = owner}).size(); });
  measure("100 newest commits", [&] { return find_commits(view, {.limit = 100}).size(); });
  measure("commits of an author", [&] { return find_commits(view, {.author = owner}).size(); });
  measure("commits of a file", [&] { return find_commits(view, {.path = file}).size(); });
  measure("100 newest of a directory", [&] { return find_commits(view, {.path = directory, .limit = 100}).size(); });
  std::printf("memory %ld\n", anonymous_kib() - before);
  measure(
      "a file, plain scan", [&] { return plain_scan::find_commits(view, {.path = file}).size(); }, 3);
  const std::vector<TextKind> bodies{TextKind::body, TextKind::comment, TextKind::review};
  for (const char* text : {"the", "scheduler", "no such text anywhere"}) {
    const std::string name = std::string("search bodies: ") + (std::string(text).size() > 10 ? "nothing" : text);
    measure(name.c_str(), [&] { return search(view, {.text = text, .kinds = bodies}).total; });
  }
  measure("search bodies, words",
          [&] { return search(view, {.text = "race detector", .words = true, .kinds = bodies}).total; });
  measure("search all texts", [&] { return search(view, {.text = "scheduler"}).total; });
  measure(
      "search bodies, plain scan",
      [&] { return plain_scan::search(view, {.text = "scheduler", .kinds = bodies}).total; }, 3);

  SqlTables tables;
  const auto sql = [&](const std::string& statement) {
    return [&tables, &view, statement] {
      std::size_t rows = 0;
      tables.run(view, statement, {.time = std::chrono::minutes{5}, .rows = UINT64_MAX}, [&](const auto&, const auto&) {
        ++rows;
        return true;
      });
      return rows;
    };
  };
  measure("SQL: label and milestone",
          sql("SELECT i.number, i.title FROM issue_labels l JOIN issues i USING (repo, number) WHERE i.repo = " +
              quoted(repo.id()) + " AND l.label = " + quoted(query.labels[0]) +
              " AND i.state = 'open' AND i.milestone = " + quoted(query.milestone)));
  measure("SQL: comments", sql("SELECT count(*) FROM comments"));
  measure("SQL: comments by user", sql("SELECT user, count(*) FROM comments GROUP BY user"));
  measure("SQL: comments by year", sql("SELECT substr(created, 1, 4) AS year, count(*) FROM comments GROUP BY year"));
  measure("SQL: length of comments", sql("SELECT count(*), sum(length(body)), max(created) FROM comments"));
  measure("SQL: comments LIKE", sql("SELECT number FROM comments WHERE body LIKE '%deadlock%'"));
  return 0;
}
