// A store that does what another one does. Tests derive from it to change one thing.
#pragma once

#include <build/store/store.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace testing {

class ForwardingStore : public build::store::Store {
 public:
  explicit ForwardingStore(std::unique_ptr<build::store::Store> real) : real_(std::move(real)) {}

  build::model::Epoch begin_epoch() override { return real_->begin_epoch(); }
  void apply(const build::model::Changes& changes, build::model::Epoch epoch) override { real_->apply(changes, epoch); }
  build::model::OpenRows load_open() override { return real_->load_open(); }
  std::vector<build::store::FinishedBuild> finished_builds(build::model::Time before, Logs logs,
                                                           std::size_t limit) const override {
    return real_->finished_builds(before, logs, limit);
  }
  void note_logs_removed(const std::vector<build::store::FinishedBuild>& builds, build::model::Time now,
                         const std::string& why, build::model::Epoch epoch) override {
    real_->note_logs_removed(builds, now, why, epoch);
  }
  void forget(const std::vector<build::store::FinishedBuild>& builds, build::model::Epoch epoch) override {
    real_->forget(builds, epoch);
  }
  std::vector<build::store::CommitBuilds> branch_page(const build::model::RepositoryName& repository,
                                                      const build::model::BranchName& branch,
                                                      const build::store::CommitRange& range) const override {
    return real_->branch_page(repository, branch, range);
  }
  std::optional<build::store::BuildDetails> build(build::model::BuildId id) const override { return real_->build(id); }
  std::vector<build::model::Build> builds_by(const build::model::BuilderName& builder,
                                             const build::model::CommitHash& commit) const override {
    return real_->builds_by(builder, commit);
  }
  std::vector<build::model::Build> recent_builds(std::size_t limit) const override {
    return real_->recent_builds(limit);
  }
  std::vector<build::model::Session> ended_sessions(build::model::Time since, std::size_t limit) const override {
    return real_->ended_sessions(since, limit);
  }
  std::vector<std::pair<build::model::RepositoryName, build::model::BranchName>> branches() const override {
    return real_->branches();
  }
  std::optional<build::model::BranchCommit> head(const build::model::RepositoryName& repository,
                                                 const build::model::BranchName& branch) const override {
    return real_->head(repository, branch);
  }

 private:
  std::unique_ptr<build::store::Store> real_;
};

}  // namespace testing
