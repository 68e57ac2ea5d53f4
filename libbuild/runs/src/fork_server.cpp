// How it works: one thread, one socket, nothing of the worker's: a fork of it is cheap and safe. A process that is to
// be a supervisor is forked before there is a run for it: it waits on the socket for one, and when it has one this
// process forks the next. So this process never holds what a supervisor holds: the end of one is seen by who waits for
// it.
#include <build/base/file.h>
#include <build/base/subprocess.h>
#include <build/runs/supervisor.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <exception>
#include <string>
#include <system_error>
#include <utility>
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
#include "supervise_run.h"

namespace build::runs {

namespace {

void on_child(int) {}

struct Pipe {
  base::UniqueFd reads, writes;
};

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "cannot make a pipe");
  return {base::UniqueFd(ends[0]), base::UniqueFd(ends[1])};
}

/// Waits until something is to be read from `fd`, or nothing more can be, and reaps meanwhile. False when the worker
/// has gone.
bool wait_for(int fd, const sigset_t& while_waiting) {
  while (true) {
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    std::array<pollfd, 2> polled{{{kForkServerFd, 0, 0}, {fd, POLLIN, 0}}};
    if (::ppoll(polled.data(), polled.size(), nullptr, &while_waiting) > 0) return polled[0].revents == 0;
    if (errno != EINTR) return false;
  }
}

/// Takes one run from the worker. False when there will be none.
bool take_run(std::vector<base::UniqueFd>& fds) {
  std::array<char, 16> byte;
  while (true) {
    fds.clear();
    const ssize_t size = receive_with_fds(kForkServerFd, byte, fds, 0);
    if (size > 0 && fds.size() == 3) return true;
    if (size == 0 || (size < 0 && errno != EINTR)) return false;
  }
}

/// `taken` is how the process that forks hears that it is to fork another.
[[noreturn]] void be_supervisor(base::UniqueFd taken, const sigset_t& mask) {
  ::setsid();
  ::signal(SIGCHLD, SIG_DFL);
  ::sigprocmask(SIG_SETMASK, &mask, nullptr);
  std::vector<base::UniqueFd> fds;
  if (!take_run(fds)) ::_exit(0);
  taken.reset();
  ::close(kForkServerFd);
  const base::UniqueFd itself(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  const std::array<int, 1> passed{itself.get()};
  send_with_fds(fds[2].get(), {&link::kForked, 1}, passed, 0);
  ::_exit(supervise_run(std::move(fds[0]), std::move(fds[1]), std::move(fds[2])));
}

/// There is no process for the next run.
bool refuse_run(const std::string& why, const sigset_t& while_waiting) {
  std::vector<base::UniqueFd> fds;
  if (!wait_for(kForkServerFd, while_waiting) || !take_run(fds)) return false;
  const std::string failed = link::kFailed + why;
  ::send(fds[2].get(), failed.data(), failed.size(), MSG_NOSIGNAL);
  return true;
}

void serve(const sigset_t& mask) {
  for (bool worker_lives = true; worker_lives;) {
    Pipe taken = make_pipe();
    const pid_t pid = ::fork();
    if (pid == 0) {
      taken.reads.reset();
      be_supervisor(std::move(taken.writes), mask);
    }
    const int error = errno;
    taken.writes.reset();
    worker_lives =
        pid > 0 ? wait_for(taken.reads.get(), mask) : refuse_run("cannot fork: " + base::error_text(error), mask);
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
