// A command that runs for a handler.
#pragma once

#include <build/base/subprocess.h>
#include <build/buildlet/server.h>

#include <csignal>
#include <memory>

namespace build::buildlet {

struct Server::Running {
  std::unique_ptr<base::Subprocess> process;
  bool stopped = false;  ///< ended because the worker stops, not because of anything the command did

  /// Kills the command and everything in its group. What has moved to a session of its own may live on, but no
  /// longer keeps the handler waiting for its output.
  void end() noexcept {
    process->kill_group(SIGKILL);
    process->stop_reading();
  }
};

}  // namespace build::buildlet
