// What the pages ask the running farm for, beyond what the store knows. The program that joins coordinator and
// pages implements it.
//
// All calls are made on the site's executor, must not block, and give values of that moment.
#pragma once

#include <build/farm/farm.h>
#include <build/model/records.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace build::web {

/// A repository as it is configured: what the front page shows, in this order.
struct RepositoryView {
  model::RepositoryName name;
  /// The configured branches, in their order. May be empty (the default branch is watched): then the branches that
  /// the store knows are shown.
  std::vector<model::BranchName> branches;
  std::vector<model::BuilderName> builders;  ///< the table's columns, in their order
};

/// A connected worker and what it does.
struct WorkerView {
  model::Session session;
  std::optional<model::BuildId> build;  ///< what it is leased to
  bool draining = false;                ///< it is about to end and gets no further build
};

/// A sentence about the whole farm, on every page.
struct Notice {
  /// danger is shown in red: somebody must know, for instance that the public development key is accepted.
  enum class Weight { information, danger };
  Weight weight = Weight::information;
  std::string sentence;
};

/// How much there is to do.
struct Load {
  std::size_t waiting = 0;
  std::size_t running = 0;
  /// No build waits or runs, and every repository was looked at once since the start: what was there to be built
  /// is built.
  bool idle = false;
};

class FarmView {
 public:
  virtual ~FarmView() = default;

  virtual std::string version() const = 0;  ///< of the coordinator program
  virtual std::vector<Notice> notices() const = 0;
  virtual std::vector<RepositoryView> repositories() const = 0;
  virtual std::vector<WorkerView> workers() const = 0;  ///< connected ones only
  virtual Load load() const = 0;
  /// Running ones in the order in which they were started, then waiting ones in the order in which they will be.
  virtual std::vector<model::Build> unfinished() const = 0;
  /// A sentence for each reason why no work can be done at the moment; none if it can.
  virtual std::vector<std::string> not_ready() const = 0;
  /// nullopt unless the build waits.
  virtual std::optional<farm::Waiting> explain(model::BuildId build) const = 0;
  /// nullopt unless the build runs on a worker that is not connected.
  virtual std::optional<farm::Away> away(model::BuildId build) const = 0;
};

}  // namespace build::web
