#include "child.h"

#include <build/base/subprocess.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <pwd.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cgroup.h"

namespace build::runs {

namespace {

/// A user of this system, from its own files.
struct Identity {
  uid_t user = 0;
  gid_t group = 0;
  std::vector<gid_t> groups;
};

struct StartFailure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

[[noreturn]] void fail(const std::string& step, int error) {
  throw StartFailure(step + ": " + base::error_text(error));
}

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

Identity identity_of(const std::string& name) {
  const File users(std::fopen("/etc/passwd", "re"), std::fclose);
  const passwd* user = nullptr;
  while (users && (user = ::fgetpwent(users.get())) != nullptr)
    if (name == user->pw_name) break;
  if (user == nullptr) throw StartFailure("user " + name + " is not in /etc/passwd");
  Identity identity{user->pw_uid, user->pw_gid, {user->pw_gid}};
  const File groups(std::fopen("/etc/group", "re"), std::fclose);
  while (groups) {
    const group* entry = ::fgetgrent(groups.get());
    if (entry == nullptr) break;
    for (char** member = entry->gr_mem; *member != nullptr; ++member)
      if (name == *member) identity.groups.push_back(entry->gr_gid);
  }
  return identity;
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
  const Cgroup* cgroup;
  std::optional<Identity> identity;
  std::vector<char*> argv, environment;
  int input = -1, output = -1, report = -1;
};

enum class Step : int { cgroup, user, network, directory, exec };

/// Into a network of its own. Who may not make one as he is may do so in a user namespace of his own, as himself.
bool leave_network() {
  if (::unshare(CLONE_NEWNET) != 0) {
    const uid_t user = ::geteuid();
    const gid_t group = ::getegid();
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return false;
    std::array<char, 64> line{};
    const auto put = [&](const char* file, int size) {
      const int fd = ::open(file, O_WRONLY | O_CLOEXEC);
      const bool done = fd >= 0 && ::write(fd, line.data(), static_cast<std::size_t>(size)) == size;
      ::close(fd);
      return done;
    };
    if (!put("/proc/self/uid_map", std::snprintf(line.data(), line.size(), "%u %u 1", user, user))) return false;
    if (!put("/proc/self/setgroups", std::snprintf(line.data(), line.size(), "deny"))) return false;
    if (!put("/proc/self/gid_map", std::snprintf(line.data(), line.size(), "%u %u 1", group, group))) return false;
  }
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  std::strncpy(request.ifr_name, "lo", sizeof request.ifr_name - 1);
  request.ifr_flags = IFF_UP;
  const bool up = socket >= 0 && ::ioctl(socket, SIOCSIFFLAGS, &request) == 0;
  ::close(socket);
  return up;
}

bool become(const Identity& identity) {
  return ::setgroups(identity.groups.size(), identity.groups.data()) == 0 &&
         ::setresgid(identity.group, identity.group, identity.group) == 0 &&
         ::setresuid(identity.user, identity.user, identity.user) == 0;
}

void default_signals() {
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

/// The step that failed, with errno; does not return if none did.
Step execute(const Plan& plan) {
  ::setsid();
  if (plan.command.terminal) ::ioctl(plan.output, TIOCSCTTY, 0);
  ::dup2(plan.input, STDIN_FILENO);
  ::dup2(plan.output, STDOUT_FILENO);
  ::dup2(plan.output, STDERR_FILENO);
  if (plan.cgroup != nullptr && !plan.cgroup->enter()) return Step::cgroup;
  if (plan.command.no_network && !leave_network()) return Step::network;
  if (plan.identity && !become(*plan.identity)) return Step::user;
  if (::chdir(plan.command.directory.c_str()) != 0) return Step::directory;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // after the change of user, which clears it
  default_signals();
  ::execve(plan.command.program.c_str(), plan.argv.data(), plan.environment.data());
  return Step::exec;
}

struct Report {
  Step step;
  int error;
};

std::string failure_text(const Command& command, const Report& report) {
  const std::string why = base::error_text(report.error);
  switch (report.step) {
    case Step::cgroup:
      return "control group: " + why;
    case Step::user:
      return "become user " + command.user + ": " + why;
    case Step::network:
      return "leave the network: " + why;
    case Step::directory:
      return "chdir " + command.directory + ": " + why;
    case Step::exec:
      break;
  }
  return "fork/exec " + command.program + ": " + why;
}

Child try_start(const Command& command, const Cgroup* cgroup) {
  Plan plan{command, cgroup, {}, pointers_to(command.argv), pointers_to(command.environment)};
  if (!command.user.empty()) plan.identity = identity_of(command.user);
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
  const pid_t pid = ::fork();
  if (pid < 0) fail("fork/exec " + command.program, errno);
  if (pid == 0) {
    const Step step = execute(plan);
    const Report failed{step, errno};
    // Nobody is there to be told if this fails.
    [[maybe_unused]] const ssize_t told = ::write(plan.report, &failed, sizeof failed);
    ::_exit(127);
  }
  report.childs.reset();
  Report failed{};
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
