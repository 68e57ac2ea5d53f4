// A command of POST /exec that runs for a handler.
#pragma once

#include <build/buildlet/server.h>
#include <build/runs/runs.h>

#include <memory>
#include <utility>

namespace build::buildlet {

struct Server::Running {
  explicit Running(std::shared_ptr<runs::Run> begun) : run(std::move(begun)), output(run) {}

  std::shared_ptr<runs::Run> run;
  runs::Output output;
  bool ended = false;  ///< by us: nobody waits for it any more, or the worker stops

  /// Kills the command and everything that it started.
  void end() noexcept {
    ended = true;
    run->kill("its client went away");
    output.cancel();
  }
};

}  // namespace build::buildlet
