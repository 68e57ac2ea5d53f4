// How it works: one loop around poll(2). The run goes through three states: the command runs; the command has ended and
// what it left behind may still print; over, with the result written and the spool closed. The process ends when it is
// over and no child is left.
#include <build/base/file.h>
#include <build/base/subprocess.h>
#include <build/runs/lease_file.h>
#include <build/runs/records.h>
#include <build/runs/spool.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <exception>
#include <list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "child.h"
#include "descendants.h"
#include "link_protocol.h"
#include "run_files.h"
#include "supervise_run.h"

namespace build::runs {

namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr std::size_t kMaxClients = 64;
/// A process that was killed is gone at once, unless the kernel has to wait for a disk: then it is tried again.
constexpr milliseconds kKillAgain{20};
/// The boot clock may run ahead of poll's while the machine sleeps.
constexpr milliseconds kLeaseLook{5000};
constexpr int kPipeSize = 1 << 20;

/// For limits: stands still while the machine sleeps, as the command does.
nanoseconds now() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return std::chrono::seconds(time.tv_sec) + nanoseconds(time.tv_nsec);
}

std::chrono::microseconds micros(const timeval& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

std::string seconds_text(milliseconds time) {
  char text[32];
  std::snprintf(text, sizeof text, "%g s", static_cast<double>(time.count()) / 1000);
  return text;
}

base::UniqueFd listen_on(const char* name) {
  base::UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, name, sizeof address.sun_path - 1);
  if (!fd.valid() || ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), 16) != 0)
    throw std::system_error(errno, std::generic_category(), "cannot listen on the run's socket");
  return fd;
}

base::UniqueFd watch_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  base::UniqueFd fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) throw std::system_error(errno, std::generic_category(), "cannot wait for signals");
  for (const int signal : {SIGPIPE, SIGXFSZ}) ::signal(signal, SIG_IGN);
  return fd;
}

struct Client {
  explicit Client(base::UniqueFd socket) : fd(std::move(socket)) {}
  base::UniqueFd fd;
  std::optional<std::uint64_t> watching;
};

class Supervisor {
 public:
  /// The directory is the current one.
  Supervisor(base::UniqueFd directory, Command command)
      : directory_(std::move(directory)),
        command_(std::move(command)),
        signals_(watch_signals()),
        listener_(listen_on(kSocketFile)),
        spool_(directory_.get(), SpoolLimits::of(command_.output_cap)) {
    make_room_for_run_file(directory_.get(), kResultFile, kMaxResult);
  }

  void start() {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (auto cgroup = Cgroup::make(cgroup_name(command_.id, directory_.get()))) cgroup_.emplace(std::move(*cgroup));
    began_ = last_output_ = now();
    if (command_.lease != 0) lease_check_ = began_;
    child_ = start_child(command_, cgroup_ ? &*cgroup_ : nullptr);
    if (!child_.failure.empty()) return finish_not_started();
    if (!command_.terminal) ::fcntl(child_.output.get(), F_SETPIPE_SZ, kPipeSize);
  }

  /// Serves who waits at the other end of `fd`, who hears at once that the run has begun.
  void serve_from_now(base::UniqueFd fd) {
    ::fcntl(fd.get(), F_SETFL, O_NONBLOCK);
    send(clients_.emplace_back(std::move(fd)), std::string(1, link::kAtWork));
  }

  void run() {
    while (!over_ || has_children()) {
      wait();
      take_signals();
      // Asked once: what the last one printed before it ended must be read before the run is over.
      const bool alone = ended_ && !has_children();
      take_output(alone);
      if (ended_ && !over_ && ((alone && !held_back()) || !child_.output.valid())) finish();
      take_input();
      accept_clients();
      serve_clients();
      check_limits();
    }
  }

 private:
  void wait() {
    polled_.clear();
    const auto add = [this](const base::UniqueFd& fd, short events) {
      if (fd.valid()) polled_.push_back({fd.get(), events, 0});
    };
    add(signals_, POLLIN);
    add(listener_, POLLIN);
    if (!held_back()) add(child_.output, POLLIN);
    if (!input_.empty()) add(child_.input, POLLOUT);
    for (const Client& client : clients_) add(client.fd, POLLIN);
    ::poll(polled_.data(), polled_.size(), timeout());
  }

