// Starting supervisors: processes of this same program that outlive it.
#pragma once

#include <build/base/file.h>
#include <build/runs/records.h>
#include <io/clock.h>
#include <io/task.h>

#include <boost/asio/posix/stream_descriptor.hpp>

#include <span>
#include <string>

namespace build::runs {

/// Has a fork server, a process of this same program (supervisor.h), fork them: executing a program anew, with all
/// that its dynamic linking costs, is paid for once. It is started for the first run, again when it died, and ends with
/// us.
///
/// Lives on one executor; the clock outlives it. Outlives every call.
class Launcher {
 public:
  Launcher(io::Executor executor, io::Clock& clock);

  /// Starts a supervisor for the command and waits until it is at work, a minute at most. It makes the run's directory
  /// in `runs`, the directory of all. `link` is then connected to it. Empty if all went well, else what did not: then
  /// no process is left of it, but the directory may be, also by the name that it has at first (kNewRun).
  io::Task<std::string> launch(const base::UniqueFd& runs, const Command& command,
                               io::asio::posix::stream_descriptor& link);

 private:
  /// Hands the descriptors over. Throws std::system_error; nothing was handed over then.
  io::Task<> ask(std::span<const int> fds, const io::Deadline& deadline);
  void start_server();

  io::Executor executor_;
  io::Clock& clock_;
  io::asio::posix::stream_descriptor server_;  ///< closed: there is none
};

}  // namespace build::runs
