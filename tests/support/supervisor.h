// A test program that begins runs is also their supervisor, as the worker's program is: include this in one file of it.
#pragma once

#include <build/runs/supervisor.h>

#include <array>
#include <string_view>

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

namespace testing {

/// The id of a run whose supervisor hangs at once.
inline constexpr const char* kSilent = "silent-supervisor";

/// In a supervisor that was forked just now: one of its few descriptors is its run's directory.
inline void hang_if_silent() {
  for (int directory = 3; directory < 16; ++directory) {
    std::array<char, 1024> command{};
    const int fd = ::openat(directory, "command", O_RDONLY | O_CLOEXEC);
    const ssize_t size = ::read(fd, command.data(), command.size());
    ::close(fd);
    if (size > 0 &&
        std::string_view(command.data(), static_cast<std::size_t>(size)).find(kSilent) != std::string_view::npos)
      ::pause();
  }
}

/// Before anything else of the program, other files' objects (confine.h's, say) included.
__attribute__((constructor(101))) inline void be_supervisor(int argc, char** argv, char**) {
  if (argc != 2 || std::string_view(argv[1]) != build::runs::kSupervisorArgument) return;
  ::pthread_atfork(nullptr, nullptr, hang_if_silent);
  ::_exit(build::runs::supervise());
}

}  // namespace testing
