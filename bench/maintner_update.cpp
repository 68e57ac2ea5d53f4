// How long a corpus takes to follow its log: one record, a thousand times, and 100,000 at once.
//
//   maintner_update DIRECTORY
//
// The log in DIRECTORY stays as it is: what is added goes into a file of a directory of its own, which has links to it.
#include <maintner/corpus.h>
#include <maintner/mutation.h>
#include <maintner/reclog.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;
using namespace maintner;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

/// A comment of 200 bytes on one of 80,000 issues, or a commit, as they come.
std::string payload(std::mt19937_64& random, std::int64_t number) {
  static const std::string text(200, 'x');
  Mutation mutation;
  if (number % 3 != 0) {
    GithubIssueMutation& issue = mutation.github_issue.emplace();
    issue.owner = "golang";
    issue.repo = "go";
    issue.number = static_cast<std::int32_t>(1 + random() % 80'000);
    GithubIssueCommentMutation& comment = issue.comment.emplace_back();
    comment.id = 5'000'000'000 + number;
    comment.body = text;
    comment.user = GithubUser{static_cast<std::int64_t>(1000 + random() % 20'000), "somebody", {}};
    comment.created = Timestamp{1'700'000'000 + number, 0, {}};
    return encode(mutation);
  }
  char hash[41];
  std::snprintf(hash, sizeof hash, "%016jx%024jx", static_cast<std::uintmax_t>(random()),
                static_cast<std::uintmax_t>(random()));
  const std::string raw = "tree " + std::string(hash) +
                          "\nauthor A <a@b> 1700000000 +0000\ncommitter A <a@b> 1700000000 +0000\n\n" + text + "\n";
  GerritMutation& gerrit = mutation.gerrit.emplace();
  gerrit.project = "go.googlesource.com/p00";
  GitCommit& commit = gerrit.commits.emplace_back();
  commit.sha1 = hash;
  commit.raw = raw;
  return encode(mutation);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::string name = (fs::temp_directory_path() / "maintner-update.XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) return 1;
  const fs::path directory = name;
  for (const fs::path& file : log_files(argv[1])) fs::create_symlink(fs::absolute(file), directory / file.filename());
  {
    std::mt19937_64 random(1);
    RecordWriter log(directory / "maintner-9999-01-01.mutlog");
    Corpus corpus(directory);
    std::int64_t number = 0;
    std::vector<double> times;
    for (int i = 0; i < 1000; ++i) {
      log.append(payload(random, number++));
      const auto begin = Clock::now();
      if (corpus.update().mutations != 1) return 1;
      times.push_back(seconds_since(begin));
    }
    std::sort(times.begin(), times.end());
    std::printf("one record: %.0f us (99 of 100 below %.0f us)\n", times[500] * 1e6, times[990] * 1e6);
    for (int round = 0; round < 3; ++round) {
      constexpr int kMany = 100'000;
      for (int i = 0; i < kMany; ++i) log.append(payload(random, number++));
      const auto begin = Clock::now();
      if (corpus.update().mutations != kMany) return 1;
      const double took = seconds_since(begin);
      std::printf("%d at once: %.3f s, %.0f records a second\n", kMany, took, kMany / took);
    }
  }
  fs::remove_all(directory);
}
