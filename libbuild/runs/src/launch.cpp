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
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "link_protocol.h"
#include "passed_fds.h"

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

pid_t spawn(const base::UniqueFd& socket) {
  // Out of the way of the number that the child is to have.
  const base::UniqueFd end(::fcntl(socket.get(), F_DUPFD_CLOEXEC, 10));
  SpawnPlan plan;
  ::posix_spawn_file_actions_addopen(&plan.actions, STDIN_FILENO, "/dev/null", O_RDWR, 0);
  ::posix_spawn_file_actions_adddup2(&plan.actions, STDIN_FILENO, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&plan.actions, STDIN_FILENO, STDERR_FILENO);
  ::posix_spawn_file_actions_adddup2(&plan.actions, end.get(), kForkServerFd);
  ::posix_spawn_file_actions_addclosefrom_np(&plan.actions, kForkServerFd + 1);
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

struct Sockets {
  base::UniqueFd ours, theirs;
};

/// Ours does not block.
Sockets make_sockets() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    throw std::system_error(errno, std::generic_category(), "cannot make a pair of sockets");
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return {base::UniqueFd(ends[0]), base::UniqueFd(ends[1])};
}

base::UniqueFd file_in_memory(std::string_view content) {
  base::UniqueFd fd(::memfd_create("command", MFD_CLOEXEC));
  if (!fd.valid() || ::write(fd.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size()))
    throw std::system_error(errno, std::generic_category(), "cannot write the command");
  return fd;
}

/// Nobody may be left to wait for this: it may outlive us.
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

Launcher::Launcher(io::Executor executor, io::Clock& clock) : executor_(executor), clock_(clock), server_(executor) {}

void Launcher::start_server() {
  Sockets sockets = make_sockets();
  reap_when_ended(executor_, spawn(sockets.theirs));
  server_.assign(sockets.ours.release());
}

io::Task<> Launcher::ask(std::span<const int> fds, const io::Deadline& deadline) {
  constexpr int kTries = 3;
  for (int i = 0; i < kTries;) {
    if (!server_.is_open()) start_server();
    if (send_with_fds(server_.native_handle(), "r", fds, MSG_DONTWAIT) > 0) co_return;
    boost::system::error_code ignored;
    if (errno == EAGAIN) {
      co_await server_.async_wait(stream_descriptor::wait_write,
                                  io::asio::redirect_error(io::asio::use_awaitable, ignored));
      if (deadline.expired()) throw std::system_error(ETIMEDOUT, std::generic_category(), "cannot start a supervisor");
      continue;
    }
    server_.close(ignored);  // it died
    ++i;
  }
  throw std::system_error(EPIPE, std::generic_category(), "cannot reach the process that starts supervisors");
}

io::Task<std::string> Launcher::launch(const base::UniqueFd& runs, const Command& command, stream_descriptor& link) {
  stream_descriptor ready(executor_);
  base::UniqueFd process;
  const io::Deadline deadline(clock_, executor_, kFirstWordLimit, [this, &ready, &process] {
    // One of both stands still: whatever they were doing, they do it no more.
    if (process.valid()) ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
    boost::system::error_code ignored;
    if (!process.valid()) server_.close(ignored);
    if (ready.is_open()) ready.cancel(ignored);
  });
  try {
    Sockets sockets = make_sockets();
    ready.assign(sockets.ours.release());
    const base::UniqueFd text = file_in_memory(to_json(command));
    const std::array<int, 3> fds{runs.get(), text.get(), sockets.theirs.get()};
    co_await ask(fds, deadline);
  } catch (const std::system_error& error) {
    co_return error.what();
  }
  std::array<char, 1024> text{};
  while (true) {
    boost::system::error_code error;
    auto token = io::asio::redirect_error(io::asio::use_awaitable, error);
    co_await ready.async_wait(stream_descriptor::wait_read, token);
    if (deadline.expired())
      co_return "its supervisor said nothing for " + std::to_string(kFirstWordLimit.count()) + " seconds";
    std::vector<base::UniqueFd> fds;
    const ssize_t size = receive_with_fds(ready.native_handle(), text, fds, MSG_DONTWAIT);
    if (size < 0 && errno == EAGAIN) continue;
    if (size <= 0) co_return std::string("the supervisor ended at once");
    if (text[0] == link::kAtWork) {
      link = std::move(ready);
      co_return std::string();
    }
    if (text[0] == link::kFailed) co_return std::string(text.data() + 1, static_cast<std::size_t>(size) - 1);
    if (!fds.empty()) process = std::move(fds.front());
  }
}

}  // namespace build::runs
