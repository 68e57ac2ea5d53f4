// The process that looks after one run: it owns the run's session, control group, limits, terminal and spool, and goes
// on when the connection, the worker or the coordinator go. The same program as the worker's, with another first
// argument.
//
// It stays until nothing of the run is left: processes that outlive the command are its children (it is a subreaper),
// and are killed with it. Uses no event loop: it must start at once and be small.
#pragma once

namespace build::runs {

/// The first argument that makes a worker's program a supervisor: main() hands over to supervise() before anything
/// else.
inline constexpr const char* kSupervisorArgument = "run-supervisor";
/// Descriptors that a supervisor is started with: the run's directory, and a pipe to say on that it is at work.
inline constexpr int kDirectoryFd = 3, kReadyFd = 4;

/// Reads the file `command` in the run's directory, runs it, writes `result` there when it is over. Returns the
/// process's exit code.
int supervise() noexcept;

}  // namespace build::runs
