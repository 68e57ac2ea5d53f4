// How long it takes to have a corpus, and to read all that is in it.
//
//   maintner_load [--threads N] [--snapshot FILE] [--save FILE] DIRECTORY
//
// The sum is an FNV-1a of 64 bits over the sums of all texts, each FNV-1a of its own; that of all commits is made
// beside those of GitHub's part and of Gerrit's, if there are two threads, and put together with them last.
#include <maintner/corpus.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <future>
#include <iostream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <sys/resource.h>

#include "fnv.h"

namespace {

using namespace maintner;
using Clock = std::chrono::steady_clock;

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

long status_kib(const char* name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(name)) return std::stol(line.substr(std::strlen(name) + 1));
  return 0;
}

/// Most of it that was ever there: the kernel keeps no peak of it, so somebody has to look.
class PeakOfAnonymous {
 public:
  PeakOfAnonymous()
      : thread_([this](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
            look();
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
          }
        }) {}
  long kib() {
    look();
    return peak_;
  }

 private:
  void look() {
    const long now = status_kib("RssAnon:");
    long before = peak_;
    while (before < now && !peak_.compare_exchange_weak(before, now)) {
    }
  }
  std::atomic<long> peak_{0};
  std::jthread thread_;
};

std::uint64_t sum_of_github(const View& view) {
  Sum sum;
  for (const Repo& repo : view.github().repos()) {
    for (const Issue& issue : repo.issues()) {
      sum.add(issue.title());
      sum.add(issue.body());
      for (const Comment& comment : issue.comments()) sum.add(comment.body);
      for (const Event& event : issue.events()) {
        sum.add(event.type());
        sum.add(event.label());
        sum.add(event.milestone());
        sum.add(event.commit_id());
      }
      for (const Review& review : issue.reviews()) {
        sum.add(review.body());
        sum.add(review.review_state());
      }
    }
  }
  return sum.value();
}

/// Of a vote, which outlives the sum.
std::string_view value_text(std::int8_t value) {
  static const std::vector<std::string> texts = [] {
    std::vector<std::string> all;
    for (int i = -128; i < 128; ++i) all.push_back(std::to_string(i));
    return all;
  }();
  return texts[static_cast<std::size_t>(value + 128)];
}

std::uint64_t sum_of_gerrit(const View& view) {
  Sum sum;
  for (const Project& project : view.gerrit().projects()) {
    for (const Change& change : project.changes()) {
      for (const Message& message : change.messages()) sum.add(message.text);
      for (const Meta& meta : change.metas())
        for_each_label(meta.commit().message(), [&](const LabelLine& line) {
          sum.add(line.label);
          sum.add(value_text(line.value));
          sum.add(line.voter);
        });
    }
  }
  return sum.value();
}

std::uint64_t sum_of_commits(const View& view) {
  Sum sum;
  for (const Commit& commit : view.commits()) {
    sum.add(commit.message());
    for (const File& file : commit.files()) sum.add(file.name);
  }
  return sum.value();
}

}  // namespace

int main(int argc, char** argv) {
  CorpusOptions options;
  std::string directory, save;
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    if (arg == "--threads" && i + 1 < argc)
      options.threads = static_cast<unsigned>(std::stoul(argv[++i]));
    else if (arg == "--snapshot" && i + 1 < argc)
      options.snapshot = argv[++i];
    else if (arg == "--save" && i + 1 < argc)
      save = argv[++i];
    else
      directory = arg;
  }
  PeakOfAnonymous peak;
  const auto begin = Clock::now();
  const auto since = [&] { return std::chrono::duration<double>(Clock::now() - begin).count(); };
  const Corpus corpus(directory, options);
  const double loaded = since(), loaded_cpu = cpu_seconds();
  const View view = corpus.view();
  const auto repo = view.github().repo("golang", "go");
  const auto issue = repo ? repo->issue(1000) : std::nullopt;
  std::printf("first answer (\"%.20s\") after %.4f s\n", issue ? std::string(issue->title()).c_str() : "none", since());
  Sum all;
  const auto launch = options.threads == 1 ? std::launch::deferred : std::launch::async;
  auto commits = std::async(launch, sum_of_commits, view);
  all.add_value(sum_of_github(view));
  const double issues_read = since();
  all.add_value(sum_of_gerrit(view));
  all.add_value(commits.get());
  const double read = since(), cpu = cpu_seconds();
  std::printf("all of the issues read after %.3f s more\n", issues_read - loaded);
  std::printf("load %.3f s (%.3f of processor), traversal %.3f s (%.3f), together %.3f s, %.3f of processor\n", loaded,
              loaded_cpu, read - loaded, cpu - loaded_cpu, read, cpu);
  std::printf("anonymous memory: peak %ld KiB, now %ld KiB; sum %016llx; %llu problems %s\n", peak.kib(),
              status_kib("RssAnon:"), static_cast<unsigned long long>(all.value()),
              static_cast<unsigned long long>(corpus.problem_count()), corpus.snapshot_refused().c_str());
  if (save.empty()) return 0;
  const double before_save = since();
  corpus.save(save);
  std::printf("saved in %.3f s, %ju bytes\n", since() - before_save,
              static_cast<std::uintmax_t>(std::filesystem::file_size(save)));
}
