// A project in which things happen at random: issues with labels, milestones and people that are renamed, changes with
// patch sets and reviews, commits that are named before they are seen. Written as a log, a step at a time.
#pragma once

#include <maintner/reclog.h>

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace maintner {

class MadeUpProject {
 public:
  static constexpr int kRepos = 2, kProjects = 2;
  static const std::vector<std::string>& words();

  explicit MadeUpProject(unsigned seed) : random_(seed) {}

  /// Something happens, and is written.
  void step(RecordWriter& writer);

 private:
  struct ChangeState {
    int patch_sets = 0;
    std::string meta;  ///< the last one's hash
  };

  int one_of(int count) { return std::uniform_int_distribution<int>(0, count - 1)(random_); }
  bool chance(int percent) { return one_of(100) < percent; }
  std::string sentence();
  std::string hash() { return hash_of(++commits_); }
  static std::string hash_of(int number);
  std::string person();
  void touch_issue(RecordWriter& writer);
  void rename_something(RecordWriter& writer);
  void touch_change(RecordWriter& writer);
  void commit(RecordWriter& writer);

  std::mt19937 random_;
  std::int64_t time_ = 1'600'000'000, ids_ = 0;
  int commits_ = 0;
  std::vector<std::string> awaited_;  ///< commits that are parents and have not been seen
  std::map<std::pair<int, int>, ChangeState> changes_;
};

}  // namespace maintner
