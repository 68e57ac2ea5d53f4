// What a run is asked to do and how it ended, and both as JSON: the form in which a supervisor is told, and in which
// they are kept beside the spool (docs/run-spool.md). Plain values; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace build::runs {

struct TerminalSize {
  std::uint16_t rows = 24, columns = 80;
  bool operator==(const TerminalSize&) const = default;
};

/// A command with everything resolved.
struct Command {
  std::string id;                           ///< check_run_id()
  std::string program;                      ///< the file to execute, absolute
  std::vector<std::string> argv;            ///< argv[0] included
  std::vector<std::string> environment;     ///< "NAME=value", exactly the child's
  std::string directory;                    ///< absolute
  bool input = false;                       ///< stdin is a stream that is sent later; otherwise it is the null device
  std::optional<TerminalSize> terminal;     ///< stdin, stdout and stderr are a terminal of this size
  std::chrono::milliseconds time_limit{0};  ///< then it is killed; 0: none
  std::chrono::milliseconds silence_limit{0};  ///< then it is killed, if it printed nothing for so long; 0: none
  /// How long output is still read, after the command itself has ended, from what it left behind; 0: as long as it
  /// takes.
  std::chrono::milliseconds linger{0};
  std::uint64_t output_cap = 256ull << 20;  ///< bytes kept
  std::string user;                         ///< whom it runs as; empty: as the worker
  bool no_network = false;                  ///< it sees a network of its own, with nothing but its loopback
  /// The lease it belongs to; 0: none. With one it is killed when the lease is over.
  std::uint64_t lease = 0;
  /// It is nobody's but the connection's that made it: a worker that finds it after a restart kills it, and it prints
  /// no faster than its one reader reads, so that none of its output is left out.
  bool ephemeral = false;
  std::string request;  ///< what it was made from, for telling a repeated request from another one

  bool operator==(const Command&) const = default;
};

/// Letters, digits, '-', '_' and '.', not first a '.', 1 to 100 of them: it is a directory's name.
bool is_run_id(std::string_view id) noexcept;

enum class Ending {
  exited,       ///< by itself: `code`
  signaled,     ///< `signal`
  not_started,  ///< `text` says why
  lost,         ///< its supervisor died; nothing more is known
};

struct Result {
  Ending ending = Ending::lost;
  int code = 0;
  int signal = 0;
  /// As Go prints a process state ("exit status 3"), or why it was not started.
  std::string text;
  /// Why it was killed, if that was not its own doing: "the time limit of 60 s was exceeded". Empty: it was not.
  std::string killed;
  // Of the command and everything that it waited for or left behind and that had ended by then.
  std::chrono::microseconds user{0}, system{0};
  std::uint64_t peak_memory = 0;  ///< bytes; of the largest process where there is no cgroup to ask
  std::chrono::microseconds wall{0};

  bool ok() const noexcept { return ending == Ending::exited && code == 0 && killed.empty(); }
};

std::string to_json(const Command& command);
std::string to_json(const Result& result);
/// Throw std::runtime_error saying what is wrong with it.
Command command_from_json(std::string_view json);
Result result_from_json(std::string_view json);

std::string_view name_of(Ending ending);  ///< "exited", "signaled", "not started", "lost"

}  // namespace build::runs
