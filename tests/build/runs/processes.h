// Commands that hide, and who is left of them.
#pragma once

#include <build/runs/records.h>
#include <build/runs/supervisor.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

namespace testing {

inline build::runs::Command shell_command(const std::string& id, const std::string& script,
                                          const std::filesystem::path& directory) {
  build::runs::Command command;
  command.id = id;
  command.program = "/bin/sh";
  command.argv = {"sh", "-c", script};
  command.environment = {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C"};
  command.directory = directory.string();
  return command;
}

/// What the names of this test's processes end in: others may be at the same test.
inline const std::string kOurs = "-" + std::to_string(::getpid());

/// Waits, and has a grandchild that waits, too: in a session of its own, without an environment or open descriptors,
/// and nobody's child any more. processes_named(id) finds both.
inline build::runs::Command daemon_command(const std::string& id, const std::filesystem::path& directory) {
  const std::string script =
      "import os\n"
      "if os.fork() == 0:\n"
      "  os.setsid()\n"
      "  if os.fork() == 0:\n"
      "    os.closerange(0, 1000)\n"
      "    os.execve('/bin/sleep', ['hidden-" +
      id + kOurs +
      "', '1000'], {})\n"
      "  os._exit(0)\n"
      "os.execve('/bin/sleep', ['shown-" +
      id + kOurs + "', '1000'], {})\n";
  build::runs::Command command = shell_command(id, "", directory);
  command.program = "/usr/bin/python3";
  command.argv = {"python3", "-c", script};
  return command;
}

/// Empty if the process is gone, whenever that happens.
inline std::string proc_file(pid_t pid, const char* name) {
  const std::string path = "/proc/" + std::to_string(pid) + "/" + name;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  std::string text(4096, '\0');
  const ssize_t size = fd < 0 ? 0 : ::read(fd, text.data(), text.size());
  if (fd >= 0) ::close(fd);
  text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  return text;
}

/// The processes that daemon_command(id) became, zombies left out.
inline std::vector<pid_t> processes_named(const std::string& id) {
  std::vector<pid_t> found;
  for (const auto& process : std::filesystem::directory_iterator("/proc")) {
    const pid_t pid = std::atoi(process.path().filename().c_str());
    const std::string command = pid > 0 ? proc_file(pid, "cmdline") : "";
    const std::string name = command.substr(0, command.find('\0'));
    if (name == "hidden-" + id + kOurs || name == "shown-" + id + kOurs) found.push_back(pid);
  }
  return found;
}

/// The supervisor of daemon_command(id): the parent of its processes.
inline pid_t supervisor_of(const std::string& id) {
  for (const pid_t pid : processes_named(id)) {
    const std::string stat = proc_file(pid, "stat");
    const pid_t parent = std::atoi(stat.c_str() + stat.rfind(')') + 3);
    if (parent > 1 && parent != ::getpid()) return parent;
  }
  return 0;
}

/// The process that forks the supervisors of `worker`, or one that it has forked; 0: there is none.
inline pid_t forked_by(pid_t worker, char state = '\0') {
  for (const auto& process : std::filesystem::directory_iterator("/proc")) {
    const pid_t pid = std::atoi(process.path().filename().c_str());
    if (pid <= 0 || proc_file(pid, "cmdline").find(build::runs::kSupervisorArgument) == std::string::npos) continue;
    const std::string stat = proc_file(pid, "stat");
    const std::size_t behind_name = stat.rfind(')');
    const bool right_state = state == '\0' || stat[behind_name + 2] == state;
    if (right_state && std::atoi(stat.c_str() + behind_name + 3) == worker) return pid;
  }
  return 0;
}

/// The process that forks this one's supervisors; 0: there is none.
inline pid_t fork_server() { return forked_by(::getpid()); }

}  // namespace testing
