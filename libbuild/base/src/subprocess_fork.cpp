// The child reports a failed step through a pipe that exec closes: nothing in it means that the program runs. Between
// fork and exec there are system calls only, since other threads of this process may have held any lock.
#include "subprocess_fork.h"

#include <build/base/file.h>

#include <cerrno>
#include <csignal>
#include <system_error>

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace build::base {

namespace {

struct Report {
  SetupFailure failure;
};

bool place(int fd, int as, int flags) noexcept {
  if (fd >= 0) return ::dup2(fd, as) >= 0;
  const int null = ::open("/dev/null", flags);
  if (null < 0) return false;
  if (null == as) return true;
  const bool placed = ::dup2(null, as) >= 0;
  ::close(null);
  return placed;
}

void default_signals() noexcept {
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &standard, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Returns only if something failed.
SetupFailure set_up_and_execute(const ForkPlan& plan, int report) noexcept {
  default_signals();
  ::setsid();
  const bool placed = place(plan.input, STDIN_FILENO, O_RDONLY) && place(plan.output, STDOUT_FILENO, O_WRONLY) &&
                      place(plan.error, STDERR_FILENO, O_WRONLY);
  if (!placed) return {"setting up its pipes", errno};
  // All but the report's pipe, which closes by itself.
  const auto last = static_cast<unsigned>(report);
  if (last > STDERR_FILENO + 1) ::syscall(SYS_close_range, STDERR_FILENO + 1U, last - 1U, 0U);
  ::syscall(SYS_close_range, last + 1U, ~0U, 0U);
  if (plan.own_network != nullptr) {
    if (const SetupFailure failure = plan.own_network->enter()) return failure;
  }
  if (plan.user != nullptr) {
    if (const SetupFailure failure = become(*plan.user)) return failure;
  }
  if (plan.directory != nullptr && ::chdir(plan.directory) != 0) return {"chdir", errno};
  ::execve(plan.program, plan.arguments, plan.environment);
  return {"exec", errno};
}

}  // namespace

Forked fork_and_execute(const ForkPlan& plan) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot make a pipe for a child process");
  }
  UniqueFd read(ends[0]), write(ends[1]);
  if (write.get() <= STDERR_FILENO) write.reset(::fcntl(write.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  // No signal handler of ours may run in the child.
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  Forked forked;
  forked.pid = ::fork();
  if (forked.pid == 0) {
    const Report report{set_up_and_execute(plan, write.get())};
    // The step is a literal: it lies at the same address in the parent.
    const ssize_t written = ::write(write.get(), &report, sizeof report);
    ::_exit(written == sizeof report ? 127 : 126);
  }
  forked.failure = {forked.pid < 0 ? "fork" : nullptr, forked.pid < 0 ? errno : 0};
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (forked.failure) return forked;
  write.reset();
  Report report;
  ssize_t size = 0;
  while ((size = ::read(read.get(), &report, sizeof report)) < 0 && errno == EINTR) {
  }
  if (size == sizeof report) {
    forked.failure = report.failure;
    while (::waitpid(forked.pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  return forked;
}

}  // namespace build::base
