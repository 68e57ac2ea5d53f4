// Starting a supervisor: a process of this same program that outlives it.
#pragma once

#include <build/base/file.h>
#include <io/clock.h>
#include <io/task.h>

#include <string>

namespace build::runs {

/// Starts one for the run's directory and waits until it is at work, a minute at most. Empty if it is, else what went
/// wrong. The process is reaped when it ends while this program lives.
io::Task<std::string> launch_supervisor(io::Executor executor, io::Clock& clock, const base::UniqueFd& directory);

}  // namespace build::runs
