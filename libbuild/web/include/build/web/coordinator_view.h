// The running coordinator as the pages see it.
#pragma once

#include <build/coordinator/coordinator.h>
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
  std::optional<farm::Waiting> explain(model::BuildId build) const override;

 private:
  const coordinator::Coordinator& coordinator_;
};

}  // namespace build::web
