// What people may do to the running farm from the pages. The program that joins coordinator and pages implements it.
//
// All calls are made on the site's executor. `by` is who wants it, for the record.
#pragma once

#include <build/coordinator/coordinator.h>
#include <build/model/ids.h>
#include <io/task.h>

#include <string>

namespace build::web {

class FarmControl {
 public:
  virtual ~FarmControl() = default;

  /// Ends a build that waits or runs. The answer comes when that is durable.
  virtual io::Task<coordinator::ControlAnswer> cancel_build(model::BuildId build, std::string by) = 0;
  /// Clears a finished build's result, so that it is built again.
  virtual io::Task<coordinator::ControlAnswer> retry_build(model::BuildId build, std::string by) = 0;
  /// The same for what a builder built of a commit.
  virtual io::Task<coordinator::ControlAnswer> clear_results(model::BuilderName builder, model::CommitHash commit,
                                                             std::string by) = 0;
};

}  // namespace build::web
