// How it works: one thread, one socket, nothing of the worker's: a fork of it is cheap and safe. It must not keep what
// a supervisor holds, or the end of one would not be seen by who waits for it.
#include <build/base/file.h>
#include <build/base/subprocess.h>
#include <build/runs/supervisor.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <exception>
#include <string>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "link_protocol.h"
#include "passed_fds.h"
#include "run_files.h"
#include "supervise_run.h"

namespace build::runs {

namespace {

void on_child(int) {}

/// Waits for a request, and reaps meanwhile. False when the worker has gone.
bool wait_for_request(const sigset_t& while_waiting) {
  while (true) {
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    pollfd socket{kForkServerFd, POLLIN, 0};
    if (::ppoll(&socket, 1, nullptr, &while_waiting) > 0) return true;
    if (errno != EINTR) return false;
  }
}

[[noreturn]] void be_supervisor(std::vector<base::UniqueFd> fds, const sigset_t& mask) {
  ::close(kForkServerFd);
  ::setsid();
  ::signal(SIGCHLD, SIG_DFL);
  ::sigprocmask(SIG_SETMASK, &mask, nullptr);
  const base::UniqueFd complaints(
      ::openat(fds[0].get(), kComplaintFile, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (complaints.valid()) ::dup2(complaints.get(), STDERR_FILENO);
  ::_exit(supervise_run(std::move(fds[0]), std::move(fds[1])));
}

void serve(const sigset_t& mask) {
  std::array<char, 16> byte;
  while (wait_for_request(mask)) {
    std::vector<base::UniqueFd> fds;
    const ssize_t size = receive_with_fds(kForkServerFd, byte, fds, 0);
    if (size == 0) return;
    if (size < 0 || fds.size() != 2) continue;
    const pid_t pid = ::fork();
    if (pid == 0) be_supervisor(std::move(fds), mask);
    if (pid < 0) {
      const std::string failed = link::kFailed + ("cannot fork: " + base::error_text(errno));
      ::send(fds[1].get(), failed.data(), failed.size(), MSG_NOSIGNAL);
      continue;
    }
    // It is reaped above, not before: the number is still its own.
    const base::UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    const std::array<int, 1> passed{process.get()};
    send_with_fds(fds[1].get(), {&link::kForked, 1}, passed, 0);
  }
}

}  // namespace

int supervise() noexcept {
  try {
    ::fcntl(kForkServerFd, F_SETFD, FD_CLOEXEC);
    sigset_t mask, child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    ::sigprocmask(SIG_BLOCK, &child, &mask);
    ::signal(SIGCHLD, on_child);
    Cgroup::find_base();
    serve(mask);
    return 0;
  } catch (const std::exception&) {
    return 1;  // the worker sees that it has gone
  }
}

}  // namespace build::runs
