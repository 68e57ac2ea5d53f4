// What a supervisor does, from its first moment to its last.
#pragma once

#include <build/base/file.h>

namespace build::runs {

/// Reads the file `command` in the run's directory, runs it, writes `result` there when it is over. Says on `link` that
/// it is at work (link_protocol.h), and listens there from then on. Uses the process up: its current directory, its
/// signals. Returns its exit code.
int supervise_run(base::UniqueFd directory, base::UniqueFd link) noexcept;

}  // namespace build::runs
