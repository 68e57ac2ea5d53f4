// Running programs: the one place where child processes are made.
//
// A child starts in a session and process group of its own, with default signal actions, an empty signal
// mask and no descriptor of ours beside 0, 1 and 2. Its environment and directory are given, never inherited.
// Nothing here uses SIGCHLD; the program must not ignore that signal.
//
// The child is reaped when its Subprocess is destroyed, not before, so its process id and group id stay its
// own until then and kill_group() never hits a stranger. Destroying a Subprocess whose child still runs
// kills the group. Like every object on libio it lives on the executor it was given; its
// tasks must have ended before it is destroyed (kill_group and stop_reading make them end).
#pragma once

#include <build/base/child_setup.h>
#include <build/base/environment.h>
#include <build/base/file.h>
#include <io/clock.h>
#include <io/task.h>

#include <boost/asio/buffer.hpp>

#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace build::base {

/// How a process ended.
class ExitStatus {
 public:
  /// Ended by itself, with this code.
  static ExitStatus exited(int code);
  /// Ended by a signal.
  enum class CoreDumped { no, yes };
  static ExitStatus signaled(int signal, CoreDumped core = CoreDumped::no);

  bool success() const noexcept { return signal_ == 0 && code_ == 0; }
  /// The exit code; nullopt if a signal ended it.
  std::optional<int> code() const noexcept { return signal_ == 0 ? std::optional<int>(code_) : std::nullopt; }
  /// The signal; nullopt if it ended by itself.
  std::optional<int> signal() const noexcept { return signal_ != 0 ? std::optional<int>(signal_) : std::nullopt; }
  /// As Go prints a process state: "exit status 3", "signal: killed",
  /// "signal: segmentation fault (core dumped)". Success is "exit status 0" here; /exec says "ok" for it.
  std::string str() const;

  friend bool operator==(const ExitStatus&, const ExitStatus&) = default;

 private:
  int code_ = 0;
  int signal_ = 0;
  bool core_ = false;
};

/// The program could not be started. what() is the text Go's os/exec gives:
/// "fork/exec /x: no such file or directory", "chdir /d: no such file or directory",
/// `exec: "x": executable file not found in $PATH`.
class StartError : public std::runtime_error {
 public:
  StartError(const std::string& text, int error_number) : std::runtime_error(text), error_number_(error_number) {}
  /// errno of the failed step; ENOENT for a name not found in the path.
  int error_number() const noexcept { return error_number_; }

 private:
  int error_number_;
};

/// The errno's text as Go prints it: "no such file or directory".
std::string error_text(int error_number);

/// Where a program called `name` is: a name with a slash is taken as it is if it is an executable file;
/// another is looked for in the directories of `path_list` ("/usr/bin:/bin"; empty elements are skipped).
std::optional<std::filesystem::path> find_executable(std::string_view name, std::string_view path_list);

struct SubprocessSpec {
  /// The command and its arguments; argv[0] must not be empty.
  std::vector<std::string> argv;
  /// The file to execute; empty: argv[0], looked for in `search_path` if it has no slash.
  /// A relative one is relative to `directory`.
  std::filesystem::path program;
  /// Directories, separated by ":", for an argv[0] without a slash.
  std::string search_path;
  /// Exactly the child's environment; deduplicated() is applied.
  Environment environment;
  /// Where it runs; empty: where this process is.
  std::filesystem::path directory;
  /// none: it is in a network of its own, see OwnNetwork; StartError if that cannot be had.
  enum class Network { shared, none } network = Network::shared;
  /// Whom it runs as; not set: whom this process runs as.
  std::optional<UserIds> user;
  enum class Input { null, pipe } input = Input::null;
  enum class Output { pipe, null } output = Output::pipe;
  /// merged: into the output's pipe, order kept.
  enum class Error { merged, pipe, null } error = Error::merged;
};

class Subprocess {
 public:
  /// Starts it; when this returns the program has been executed. Throws StartError if it cannot be started, and
  /// std::system_error if this process lacks descriptors.
  static std::unique_ptr<Subprocess> start(io::Executor executor, const SubprocessSpec& spec);
  ~Subprocess();
  Subprocess(const Subprocess&) = delete;
  Subprocess& operator=(const Subprocess&) = delete;

  pid_t pid() const noexcept;

  /// What the child (or anything it left behind) wrote, as it comes: at least one byte; 0 once every holder
  /// of the pipe has closed it, or after stop_reading(). One read per pipe at a time. Cancelling
  /// the awaiting coroutine ends it with operation_aborted.
  io::Task<std::size_t> read_output(io::asio::mutable_buffer into);
  /// The same for stderr, with Error::pipe.
  io::Task<std::size_t> read_error(io::asio::mutable_buffer into);
  /// Closes our ends of the output pipes: a pending read gives 0, writers get SIGPIPE.
  void stop_reading() noexcept;

  /// Writes all of `from` to the child's stdin (Input::pipe). Throws boost::system::system_error,
  /// broken_pipe if the child no longer reads. One write at a time.
  io::Task<> write_input(io::asio::const_buffer from);
  /// End of the child's stdin.
  void close_input() noexcept;

  /// Waits for the child itself to end; what it left behind may go on and keep the output pipe open.
  /// May be awaited more than once, also by several at a time.
  io::Task<ExitStatus> wait();

  /// Sends `signal` to the child's group; false if nobody is left in it. What moved to a group of its
  /// own is not reached.
  bool kill_group(int signal) noexcept;

 private:
  struct Impl;
  explicit Subprocess(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Bounds of run_command.
struct RunLimits {
  /// The group is killed when it has run for so long.
  io::Duration time = std::chrono::minutes{5};
  /// Of each of stdout and stderr; more ends the command.
  std::size_t output_bytes = 1024 * 1024;
};

struct RunResult {
  ExitStatus status;
  std::string output;
  std::string error;  ///< stderr, with Error::pipe
  bool timed_out = false;
  /// A stream exceeded output_bytes; what is kept is its beginning.
  bool too_much_output = false;

  bool ok() const noexcept { return status.success() && !timed_out && !too_much_output; }
};

/// Runs a command to its end, feeding it `input` (with Input::pipe) and collecting what it prints. Returns when
/// the command has ended; whatever it left behind is killed. Throws StartError.
io::Task<RunResult> run_command(io::Executor executor, io::Clock& clock, SubprocessSpec spec, RunLimits limits,
                                std::string input = {});

}  // namespace build::base
