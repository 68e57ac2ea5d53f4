#include "descendants.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include <dirent.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace build::runs {

namespace {

struct Entry {
  pid_t parent = 0;
  char state = 0;
};

/// From /proc/<pid>/stat: "1234 (any) thing)) S 1 ...". The name may hold anything; what follows its last ')' may not.
std::optional<Entry> entry_of(int proc, const char* pid) {
  const std::string path = std::string(pid) + "/stat";
  const int fd = ::openat(proc, path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  char text[512];
  const ssize_t size = ::read(fd, text, sizeof text - 1);
  ::close(fd);
  if (size <= 0) return std::nullopt;
  text[size] = '\0';
  const char* end = std::strrchr(text, ')');
  if (end == nullptr || end[1] != ' ' || end[2] == '\0') return std::nullopt;
  return Entry{static_cast<pid_t>(std::strtol(end + 3, nullptr, 10)), end[2]};
}

/// Parent to children.
std::multimap<pid_t, pid_t> process_tree() {
  std::multimap<pid_t, pid_t> children;
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), ::closedir);
  if (!proc) return children;
  while (const dirent* found = ::readdir(proc.get())) {
    pid_t pid = 0;
    const char* end = found->d_name + std::strlen(found->d_name);
    if (std::from_chars(found->d_name, end, pid).ptr != end) continue;
    const auto entry = entry_of(::dirfd(proc.get()), found->d_name);
    if (entry && entry->state != 'Z' && entry->state != 'X') children.emplace(entry->parent, pid);
  }
  return children;
}

}  // namespace

std::vector<pid_t> descendants() {
  const std::multimap<pid_t, pid_t> tree = process_tree();
  std::vector<pid_t> found{::getpid()};
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto [begin, end] = tree.equal_range(found[i]);
    for (auto child = begin; child != end; ++child) found.push_back(child->second);
  }
  found.erase(found.begin());
  return found;
}

void kill_descendants() {
  // A stopped process makes no other. Each round stops what was made during the one before.
  constexpr int kRounds = 100;
  std::set<pid_t> stopped;
  for (int round = 0; round < kRounds; ++round) {
    bool more = false;
    for (const pid_t pid : descendants()) {
      if (!stopped.insert(pid).second) continue;
      more = true;
      ::kill(pid, SIGSTOP);
    }
    if (!more) break;
  }
  for (const pid_t pid : descendants()) ::kill(pid, SIGKILL);
}

bool reap_children(pid_t main, int& status) {
  bool main_ended = false;
  while (true) {
    int ended = 0;
    const pid_t pid = ::waitpid(-1, &ended, WNOHANG);
    if (pid <= 0) return main_ended;
    if (pid != main) continue;
    main_ended = true;
    status = ended;
  }
}

bool has_children() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

}  // namespace build::runs
