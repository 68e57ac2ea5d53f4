// What the pages that show logs have in common.
#pragma once

#include <build/model/records.h>
#include <build/web/html.h>

#include <cstdint>
#include <string>

#include "pages.h"

namespace build::web {

/// A step with a part of its log.
struct StepLog {
  model::Step step;
  LogTail tail;
  std::uint64_t line = 1;  ///< the number of the first line in `tail`
};

/// Lines are called "s1-0-L123": attempt, step, line.
LineNames line_names(const StepLog& log);

/// The page that shows a step's log from a line on: "/build/7/log/1-0?from=123".
std::string log_path(const model::Step& step, std::uint64_t line);
/// A run's log as plain text.
std::string run_log_path(const model::RunId& run);

/// The way from all builds to this one.
void write_crumbs(Html& html, const model::Build& build);

}  // namespace build::web
