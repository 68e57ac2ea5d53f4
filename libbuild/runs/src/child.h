// Starting a run's command. For the supervisor alone: a process with one thread.
#pragma once

#include <build/base/file.h>
#include <build/runs/records.h>

#include <string>

#include <sys/types.h>

namespace build::runs {

class Cgroup;

struct Child {
  pid_t pid = -1;         ///< leads a session and a group of its own
  base::UniqueFd output;  ///< what it prints: a pipe's end, or the terminal; non-blocking
  base::UniqueFd input;   ///< what it reads, if Command::input or a terminal; non-blocking
  std::string failure;    ///< why it was not started, as Go says it; then nothing else is set
};

/// Starts it, in `cgroup` if there is one. When this returns the program has been executed, or `failure` is set.
Child start_child(const Command& command, const Cgroup* cgroup);

/// Sets the size of the terminal that `output` is.
void resize_terminal(const base::UniqueFd& output, TerminalSize size);

}  // namespace build::runs
