// What a supervisor does, from its first moment to its last.
#pragma once

#include <build/base/file.h>

namespace build::runs {

/// Runs the command in the file `command`, JSON. Makes a directory of the run's own in `runs`, and writes `result`
/// there when it is over. Says on `link` that it is at work (link_protocol.h), and listens there from then on. Uses the
/// process up: its current directory, its stderr, its signals. Returns its exit code.
///
/// Whoever sent this and went away before the run had begun can be sure that it does not begin unseen: who looks at
/// `runs` from then on finds the directory, begun or not, and keeps the run from beginning by giving it another name.
int supervise_run(base::UniqueFd runs, base::UniqueFd command, base::UniqueFd link) noexcept;

}  // namespace build::runs
