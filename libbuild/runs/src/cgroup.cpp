#include "cgroup.h"

#include <csignal>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <linux/sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace build::runs {

namespace {

/// Where version 2 is mounted, as /proc/self/mountinfo shows it: "36 35 0:30 / /sys/fs/cgroup rw - cgroup2 ...".
std::string mount_point() {
  std::ifstream mounts("/proc/self/mountinfo");
  std::string line;
  while (std::getline(mounts, line)) {
    const std::size_t type = line.find(" - cgroup2 ");
    if (type == std::string::npos) continue;
    std::istringstream fields(line);
    std::string id, parent, device, root, point;
    fields >> id >> parent >> device >> root >> point;
    if (root == "/") return point;
  }
  return {};
}

/// The line of version 2 in /proc/self/cgroup: "0::/system.slice/buildlet.service".
std::string own_group() {
  std::ifstream groups("/proc/self/cgroup");
  std::string line;
  while (std::getline(groups, line))
    if (line.starts_with("0::/")) return line.substr(3);
  return {};
}

/// This process's own group, below which others are made; empty if there is no version 2.
std::string find_own_path() {
  const std::string point = mount_point(), group = own_group();
  if (point.empty() || group.empty()) return {};
  return point + (group == "/" ? "" : group);
}

const std::string& base_path() {
  static const std::string path = find_own_path();
  return path;
}

std::string path_of(const std::string& name) { return base_path().empty() ? "" : base_path() + "/" + name; }

constexpr const char* kProcesses = "cgroup.procs";

void kill_all(const std::string& path) {
  const base::UniqueFd fd(::open((path + "/cgroup.kill").c_str(), O_WRONLY | O_CLOEXEC));
  if (fd.valid() && ::write(fd.get(), "1", 1) != 1) return;  // the descendants are killed one by one besides
}

}  // namespace

void Cgroup::find_base() { base_path(); }

std::optional<Cgroup> Cgroup::make(const std::string& name) {
  std::string path = path_of(name);
  if (path.empty()) return std::nullopt;
  if (::mkdir(path.c_str(), 0755) != 0) return std::nullopt;
  base::UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid() || ::faccessat(directory.get(), kProcesses, W_OK, 0) != 0) {
    ::rmdir(path.c_str());
    return std::nullopt;
  }
  return Cgroup(std::move(path), std::move(directory));
}

Cgroup::~Cgroup() {
  if (directory_.valid()) ::rmdir(path_.c_str());
}

pid_t Cgroup::fork_into() const noexcept {
  clone_args how{};
  how.flags = CLONE_INTO_CGROUP;
  how.exit_signal = SIGCHLD;
  how.cgroup = static_cast<std::uint64_t>(directory_.get());
  return static_cast<pid_t>(::syscall(SYS_clone3, &how, sizeof how));
}

bool Cgroup::enter() const noexcept {
  const int processes = ::openat(directory_.get(), kProcesses, O_WRONLY | O_CLOEXEC);
  return processes >= 0 && ::write(processes, "0", 1) == 1;
}

void Cgroup::kill() const noexcept { kill_all(path_); }

void Cgroup::end(const std::string& name) {
  const std::string path = path_of(name);
  if (path.empty()) return;
  kill_all(path);
  ::rmdir(path.c_str());
}

std::optional<std::uint64_t> Cgroup::peak_memory() const {
  std::ifstream file(path_ + "/memory.peak");
  std::uint64_t bytes = 0;
  return file >> bytes ? std::optional(bytes) : std::nullopt;
}

}  // namespace build::runs
