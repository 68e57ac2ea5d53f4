// A test program that begins runs is also their supervisor, as the worker's program is: include this in one file of it.
#pragma once

#include <build/runs/supervisor.h>

#include <string_view>

#include <unistd.h>

namespace testing {

/// Before anything else of the program, other files' objects (confine.h's, say) included.
__attribute__((constructor(101))) inline void be_supervisor(int argc, char** argv, char**) {
  if (argc != 2 || std::string_view(argv[1]) != build::runs::kSupervisorArgument) return;
  ::_exit(build::runs::supervise());
}

}  // namespace testing
