// spawn_by_hand COUNT DIRECTORY PROGRAM [--plain]: what a worker's run of a command takes when it is done by hand, with
// the same containment, and nothing else: for bench/worker.py.
//
// Each time a process is forked that is the subreaper of all that comes of the command. It makes a directory with a
// spool in DIRECTORY, a control group of version 2 where that can be made, and starts PROGRAM right in that (a process
// that moves there later waits for every processor of the machine) and in a session of its own; it copies what PROGRAM
// prints into the spool, waits for it, kills what is left (by the control group, and child by child), removes control
// group, spool and directory, and ends. Times are from before the fork until it is reaped.
// --plain: PROGRAM is forked, executed and reaped, and that is all.
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

/// This process's own group of version 2; empty: there is none.
std::string own_cgroup() {
  std::string line, point, group;
  std::ifstream mounts("/proc/self/mountinfo");
  while (std::getline(mounts, line)) {
    if (line.find(" - cgroup2 ") == line.npos) continue;
    std::istringstream fields(line);
    std::string word;
    for (int i = 0; i < 5; ++i) fields >> word;
    point = word;
  }
  std::ifstream groups("/proc/self/cgroup");
  while (std::getline(groups, line))
    if (line.starts_with("0::/")) group = line.substr(3);
  return point.empty() || group.empty() ? "" : point + (group == "/" ? "" : group);
}

bool write_to(const std::string& file, const char* text) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CLOEXEC);
  const bool written = fd >= 0 && ::write(fd, text, std::strlen(text)) > 0;
  ::close(fd);
  return written;
}

[[noreturn]] void execute(const char* program) {
  ::execl(program, program, nullptr);
  ::_exit(127);
}

/// As fork(), into a control group; without one if `cgroup` is empty.
pid_t fork_into(const std::string& cgroup) {
  if (cgroup.empty()) return ::fork();
  const int group = ::open(cgroup.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  clone_args how{};
  how.flags = CLONE_INTO_CGROUP;
  how.exit_signal = SIGCHLD;
  how.cgroup = static_cast<std::uint64_t>(group);
  const auto pid = static_cast<pid_t>(::syscall(SYS_clone3, &how, sizeof how));
  ::close(group);
  return pid;
}

[[noreturn]] void become_command(const char* program, int output) {
  ::setsid();
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::dup2(null, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  execute(program);
}

void copy(int from, int to) {
  std::array<char, 65536> piece;
  for (ssize_t size; (size = ::read(from, piece.data(), piece.size())) > 0;)
    if (::write(to, piece.data(), static_cast<std::size_t>(size)) != size) fail("writing the spool");
}

void kill_what_is_left(const std::string& cgroup) {
  if (!cgroup.empty()) write_to(cgroup + "/cgroup.kill", "1");
  std::ifstream children("/proc/self/task/" + std::to_string(::getpid()) + "/children");
  for (pid_t child; children >> child;) ::kill(child, SIGKILL);
  while (::waitpid(-1, nullptr, 0) > 0) {
  }
}

void supervise(const char* program, const std::string& directory, std::string cgroup) {
  ::setsid();
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  const std::string spool = directory + "/spool";
  if (::mkdir(directory.c_str(), 0700) != 0) fail("making the directory");
  const int file = ::open(spool.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) fail("making the spool");
  if (!cgroup.empty() && ::mkdir(cgroup.c_str(), 0755) != 0) cgroup.clear();
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail("pipe");
  const pid_t pid = fork_into(cgroup);
  if (pid < 0) fail("fork");
  if (pid == 0) become_command(program, ends[1]);
  ::close(ends[1]);
  copy(ends[0], file);
  int status = 0;
  ::waitpid(pid, &status, 0);
  kill_what_is_left(cgroup);
  if (!cgroup.empty()) ::rmdir(cgroup.c_str());
  ::unlink(spool.c_str());
  ::rmdir(directory.c_str());
  ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

double once(const char* program, const std::string& directory, const std::string& cgroup, bool plain) {
  const auto begin = std::chrono::steady_clock::now();
  const pid_t pid = ::fork();
  if (pid < 0) fail("fork");
  if (pid == 0 && plain) execute(program);
  if (pid == 0) supervise(program, directory, cgroup);
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (status != 0) throw std::runtime_error("the command failed");
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

int main(int count, char** arguments) try {
  if (count < 4) {
    std::fputs("usage: spawn_by_hand COUNT DIRECTORY PROGRAM [--plain]\n", stderr);
    return 2;
  }
  const bool plain = count > 4 && std::strcmp(arguments[4], "--plain") == 0;
  const std::string group = own_cgroup(), name = "spawn-by-hand-" + std::to_string(::getpid());
  std::vector<double> times;
  for (int i = 0; i < std::atoi(arguments[1]); ++i) {
    const std::string own = name + "-" + std::to_string(i);
    times.push_back(once(arguments[3], arguments[2] + ("/" + own), group.empty() ? "" : group + "/" + own, plain));
  }
  if (times.empty()) return 0;
  std::sort(times.begin(), times.end());
  std::printf("count=%zu p50=%.1f p99=%.1f cgroup=%d\n", times.size(), times[times.size() / 2],
              times[times.size() * 99 / 100], !plain && !group.empty());
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "spawn_by_hand: %s\n", error.what());
  return 1;
}
