// Which processes a command has left behind.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace testing {

/// Live processes that have `entry` ("NAME=value") in their environment.
inline std::vector<std::string> processes_with(const std::string& entry) {
  std::vector<std::string> found;
  for (const auto& process : std::filesystem::directory_iterator("/proc")) {
    const std::string pid = process.path().filename();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    const auto slurp = [&](const char* name) {
      std::ifstream in(process.path() / name, std::ios::binary);
      return std::string(std::istreambuf_iterator<char>(in), {});
    };
    const std::string environment = slurp("environ");
    if (environment.find(entry) == std::string::npos) continue;
    std::string command = slurp("cmdline");
    while (!command.empty() && command.back() == '\0') command.pop_back();
    for (char& c : command) {
      if (c == '\0') c = ' ';
    }
    if (!command.empty()) found.push_back(command);
  }
  return found;
}

}  // namespace testing
