// A repository to mirror, made by git itself, and what a test needs around it.
#pragma once

#include <build/git/mirror.h>
#include <io/event_loop.h>

#include "support/support.h"

#include <string>
#include <vector>

namespace testing {

/// Runs programs in a directory, with an environment that holds nothing of the tester's git configuration.
class Shell {
 public:
  Shell(io::EventLoop& loop, std::filesystem::path directory);

  /// The standard output without the last line end; throws if the command fails.
  std::string run(std::vector<std::string> argv, std::string input = {});
  const std::filesystem::path& directory() const { return directory_; }
  build::base::Environment& environment() { return environment_; }

 private:
  io::EventLoop& loop_;
  io::RealClock clock_;
  std::filesystem::path directory_;
  build::base::Environment environment_;
};

/// A work tree with a branch "main".
class Repository {
 public:
  Repository(io::EventLoop& loop, const std::filesystem::path& directory, std::string object_format = "sha1");

  std::string git(std::vector<std::string> arguments, std::string input = {});
  void write(const std::string& path, std::string_view content);
  /// Commits all that is in the work tree; the commit's hash.
  build::model::CommitHash commit(const std::string& message);
  const std::filesystem::path& path() const { return shell_.directory(); }
  Shell& shell() { return shell_; }

 private:
  Shell shell_;
  int time_ = 1767225600;
};

/// A loop, a repository "origin" and a mirror of it.
struct MirrorFixture {
  explicit MirrorFixture(std::string object_format = "sha1");

  TempDir dir;
  io::EventLoop loop;
  io::RealClock clock;
  Repository origin;
  Shell shell;

  /// Of `url`, or of origin; in dir/"mirror".
  build::git::Mirror make_mirror(const std::string& url = {});
  void run(io::Task<> task) { loop.run_until_done(std::move(task)); }

  template <typename T>
  T get(io::Task<T> task) {
    std::optional<T> value;
    run(keep(std::move(task), value));
    return std::move(*value);
  }

  void fetch(build::git::Mirror& mirror) { run(mirror.fetch(std::chrono::seconds(60))); }
  /// What `task` throws.
  std::string error_of(io::Task<> task);

 private:
  template <typename T>
  static io::Task<> keep(io::Task<T> task, std::optional<T>& into) {
    into.emplace(co_await std::move(task));
  }
};

}  // namespace testing
