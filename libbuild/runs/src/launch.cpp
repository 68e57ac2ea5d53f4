#include "launch.h"

#include <build/base/subprocess.h>
#include <build/runs/supervisor.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <exception>
#include <memory>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run_files.h"

namespace build::runs {

namespace {

using io::asio::posix::stream_descriptor;

/// The program that runs, also when its file has been replaced.
constexpr const char* kOwnProgram = "/proc/self/exe";

/// It may have to wait for a disk, or for the command's directory.
constexpr std::chrono::seconds kFirstWordLimit{60};

/// posix_spawn's two descriptions of a child.
struct SpawnPlan {
  SpawnPlan() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
};

/// Out of the way of the numbers that the child is to have.
base::UniqueFd moved_up(int fd) { return base::UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 10)); }

pid_t spawn(const base::UniqueFd& directory, const base::UniqueFd& ready) {
  const base::UniqueFd run = moved_up(directory.get()), say = moved_up(ready.get());
  const base::UniqueFd complaints(
      ::openat(directory.get(), kComplaintFile, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  SpawnPlan plan;
  ::posix_spawn_file_actions_addopen(&plan.actions, STDIN_FILENO, "/dev/null", O_RDWR, 0);
  ::posix_spawn_file_actions_adddup2(&plan.actions, STDIN_FILENO, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&plan.actions, complaints.valid() ? complaints.get() : STDIN_FILENO,
                                     STDERR_FILENO);
  ::posix_spawn_file_actions_adddup2(&plan.actions, run.get(), kDirectoryFd);
  ::posix_spawn_file_actions_adddup2(&plan.actions, say.get(), kReadyFd);
  ::posix_spawn_file_actions_addclosefrom_np(&plan.actions, kReadyFd + 1);
  std::array<char, 32> name{"buildlet"}, argument{};
  std::string(kSupervisorArgument).copy(argument.data(), argument.size() - 1);
  std::array<char*, 3> argv{name.data(), argument.data(), nullptr};
  // Nothing of the worker's environment: secrets may be in it.
  std::array<char*, 1> environment{nullptr};
  pid_t pid = -1;
  errno = ::posix_spawn(&pid, kOwnProgram, &plan.actions, &plan.attributes, argv.data(), environment.data());
  if (errno != 0) throw std::system_error(errno, std::generic_category(), "cannot start a supervisor");
  return pid;
}

/// Nobody may be left to wait for this: the process outlives us, and is then somebody else's to reap.
void reap_when_ended(const io::Executor& executor, pid_t pid) {
  const auto process = std::make_shared<stream_descriptor>(executor);
  const int fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0) return;
  process->assign(fd);
  process->async_wait(stream_descriptor::wait_read, [process, pid](const boost::system::error_code& error) {
    if (!error) ::waitpid(pid, nullptr, 0);
  });
}

}  // namespace

io::Task<std::string> launch_supervisor(io::Executor executor, io::Clock& clock, const base::UniqueFd& directory) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) co_return std::string("cannot make a pipe: ") + base::error_text(errno);
  stream_descriptor ready(executor, ends[0]);
  base::UniqueFd say(ends[1]);
  pid_t pid = -1;
  std::string failure;
  try {
    pid = spawn(directory, say);
  } catch (const std::system_error& error) {
    failure = error.what();
  }
  if (!failure.empty()) co_return failure;
  say.reset();
  reap_when_ended(executor, pid);
  std::array<char, 1024> text{};
  boost::system::error_code error;
  const io::Deadline deadline(clock, executor, kFirstWordLimit, [&ready, pid] {
    ::kill(pid, SIGKILL);
    boost::system::error_code ignored;
    ready.cancel(ignored);  // its child may hold the other end, and wait for a disk itself
  });
  auto token = io::asio::redirect_error(io::asio::use_awaitable, error);
  const io::asio::mutable_buffer into = io::asio::buffer(text);
  const std::size_t size = co_await ready.async_read_some(into, token);
  if (deadline.expired())
    co_return "its supervisor said nothing for " + std::to_string(kFirstWordLimit.count()) + " seconds";
  if (size == 0) co_return std::string("the supervisor ended at once");
  if (text[0] == '+') co_return std::string();
  co_return std::string(text.data() + 1, size - 1);
}

}  // namespace build::runs
