// Which processes a command has left behind.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

#include "build/runs/processes.h"

namespace testing {

/// Live processes that have `entry` ("NAME=value") in their environment.
inline std::vector<std::string> processes_with(const std::string& entry) {
  std::vector<std::string> found;
  for (const auto& process : std::filesystem::directory_iterator("/proc")) {
    const pid_t pid = std::atoi(process.path().filename().c_str());
    if (pid <= 0) continue;
    const std::string environment = proc_file(pid, "environ");
    if (environment.find(entry) == std::string::npos) continue;
    std::string command = proc_file(pid, "cmdline");
    while (!command.empty() && command.back() == '\0') command.pop_back();
    for (char& c : command) {
      if (c == '\0') c = ' ';
    }
    if (!command.empty()) found.push_back(command);
  }
  return found;
}

}  // namespace testing
