#include <build/base/cli.h>
#include <maintner/corpus.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chart.h"

namespace base = build::base;
namespace fs = std::filesystem;
using namespace maintner;

namespace {

constexpr std::size_t kBarWidth = 60;

struct Flags {
  fs::path snapshot, svg;
  std::string over_time;
  std::int64_t modified_files = 0;
  bool time_load = false;
  std::vector<std::string> directory;
};

void print_row(const std::string& name, std::uint64_t count) {
  std::printf("%12ju  %s\n", static_cast<std::uintmax_t>(count), name.c_str());
}

void print_repo(const Repo& repo) {
  std::uint64_t open = 0, closed = 0, pulls = 0, comments = 0, events = 0;
  for (const Issue& issue : repo.issues()) {
    if (issue.not_exist()) continue;
    comments += issue.comments().size();
    events += issue.events().size();
    if (issue.pull_request())
      ++pulls;
    else
      ++(issue.closed() ? closed : open);
  }
  std::printf("%s\n", repo.id().c_str());
  print_row("open issues", open);
  print_row("closed issues", closed);
  print_row("pull requests", pulls);
  print_row("comments", comments);
  print_row("events", events);
}

void print_project(const Project& project) {
  std::map<ChangeStatus, std::uint64_t> by_status;
  std::uint64_t messages = 0;
  for (const Change& change : project.changes()) {
    ++by_status[change.status()];
    messages += change.messages().size();
  }
  std::printf("%s\n", std::string(project.full_name()).c_str());
  for (const auto& [status, count] : by_status) print_row(std::string(name_of(status)) + " changes", count);
  print_row("messages", messages);
  print_row("commits", project.commits_seen());
}

void print_counts(const View& view) {
  for (const Repo& repo : view.github().repos())
    if (!repo.issues().empty()) print_repo(repo);
  for (const Project& project : view.gerrit().projects()) print_project(project);
  std::printf("in all\n");
  print_row("GitHub users", view.github().users().size());
  print_row("commits", view.commits().size());
  print_row("mutations", view.mutations());
}

/// Counts what has happened, by when.
Months months_of(const View& view, const std::string& what) {
  Months months;
  const auto count = [&](std::int64_t seconds) {
    const std::string month = month_of(seconds);
    if (!month.empty()) ++months[month];
  };
  const auto count_issues = [&](const std::function<void(const Issue&)>& each) {
    for (const Repo& repo : view.github().repos())
      for (const Issue& issue : repo.issues())
        if (!issue.not_exist()) each(issue);
  };
  if (what == "issues") {
    count_issues([&](const Issue& issue) {
      if (!issue.pull_request() && issue.created()) count(issue.created()->seconds);
    });
  } else if (what == "comments") {
    count_issues([&](const Issue& issue) {
      for (const Comment& comment : issue.comments())
        if (comment.created) count(comment.created->seconds);
    });
  } else if (what == "changes") {
    for (const Project& project : view.gerrit().projects())
      for (const Change& change : project.changes()) count(change.created().seconds);
  } else {
    // A change's patch sets and metas are commits, too, but nobody means them.
    std::set<std::string_view> of_changes;
    for (const Project& project : view.gerrit().projects()) {
      for (const Change& change : project.changes()) {
        for (const Meta& meta : change.metas()) of_changes.insert(meta.commit().hash());
        for (std::int32_t version = 1; version <= change.version(); ++version)
          if (const auto commit = change.commit_at(version)) of_changes.insert(commit->hash());
      }
    }
    for (const Commit& commit : view.commits())
      if (!commit.is_placeholder() && !of_changes.contains(commit.hash())) count(commit.committer().seconds);
  }
  return without_gaps(months);
}

/// Where the Go project's files have moved since.
std::string today(std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> kMoved[] = {{"src/pkg/", "src/"},
                                                                      {"src/http/", "src/net/http/"}};
  for (const auto& [before, after] : kMoved)
    if (name.starts_with(before)) return std::string(after).append(name.substr(before.size()));
  return std::string(name);
}

void print_modified_files(const View& view, std::size_t most) {
  std::map<std::string, int> counts;
  if (const auto project = view.gerrit().project("go.googlesource.com", "go"))
    for (const Change& change : project->changes())
      for (const File& file : change.commit().files()) ++counts[today(file.name)];
  std::vector<std::pair<std::string, int>> sorted(counts.begin(), counts.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  for (std::size_t i = 0; i < std::min(most, sorted.size()); ++i)
    std::printf(" %5d %s\n", sorted[i].second, sorted[i].first.c_str());
}

/// What the process has in memory that is not a file's, in MB; 0 if the system does not say.
std::uint64_t own_megabytes() {
  std::ifstream status("/proc/self/status");
  constexpr std::string_view kName = "RssAnon:";
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(kName)) return std::stoull(line.substr(kName.size())) / 1000;
  return 0;
}

int run(const Flags& flags) {
  const auto begin = std::chrono::steady_clock::now();
  const Corpus corpus(flags.directory.front(), {.threads = 0, .compat = false, .snapshot = flags.snapshot});
  if (flags.time_load) {
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    std::fprintf(stderr, "Loaded data in %.3f s. Memory: %ju MB\n", took.count(),
                 static_cast<std::uintmax_t>(own_megabytes()));
  }
  if (!corpus.snapshot_refused().empty())
    std::cerr << "gostats: the snapshot is not used: " << corpus.snapshot_refused() << "\n";
  if (corpus.problem_count() > 0) {
    const Problem& first = corpus.problems().front();
    std::cerr << "gostats: " << corpus.problem_count()
              << " things in the log could not be used; the first: " << first.file.string() << ", offset "
              << first.offset << ": " << first.why << "\n";
  }
  const View view = corpus.view();
  if (flags.modified_files > 0) {
    print_modified_files(view, static_cast<std::size_t>(flags.modified_files));
  } else if (flags.over_time.empty()) {
    print_counts(view);
  } else {
    const Months months = months_of(view, flags.over_time);
    if (flags.svg.empty()) {
      std::cout << text_chart(months, kBarWidth);
    } else {
      std::ofstream out(flags.svg);
      out << svg_chart(months, flags.over_time + " a month");
      if (!out.flush()) {
        std::cerr << "gostats: cannot write " << flags.svg.string() << "\n";
        return 1;
      }
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  base::CommandLine cli("gostats", "Counts what is in a project's mutation log.");
  Flags flags;
  cli.choice("over-time", {"issues", "comments", "changes", "commits"}, "", "how many a month, as a chart",
             [&](const std::string& choice) { flags.over_time = choice; });
  cli.path("svg", flags.svg, "FILE", "the chart as a picture");
  cli.integer("modified-files", flags.modified_files, "N", "the files that most of Go's changes modify", 0);
  cli.toggle("time-load", flags.time_load, "say how long loading took, and how much memory it takes");
  cli.path("snapshot", flags.snapshot, "FILE", "of this log, to begin with");
  cli.positional(flags.directory, "DIRECTORY", "with files maintner-*.mutlog", {.min = 1, .max = 1});
  cli.example("gostats /var/lib/maintner", "all counts");
  cli.example("gostats -over-time issues -svg issues.svg /var/lib/maintner", "when issues were made");
  try {
    if (const auto exit_code = cli.parse(argc, argv)) return *exit_code;
    if (!flags.svg.empty() && flags.over_time.empty()) return cli.usage_error("-svg needs -over-time");
    return run(flags);
  } catch (const std::exception& error) {
    std::cerr << "gostats: " << error.what() << "\n";
    return 1;
  }
}
