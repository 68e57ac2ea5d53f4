// How it works: posix_spawn (vfork-like: safe and cheap in a large multi-threaded process, and it reports a failed
// chdir or exec as its result) starts the child; a pidfd says when it has ended. The exit status is looked at with
// WNOWAIT, so the zombie stays and with it the process id and group id, until the destructor reaps it: a signal
// to the group can never hit somebody else.

#include <build/base/subprocess.h>

#include <boost/asio/error.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <cerrno>
#include <csignal>
#include <system_error>

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "subprocess_fork.h"

namespace build::base {

namespace fs = std::filesystem;
namespace asio = io::asio;
using asio::posix::stream_descriptor;

namespace {

struct Pipe {
  UniqueFd read, write;
};

/// Where this process has itself no stdin, a pipe may get its number; the child's set-up would then trip over it.
UniqueFd above_standard(UniqueFd fd) {
  if (fd.get() > STDERR_FILENO) return fd;
  UniqueFd moved(::fcntl(fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  if (!moved.valid()) throw std::system_error(errno, std::generic_category(), "cannot make a pipe for a child process");
  return moved;
}

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot make a pipe for a child process");
  }
  return {above_standard(UniqueFd(ends[0])), above_standard(UniqueFd(ends[1]))};
}

void set_non_blocking(const UniqueFd& fd) {
  if (::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot set up a pipe of a child process");
  }
}

std::string quoted_name(std::string_view name) { return "\"" + std::string(name) + "\""; }

bool is_executable_file(const fs::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && !S_ISDIR(status.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

/// The file to execute, or the error that Go gives.
std::string program_of(const SubprocessSpec& spec) {
  if (spec.argv.empty() || spec.argv.front().empty()) throw StartError("exec: no command", EINVAL);
  if (!spec.program.empty()) return spec.program.string();
  const std::string& name = spec.argv.front();
  if (name.find('/') != std::string::npos) return name;
  const auto found = find_executable(name, spec.search_path);
  if (!found) throw StartError("exec: " + quoted_name(name) + ": executable file not found in $PATH", ENOENT);
  return found->string();
}

/// posix_spawn reports a failed chdir and a failed exec alike; Go too looks at the directory first.
void check_directory(const fs::path& directory) {
  struct stat status {};
  if (!directory.empty() && ::stat(directory.c_str(), &status) != 0) {
    throw StartError("chdir " + directory.string() + ": " + error_text(errno), errno);
  }
}

bool has_nul(const std::vector<std::string>& list) {
  for (const std::string& entry : list) {
    if (entry.find('\0') != std::string::npos) return true;
  }
  return false;
}

std::vector<char*> pointers_to(std::vector<std::string>& list) {
  std::vector<char*> pointers;
  pointers.reserve(list.size() + 1);
  for (std::string& entry : list) pointers.push_back(entry.data());
  pointers.push_back(nullptr);
  return pointers;
}

void check_spawn(int error_number) {
  if (error_number != 0) {
    throw std::system_error(error_number, std::generic_category(), "cannot prepare a child process");
  }
}

/// What the child does between clone and exec.
class SpawnActions {
 public:
  SpawnActions() {
    check_spawn(posix_spawn_file_actions_init(&actions));
    check_spawn(posix_spawnattr_init(&attributes));
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    check_spawn(posix_spawnattr_setsigmask(&attributes, &none));
    check_spawn(posix_spawnattr_setsigdefault(&attributes, &all));
    check_spawn(
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
  }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;
  ~SpawnActions() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }

  void use(int fd, int as) { check_spawn(posix_spawn_file_actions_adddup2(&actions, fd, as)); }
  void use_null(int as, int flags) {
    check_spawn(posix_spawn_file_actions_addopen(&actions, as, "/dev/null", flags, 0));
  }
  void enter(const fs::path& directory) {
    if (!directory.empty()) check_spawn(posix_spawn_file_actions_addchdir_np(&actions, directory.c_str()));
  }
  /// Descriptors that some library opened without O_CLOEXEC stay out of the child too.
  void close_the_rest() { check_spawn(posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1)); }

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
};

pid_t start_with_setup(const SubprocessSpec& spec, ForkPlan plan, const std::string& failure) {
  const OwnNetwork own_network;
  if (spec.network == SubprocessSpec::Network::none) plan.own_network = &own_network;
  if (spec.user) plan.user = &*spec.user;
  const Forked forked = fork_and_execute(plan);
  if (!forked.failure) return forked.pid;
  const std::string step = forked.failure.step;
  if (step == "exec") throw StartError(failure + error_text(forked.failure.error), forked.failure.error);
  if (step == "chdir") {
    throw StartError("chdir " + spec.directory.string() + ": " + error_text(forked.failure.error),
                     forked.failure.error);
  }
  throw StartError(failure + step + ": " + error_text(forked.failure.error), forked.failure.error);
}

/// write(2) that gives EPIPE without the signal, whatever the program does about SIGPIPE.
ssize_t write_without_signal(int fd, const void* bytes, std::size_t size) {
  sigset_t pipe_signal, before, pending;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  sigpending(&pending);
  pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  const ssize_t written = ::write(fd, bytes, size);
  const int error_number = errno;
  if (written < 0 && error_number == EPIPE && sigismember(&pending, SIGPIPE) == 0) {
    const timespec at_once{};
    while (sigtimedwait(&pipe_signal, nullptr, &at_once) < 0 && errno == EINTR) {
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error_number;
  return written;
}

void close_quietly(stream_descriptor& descriptor) noexcept {
  boost::system::error_code ignored;  // close() has released the descriptor even when it reports an error
  descriptor.close(ignored);
}

}  // namespace

std::optional<fs::path> find_executable(std::string_view name, std::string_view path_list) {
  if (name.empty()) return std::nullopt;
  if (name.find('/') != std::string_view::npos) {
    fs::path path(name);
    return is_executable_file(path) ? std::optional(path) : std::nullopt;
  }
  while (!path_list.empty()) {
    const std::size_t colon = std::min(path_list.find(':'), path_list.size());
    const std::string_view directory = path_list.substr(0, colon);
    path_list.remove_prefix(std::min(colon + 1, path_list.size()));
    if (directory.empty()) continue;
    fs::path candidate = fs::path(directory) / name;
    if (is_executable_file(candidate)) return candidate;
  }
  return std::nullopt;
}

struct Subprocess::Impl {
  Impl(const io::Executor& executor) : process(executor), input(executor), output(executor), error(executor) {}

  pid_t pid = -1;
  stream_descriptor process, input, output, error;

  io::Task<std::size_t> read(stream_descriptor& from, asio::mutable_buffer into) {
    if (!from.is_open() || into.size() == 0) co_return 0;
    boost::system::error_code code;
    auto token = asio::redirect_error(asio::use_awaitable, code);
    const std::size_t size = co_await from.async_read_some(into, token);
    if (!code) co_return size;
    // stop_reading() closed it: for the reader that is an end like any other.
    if (code == asio::error::eof || !from.is_open()) co_return 0;
    throw boost::system::system_error(code, "cannot read what a child process wrote");
  }
};

Subprocess::Subprocess(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

std::unique_ptr<Subprocess> Subprocess::start(io::Executor executor, const SubprocessSpec& spec) {
  const std::string program = program_of(spec);
  check_directory(spec.directory);
  std::vector<std::string> argv = spec.argv;
  Environment environment = deduplicated(spec.environment);
  const std::string failure = "fork/exec " + program + ": ";
  if (has_nul(argv) || has_nul(environment)) throw StartError(failure + error_text(EINVAL), EINVAL);

  SpawnActions child;
  Pipe input, output, error;
  if (spec.input == SubprocessSpec::Input::pipe) {
    input = make_pipe();
    child.use(input.read.get(), STDIN_FILENO);
    set_non_blocking(input.write);
  } else {
    child.use_null(STDIN_FILENO, O_RDONLY);
  }
  if (spec.output == SubprocessSpec::Output::pipe) {
    output = make_pipe();
    child.use(output.write.get(), STDOUT_FILENO);
    set_non_blocking(output.read);
  } else {
    child.use_null(STDOUT_FILENO, O_WRONLY);
  }
  if (spec.error == SubprocessSpec::Error::pipe) {
    error = make_pipe();
    child.use(error.write.get(), STDERR_FILENO);
    set_non_blocking(error.read);
  } else if (spec.error == SubprocessSpec::Error::null) {
    child.use_null(STDERR_FILENO, O_WRONLY);
  } else {
    child.use(STDOUT_FILENO, STDERR_FILENO);
  }
  child.close_the_rest();
  child.enter(spec.directory);

  // Made before the child, so that nothing but pidfd_open can fail once there is one.
  auto impl = std::make_unique<Impl>(executor);
  if (input.write.valid()) impl->input.assign(input.write.release());
  if (output.read.valid()) impl->output.assign(output.read.release());
  if (error.read.valid()) impl->error.assign(error.read.release());
  const std::vector<char*> arguments = pointers_to(argv), variables = pointers_to(environment);
  if (spec.network == SubprocessSpec::Network::none || spec.user) {
    ForkPlan plan{.program = program.c_str(), .arguments = arguments.data(), .environment = variables.data()};
    if (!spec.directory.empty()) plan.directory = spec.directory.c_str();
    plan.input = input.read.get();
    plan.output = output.write.get();
    plan.error = spec.error == SubprocessSpec::Error::merged ? output.write.get() : error.write.get();
    impl->pid = start_with_setup(spec, plan, failure);
  } else {
    const int result =
        posix_spawn(&impl->pid, program.c_str(), &child.actions, &child.attributes, arguments.data(), variables.data());
    if (result != 0) throw StartError(failure + error_text(result), result);
  }
  // From here on the destructor kills and reaps.
  std::unique_ptr<Subprocess> process(new Subprocess(std::move(impl)));
  // By number: glibc 2.36 declares pidfd_open() without C linkage.
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, process->pid(), 0));
  if (pidfd < 0) throw std::system_error(errno, std::generic_category(), "cannot watch the child process " + program);
  process->impl_->process.assign(pidfd);
  return process;
}

Subprocess::~Subprocess() {
  siginfo_t info{};
  const bool ended = ::waitid(P_PID, static_cast<id_t>(impl_->pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
                     info.si_pid == impl_->pid;
  if (!ended) ::kill(-impl_->pid, SIGKILL);
  while (::waitid(P_PID, static_cast<id_t>(impl_->pid), &info, WEXITED) != 0 && errno == EINTR) {
  }
}

pid_t Subprocess::pid() const noexcept { return impl_->pid; }

io::Task<std::size_t> Subprocess::read_output(asio::mutable_buffer into) { return impl_->read(impl_->output, into); }

io::Task<std::size_t> Subprocess::read_error(asio::mutable_buffer into) { return impl_->read(impl_->error, into); }

void Subprocess::stop_reading() noexcept {
  close_quietly(impl_->output);
  close_quietly(impl_->error);
}

io::Task<> Subprocess::write_input(asio::const_buffer from) {
  while (from.size() > 0) {
    if (!impl_->input.is_open())
      throw boost::system::system_error(asio::error::broken_pipe, "the child's input is closed");
    const ssize_t written = write_without_signal(impl_->input.native_handle(), from.data(), from.size());
    if (written >= 0) {
      from += static_cast<std::size_t>(written);
    } else if (errno == EAGAIN) {
      co_await impl_->input.async_wait(stream_descriptor::wait_write, asio::use_awaitable);
    } else if (errno != EINTR) {
      const boost::system::error_code code(errno, boost::system::system_category());
      throw boost::system::system_error(code, "cannot write to a child process");
    }
  }
}

void Subprocess::close_input() noexcept { close_quietly(impl_->input); }

io::Task<ExitStatus> Subprocess::wait() {
  while (true) {
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(impl_->pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0 && errno != EINTR) {
      throw std::system_error(errno, std::generic_category(), "cannot wait for a child process");
    }
    if (info.si_pid == impl_->pid) {
      if (info.si_code == CLD_EXITED) co_return ExitStatus::exited(info.si_status);
      co_return ExitStatus::signaled(
          info.si_status, info.si_code == CLD_DUMPED ? ExitStatus::CoreDumped::yes : ExitStatus::CoreDumped::no);
    }
    co_await impl_->process.async_wait(stream_descriptor::wait_read, asio::use_awaitable);
  }
}

bool Subprocess::kill_group(int signal) noexcept { return ::kill(-impl_->pid, signal) == 0; }

}  // namespace build::base
