// Finding new commits: keeps a mirror of one repository up to date and tells the farm what is new on its branches.
//
// A repository on this machine is watched through the kernel (its refs); others are asked every poll interval.
#pragma once

#include <build/base/log.h>
#include <build/config/farm_config.h>
#include <build/coordinator/farm_loop.h>
#include <build/git/mirror.h>
#include <build/store/store.h>
#include <io/blocking_pool.h>
#include <io/clock.h>
#include <io/event.h>
#include <io/stoppable.h>
#include <io/watch.h>

#include <memory>
#include <optional>
#include <string>

namespace build::coordinator {

class RepositoryWatch {
 public:
  RepositoryWatch(io::Executor executor, io::Clock& clock, io::BlockingPool& pool, base::Logger& log,
                  config::RepositoryConfig config, git::Location location, std::filesystem::path mirror_directory,
                  const store::Store& store, FarmLoop& farm);

  /// Looks, tells, waits, again, until stop().
  io::Task<> run();
  void stop();

  const config::RepositoryConfig& config() const { return config_; }
  git::Mirror& mirror() { return mirror_; }
  /// Whether the repository was read at least once since the start.
  bool seen() const { return seen_; }
  /// Why it could not be read the last time.
  const std::optional<std::string>& trouble() const { return trouble_; }

 private:
  io::Task<> look();
  io::Task<> look_at(model::BranchName branch, model::CommitHash head);
  io::Task<> watch_refs();
  struct Choice {
    git::Heads branches;
    std::string missing;  ///< a branch that is configured but not there
  };
  Choice chosen(const git::Heads& present) const;

  io::Executor executor_;
  io::Clock& clock_;
  io::BlockingPool& pool_;
  base::Logger& log_;
  config::RepositoryConfig config_;
  git::Mirror mirror_;
  const store::Store& store_;
  FarmLoop& farm_;
  std::unique_ptr<io::DirectoryWatch> watch_;
  io::Stoppable looking_;
  io::Event wake_;
  io::Gate gate_;
  bool dirty_ = true, stopping_ = false, seen_ = false;
  std::optional<std::string> trouble_;
};

}  // namespace build::coordinator
