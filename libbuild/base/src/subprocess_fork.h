// Starting a child that has to do something to itself before it executes its program, which posix_spawn has no word
// for.
#pragma once

#include <build/base/child_setup.h>

#include <sys/types.h>

namespace build::base {

struct ForkPlan {
  const char* program = nullptr;
  char* const* arguments = nullptr;
  char* const* environment = nullptr;
  const char* directory = nullptr;  ///< null: where this process is
  /// What becomes its 0, 1 and 2; -1: /dev/null. Above 2, close-on-exec.
  int input = -1, output = -1, error = -1;
  const OwnNetwork* own_network = nullptr;
  const UserIds* user = nullptr;
};

struct Forked {
  pid_t pid = -1;
  SetupFailure failure;  ///< if there is one, there is no child; the steps here: "fork", "chdir", "exec"
};

/// In a session of its own, with default signal actions and an empty mask, as SpawnActions does it. Returns when the
/// program has been executed, or not.
Forked fork_and_execute(const ForkPlan& plan);

}  // namespace build::base
