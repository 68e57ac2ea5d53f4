#include "child.h"

#include <build/base/child_setup.h>
#include <build/base/subprocess.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cgroup.h"

namespace build::runs {

namespace {

struct StartFailure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

[[noreturn]] void fail(const std::string& step, int error) {
  throw StartFailure(step + ": " + base::error_text(error));
}

/// The ends of what carries a child's input or output.
struct Ends {
  base::UniqueFd ours, childs;
};

Ends make_pipe(bool child_reads) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail("pipe", errno);
  base::UniqueFd read(ends[0]), write(ends[1]);
  if (child_reads) return {std::move(write), std::move(read)};
  return {std::move(read), std::move(write)};
}

Ends make_terminal(TerminalSize size) {
  base::UniqueFd master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!master.valid() || ::grantpt(master.get()) != 0 || ::unlockpt(master.get()) != 0) fail("terminal", errno);
  std::array<char, 64> name{};
  if (::ptsname_r(master.get(), name.data(), name.size()) != 0) fail("terminal", errno);
  base::UniqueFd slave(::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!slave.valid()) fail(std::string("open ") + name.data(), errno);
  resize_terminal(master, size);
  return {std::move(master), std::move(slave)};
}

void set_non_blocking(const base::UniqueFd& fd) { ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK); }

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

/// Everything that the new process needs between fork and exec, made before.
struct Plan {
  const Command& command;
  const Cgroup* enter;  ///< a group that it is not in yet
  std::optional<base::UserIds> user;
  std::optional<base::OwnNetwork> network;
  std::vector<char*> argv, environment;
  int input = -1, output = -1, report = -1;
};

constexpr const char kEnterDirectory[] = "chdir", kExecute[] = "exec";

/// What a supervisor ignores; with handlers, exec does away by itself.
void default_signals() {
  for (const int signal : {SIGPIPE, SIGXFSZ}) ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// The step that failed; does not return if none did.
base::SetupFailure execute(const Plan& plan) {
  ::setsid();
  if (plan.command.terminal) ::ioctl(plan.output, TIOCSCTTY, 0);
  ::dup2(plan.input, STDIN_FILENO);
  ::dup2(plan.output, STDOUT_FILENO);
  ::dup2(plan.output, STDERR_FILENO);
  if (plan.enter != nullptr && !plan.enter->enter()) return {"entering its control group", errno};
  if (plan.network)
    if (const base::SetupFailure failure = plan.network->enter()) return failure;
  if (plan.user)
    if (const base::SetupFailure failure = base::become(*plan.user)) return failure;
  if (::chdir(plan.command.directory.c_str()) != 0) return {kEnterDirectory, errno};
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // after the change of user, which clears it
  default_signals();
  ::execve(plan.command.program.c_str(), plan.argv.data(), plan.environment.data());
  return {kExecute, errno};
}

/// As Go says it.
std::string failure_text(const Command& command, const base::SetupFailure& failure) {
  const std::string why = base::error_text(failure.error);
  // Steps are literals: they lie at the same address in the parent.
  if (failure.step == kEnterDirectory) return "chdir " + command.directory + ": " + why;
  const std::string begin = "fork/exec " + command.program + ": ";
  return failure.step == kExecute ? begin + why : begin + failure.step + ": " + why;
}

Child try_start(const Command& command, const Cgroup* cgroup) {
  Plan plan{command, nullptr, {}, {}, pointers_to(command.argv), pointers_to(command.environment)};
  if (!command.user.empty()) plan.user = base::find_user(command.user);
  if (command.no_network) plan.network.emplace();
  Ends output = command.terminal ? make_terminal(*command.terminal) : make_pipe(false);
  Ends input;
  base::UniqueFd null;
  if (command.terminal) {
    input.ours = base::UniqueFd(::fcntl(output.ours.get(), F_DUPFD_CLOEXEC, 0));
    plan.input = output.childs.get();
  } else if (command.input) {
    input = make_pipe(true);
    plan.input = input.childs.get();
  } else {
    null = base::UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    plan.input = null.get();
  }
  plan.output = output.childs.get();
  Ends report = make_pipe(false);
  plan.report = report.childs.get();
  pid_t pid = -1;
  if (cgroup != nullptr) pid = cgroup->fork_into();
  if (pid < 0) {
    plan.enter = cgroup;
    pid = ::fork();
  }
  if (pid < 0) fail("fork/exec " + command.program, errno);
  if (pid == 0) {
    const base::SetupFailure failed = execute(plan);
    // Nobody is there to be told if this fails.
    [[maybe_unused]] const ssize_t told = ::write(plan.report, &failed, sizeof failed);
    ::_exit(127);
  }
  report.childs.reset();
  base::SetupFailure failed{};
  ssize_t size = 0;
  do size = ::read(report.ours.get(), &failed, sizeof failed);
  while (size < 0 && errno == EINTR);
  if (size == sizeof failed) throw StartFailure(failure_text(command, failed));
  set_non_blocking(output.ours);
  if (input.ours.valid()) set_non_blocking(input.ours);
  return {pid, std::move(output.ours), std::move(input.ours), {}};
}

}  // namespace

Child start_child(const Command& command, const Cgroup* cgroup) {
  Child child;
  try {
    child = try_start(command, cgroup);
  } catch (const StartFailure& failure) {
    child.failure = failure.what();
  } catch (const std::invalid_argument& no_such_user) {
    child.failure = no_such_user.what();
  }
  return child;
}

void resize_terminal(const base::UniqueFd& output, TerminalSize size) {
  winsize window{};
  window.ws_row = size.rows;
  window.ws_col = size.columns;
  ::ioctl(output.get(), TIOCSWINSZ, &window);
}

}  // namespace build::runs