  /// Milliseconds until the next limit; -1: there is none.
  int timeout() const {
    std::optional<nanoseconds> next;
    const auto at = [&next](nanoseconds when) { next = next ? std::min(*next, when) : when; };
    if (killing_) at(now() + kKillAgain);
    if (lease_check_) at(*lease_check_);
    if (!over_ && !ended_ && command_.time_limit.count() > 0) at(began_ + command_.time_limit);
    if (!over_ && !ended_ && command_.silence_limit.count() > 0) at(last_output_ + command_.silence_limit);
    if (!over_ && ended_ && command_.linger.count() > 0) at(*ended_ + command_.linger);
    if (!next) return -1;
    const auto left = std::chrono::ceil<milliseconds>(*next - now());
    return static_cast<int>(std::clamp<milliseconds::rep>(left.count(), 0, 3'600'000));
  }

  void take_signals() {
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == sizeof info)
      if (info.ssi_signo == SIGTERM) kill("its supervisor was asked to end");
    int status = 0;
    if (reap_children(child_.pid, status)) {
      status_ = status;
      ended_ = now();
    }
  }

  /// Once nobody is left who could write, all of it; else one piece, so that others are served too.
  void take_output(bool all) {
    while (child_.output.valid()) {
      const std::size_t room = room_for_output();
      if (room == 0) return hold_limits();
      const ssize_t size = ::read(child_.output.get(), buffer_.data(), room);
      if (size > 0) {
        last_output_ = now();
        spool_.append(buffer_.data(), static_cast<std::size_t>(size));
        tell_watchers();
      } else if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
        child_.output.reset();  // a terminal gives EIO when the last holder has closed it
      } else if (errno == EAGAIN) {
        return;
      }
      if (!all) return;
    }
  }

  /// Its output stays in the pipe until its reader has read more.
  bool held_back() const { return room_for_output() == 0; }

  std::size_t room_for_output() const {
    if (!command_.ephemeral || !killed_.empty()) return buffer_.size();
    return static_cast<std::size_t>(std::min<std::uint64_t>(buffer_.size(), spool_.room_behind(read_)));
  }

  /// That nobody takes what it prints is not the command's silence, and what it left behind is not late.
  void hold_limits() {
    last_output_ = now();
    if (ended_) ended_ = last_output_;
  }

  void finish() {
    Result result;
    result.killed = killed_;
    if (WIFSIGNALED(status_)) {
      using base::ExitStatus;
      result.ending = Ending::signaled;
      result.signal = WTERMSIG(status_);
      const auto core = WCOREDUMP(status_) ? ExitStatus::CoreDumped::yes : ExitStatus::CoreDumped::no;
      result.text = ExitStatus::signaled(result.signal, core).str();
    } else {
      result.ending = Ending::exited;
      result.code = WEXITSTATUS(status_);
      result.text = base::ExitStatus::exited(result.code).str();
    }
    finish(std::move(result));
  }

  void finish_not_started() {
    Result result;
    result.ending = Ending::not_started;
    result.text = child_.failure;
    result.killed = killed_;
    finish(std::move(result));
  }

  void finish(Result result) {
    rusage used{};
    ::getrusage(RUSAGE_CHILDREN, &used);
    result.user = micros(used.ru_utime);
    result.system = micros(used.ru_stime);
    result.peak_memory = static_cast<std::uint64_t>(used.ru_maxrss) * 1024;
    if (cgroup_) result.peak_memory = cgroup_->peak_memory().value_or(result.peak_memory);
    result.wall = std::chrono::duration_cast<std::chrono::microseconds>(now() - began_);
    child_.output.reset();
    child_.input.reset();
    write_run_file(directory_.get(), kResultFile, to_json(result));
    spool_.close();
    over_ = true;
    killing_ = killing_ && has_children();
    tell_watchers();
  }

  void kill(std::string why) {
    if (killed_.empty()) killed_ = std::move(why);
    killing_ = true;
    kill_all();
  }

  void kill_all() {
    kill_descendants();
    if (cgroup_) cgroup_->kill();
  }

  void check_limits() {
    const nanoseconds time = now();
    if (killing_) {
      if (has_children())
        kill_all();
      else
        killing_ = false;
    }
    if (lease_check_ && time >= *lease_check_) check_lease(time);
    if (over_ || killing_) return;
    if (!ended_ && command_.time_limit.count() > 0 && time >= began_ + command_.time_limit)
      return kill("the time limit of " + seconds_text(command_.time_limit) + " was exceeded");
    if (!ended_ && command_.silence_limit.count() > 0 && time >= last_output_ + command_.silence_limit)
      return kill("it printed nothing for " + seconds_text(command_.silence_limit));
    if (ended_ && command_.linger.count() > 0 && time >= *ended_ + command_.linger) finish();
  }

  void check_lease(nanoseconds time) {
    std::optional<LeaseRecord> lease;
    try {
      lease = read_lease(directory_.get(), kLeaseFromRun);
    } catch (const std::runtime_error&) {
      lease.reset();  // as good as none
    }
    const nanoseconds boot_now = boot_time();
    if (!lease || lease->number != command_.lease || !lease->valid(boot_now, boot_id())) {
      lease_check_.reset();
      kill("its lease is over");
      return;
    }
    lease_check_ = time + std::min<nanoseconds>(lease->end - boot_now, kLeaseLook);
  }

  void take_input() {
    while (!input_.empty() && child_.input.valid()) {
      const ssize_t size = ::write(child_.input.get(), input_.data(), input_.size());
      if (size > 0) {
        input_.erase(0, static_cast<std::size_t>(size));
      } else if (errno == EAGAIN) {
        return;
      } else if (errno != EINTR) {
        child_.input.reset();
      }
    }
    if (input_.empty()) {
      answer_input("");
      return;
    }
    input_.clear();
    answer_input("the command reads no more");
  }

  void answer_input(const std::string& why) {
    if (input_from_ != nullptr) send(*input_from_, link::kTaken + why);
    input_from_ = nullptr;
  }

  void accept_clients() {
    while (true) {
      base::UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (!fd.valid()) return;
      if (clients_.size() < kMaxClients) clients_.emplace_back(std::move(fd));
    }
  }

  void serve_clients() {
    for (auto client = clients_.begin(); client != clients_.end();) {
      if (serve(*client)) {
        ++client;
        continue;
      }
      if (input_from_ == &*client) input_from_ = nullptr;
      client = clients_.erase(client);
    }
  }

  /// False when it has gone.
  bool serve(Client& client) {
    while (true) {
      const ssize_t size = ::recv(client.fd.get(), message_.data(), message_.size(), 0);
      if (size > 0) {
        take(client, std::string_view(message_.data(), static_cast<std::size_t>(size)));
      } else {
        return size < 0 && (errno == EAGAIN || errno == EINTR);
      }
    }
  }

  void take(Client& client, std::string_view message) {
    const std::string_view rest = message.substr(1);
    switch (message.front()) {
      case link::kWatch:
        client.watching = number_from(rest);
        tell(client);
        break;
      case link::kRead:
        read_ = std::max(read_, number_from(rest));
        break;
      case link::kKill:
        kill(rest.empty() ? "somebody asked for it" : std::string(rest));
        break;
      case link::kSignal:
        if (!ended_ && child_.pid > 0) ::kill(-child_.pid, static_cast<int>(number_from(rest)));
        break;
      case link::kInput:
      case link::kEnd:
        take_input_message(client, message);
        break;
      case link::kResize:
        resize(rest);
        break;
      default:
        break;
    }
  }

  void take_input_message(Client& client, std::string_view message) {
    if (!child_.input.valid()) return send(client, link::kTaken + std::string("the command reads nothing"));
    if (input_from_ != nullptr) return send(client, link::kTaken + std::string("somebody else is writing to it"));
    if (message.front() == link::kInput) {
      input_ = message.substr(1);
      input_from_ = &client;
      return take_input();
    }
    if (command_.terminal) {
      constexpr char kEndOfTransmission = '\4';
      input_ = kEndOfTransmission;
      input_from_ = &client;
      return take_input();
    }
    child_.input.reset();
    send(client, std::string(1, link::kTaken));
  }

  void resize(std::string_view text) {
    if (!command_.terminal || !child_.output.valid()) return;
    const std::size_t space = std::min(text.find(' '), text.size());
    const auto rows = static_cast<std::uint16_t>(number_from(text.substr(0, space)));
    const auto columns = static_cast<std::uint16_t>(number_from(text.substr(std::min(space + 1, text.size()))));
    resize_terminal(child_.output, {rows, columns});
  }

  static std::uint64_t number_from(std::string_view text) {
    std::uint64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
  }

  void tell_watchers() {
    for (Client& client : clients_) tell(client);
  }

  void tell(Client& client) {
    if (!client.watching || (!over_ && spool_.size() <= *client.watching)) return;
    client.watching.reset();
    send(client, std::string(1, link::kNews));
  }

  static void send(Client& client, const std::string& message) {
    // There is room: nobody is sent more than he has asked for. One who has gone is noticed when he is read from.
    ::send(client.fd.get(), message.data(), message.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }

  const base::UniqueFd directory_;
  const Command command_;
  base::UniqueFd signals_, listener_;
  SpoolWriter spool_;
  std::optional<Cgroup> cgroup_;
  Child child_;
  std::list<Client> clients_;
  std::string input_;             ///< what the command has not read yet
  Client* input_from_ = nullptr;  ///< who sent it, and waits
  nanoseconds began_{0}, last_output_{0};
  std::optional<nanoseconds> ended_;        ///< when the command ended, or was last held back after that
  std::optional<nanoseconds> lease_check_;  ///< when to look at the lease again
  int status_ = 0;
  std::string killed_;      ///< why
  bool killing_ = false;    ///< and something of it may be left
  std::uint64_t read_ = 0;  ///< how far an ephemeral run's reader has come
  bool over_ = false;
  std::vector<pollfd> polled_;
  std::array<char, link::kMaxMessage> message_;
  std::array<char, 256 * 1024> buffer_;
};

