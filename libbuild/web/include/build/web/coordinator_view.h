// The running coordinator as the pages see it.
#pragma once

#include <build/coordinator/coordinator.h>
#include <build/web/farm_control.h>
#include <build/web/farm_view.h>

namespace build::web {

class CoordinatorView final : public FarmView {
 public:
  /// `coordinator` must outlive it.
  explicit CoordinatorView(const coordinator::Coordinator& coordinator) : coordinator_(coordinator) {}

  std::string version() const override;
  std::vector<Notice> notices() const override;
  std::vector<RepositoryView> repositories() const override;
  std::vector<WorkerView> workers() const override;
  Load load() const override;
  std::vector<model::Build> unfinished() const override;
  std::vector<std::string> not_ready() const override;
  std::optional<farm::Waiting> explain(model::BuildId build) const override;
  std::optional<farm::Away> away(model::BuildId build) const override;

 private:
  const coordinator::Coordinator& coordinator_;
};

/// The same one, as people act on it.
class CoordinatorControl final : public FarmControl {
 public:
  /// `coordinator` must outlive it.
  explicit CoordinatorControl(coordinator::Coordinator& coordinator) : coordinator_(coordinator) {}

  io::Task<coordinator::ControlAnswer> cancel_build(model::BuildId build, std::string by) override {
    return coordinator_.cancel_build(build, std::move(by));
  }
  io::Task<coordinator::ControlAnswer> retry_build(model::BuildId build, std::string by) override {
    return coordinator_.retry_build(build, std::move(by));
  }
  io::Task<coordinator::ControlAnswer> clear_results(model::BuilderName builder, model::CommitHash commit,
                                                     std::string by) override {
    return coordinator_.clear_results(std::move(builder), std::move(commit), std::move(by));
  }

 private:
  coordinator::Coordinator& coordinator_;
};

}  // namespace build::web
