// Starting a supervisor: a process of this same program that outlives it.
#pragma once

#include <build/base/file.h>
#include <io/task.h>

#include <string>

namespace build::runs {

/// Starts one for the run's directory and waits until it is at work. Empty if it is, else what went wrong. The process
/// is reaped when it ends while this program lives.
io::Task<std::string> launch_supervisor(io::Executor executor, const base::UniqueFd& directory);

}  // namespace build::runs