[[noreturn]] void fail(const std::string& what) { throw std::system_error(errno, std::generic_category(), what); }

/// All of a file that was passed to us.
std::string read_passed(const base::UniqueFd& file) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0 || status.st_size > static_cast<off_t>(kMaxCommand))
    throw std::runtime_error("what was passed is no command");
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  if (::pread(file.get(), text.data(), text.size(), 0) != status.st_size) fail("cannot read the command");
  return text;
}

/// Makes a new run's directory the current one.
base::UniqueFd enter_new_directory(const base::UniqueFd& runs, const std::string& name) {
  if (::mkdirat(runs.get(), name.c_str(), 0700) != 0) fail("cannot make the run's directory " + name);
  base::UniqueFd directory(::openat(runs.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid() || ::fchdir(directory.get()) != 0) fail("cannot enter the run's directory");
  return directory;
}

/// Says why a run could not be looked after, to whoever reads its directory and to the worker that asked for it.
void complain(bool in_directory, const base::UniqueFd& link, const std::string& why) {
  if (in_directory) {
    try {
      write_run_file(AT_FDCWD, kComplaintFile, why + "\n");
    } catch (const std::exception&) {
      // The worker is told all the same.
    }
  }
  const std::string failed = link::kFailed + why;
  if (link.valid()) ::send(link.get(), failed.data(), failed.size(), MSG_NOSIGNAL);
}

/// Whether the worker that asked for the run is still there.
bool is_waited_for(const base::UniqueFd& link) {
  pollfd end{link.get(), 0, 0};
  return ::poll(&end, 1, 0) == 0;
}

}  // namespace

int supervise_run(base::UniqueFd runs, base::UniqueFd command_file, base::UniqueFd link) noexcept {
  bool in_directory = false;
  try {
    const std::string json = read_passed(command_file);
    command_file.reset();
    Command command = command_from_json(json);
    const std::string id = command.id, new_name = kNewRun + id;
    base::UniqueFd directory = enter_new_directory(runs, new_name);
    in_directory = true;
    write_first_run_file(directory.get(), kCommandFile, json);
    const auto supervisor = std::make_unique<Supervisor>(std::move(directory), std::move(command));
    // In this order: see supervise_run.h.
    if (!is_waited_for(link)) throw std::runtime_error("nobody waits for the run any more");
    if (::renameat(runs.get(), new_name.c_str(), runs.get(), id.c_str()) != 0) fail("cannot begin the run");
    runs.reset();
    supervisor->start();
    supervisor->serve_from_now(std::move(link));
    supervisor->run();
    return 0;
  } catch (const std::exception& error) {
    complain(in_directory, link, error.what());
    return 1;
  }
}

}  // namespace build::runs
