// The processes that look after runs, one for each: it owns the run's session, control group, limits, terminal and
// spool, and goes on when the connection, the worker or the coordinator go. The same program as the worker's, with
// another first argument.
//
// A supervisor stays until nothing of the run is left: processes that outlive the command are its children (it is a
// subreaper), and are killed with it. It uses no event loop and is forked, not executed: it must start at once and be
// small. The process that forks them, the fork server, is begun by a worker's first run and ends with the worker.
#pragma once

namespace build::runs {

/// The first argument that makes a worker's program a fork server for supervisors: main() hands over to supervise()
/// before anything else.
inline constexpr const char* kSupervisorArgument = "run-supervisor";
/// The descriptor that it is started with: the socket that runs come over.
inline constexpr int kForkServerFd = 3;

/// Returns the process's exit code.
int supervise() noexcept;

}  // namespace build::runs
