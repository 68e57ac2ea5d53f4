// A command on a worker: what is asked for, how it is followed, how it ended.
//
// A Run has a name and an output with offsets, and lives on the worker: start it under an id (Worker::start()), follow
// its output from an offset, wait for its result, kill it. Under a lease a worker that can (WorkerStatus::runs) keeps
// it whatever becomes of connections: follow() finds its way back by itself, and another process may go on with it
// under the same id. Otherwise it is carried over POST /exec: it lives only as long as its connection, and output comes
// once.
//
// Ownership: the Worker outlives its runs. Everything lives on one executor (io/task.h); a Run must not be destroyed
// while one of its calls is pending.
#pragma once

#include <build/model/ids.h>
#include <io/clock.h>
#include <io/task.h>

#include <boost/asio/buffer.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace build::buildlet {

struct RunSpec {
  std::string cmd;  ///< below the work directory ("tree/make.sh"), absolute, or a name the worker looks up in its PATH
  std::vector<std::string> args;  ///< without the command itself
  std::vector<std::string> env;   ///< "NAME=value", added to the worker's own; later ones win
  /// Absolute or below the work directory. Empty: the command's own directory, or the work directory for a
  /// system-level command.
  std::string dir;
  /// The command's PATH, element by element; "$PATH" and "$WORKDIR" in them are replaced by the worker. Not set: the
  /// worker's own PATH. Set and empty: an empty PATH.
  std::optional<std::vector<std::string>> path;
  enum class Level { workdir, system };
  Level level = Level::workdir;      ///< system: `cmd` is absolute or looked up in PATH, never below the work directory
  bool print_command_first = false;  ///< the output begins with a line that says what is run, with its environment
  // What follows is for runs under a lease; over /exec it is not kept.
  io::Duration time_limit{0};     ///< then it is killed; 0: none
  io::Duration silence_limit{0};  ///< then it is killed, if it printed nothing for so long; 0: none
  /// How long output is still read, after the command itself has ended, from what it left behind; 0: as long as it
  /// takes.
  io::Duration linger{0};
  std::uint64_t output_cap = 0;  ///< bytes that the worker keeps, from 1 MiB; 0: its default, 256 MiB
  std::string user;              ///< whom it runs as; empty: as the worker has it
  /// In a box, where it sees the system read-only, its work directory, and no other process. Over /exec: not begun.
  bool sandbox = false;
};

enum class RunOutcome {
  succeeded,      ///< the command ended with status 0
  failed,         ///< it ended otherwise; text is "exit status 3", "signal: killed", ...
  could_not_run,  ///< the worker is well but did not start it; text says why ("chdir /x: no such file or directory")
  /// It is not known how, or whether, the command ended; text says what broke. Also: it failed, and the worker says
  /// that the worker itself may be to blame, its disk being full.
  lost,
};

/// What a run used, itself and everything that it waited for.
struct RunUsage {
  io::Duration user{0}, system{0}, wall{0};
  std::uint64_t peak_memory = 0;  ///< bytes
};

struct RunResult {
  RunOutcome outcome = RunOutcome::lost;
  std::string text;         ///< empty for succeeded
  std::string killed = {};  ///< why the worker killed it ("the time limit of 60 s was exceeded"); then it failed
  std::optional<RunUsage> usage = {};  ///< not over /exec
  /// Lost because the worker could not be asked: under a lease the run may go on there.
  bool out_of_reach = false;
};

/// A piece of a run's output.
struct RunOutput {
  std::uint64_t offset = 0;  ///< of its first byte; greater than what was asked for if the worker kept none before it
  std::size_t size = 0;      ///< 0: no more comes
};

/// One command on a worker. It begins with the first follow() or result(). Only one call may be pending at a time,
/// except that kill() and let_go() may be called at any time.
class Run {
 public:
  virtual ~Run() = default;

  /// Output from `offset` on, stdout and stderr in one: waits for at least 1 byte, gives at most into.size(). Size 0
  /// means that no more output comes: result() then answers at once. A run that could not start, or that breaks, also
  /// ends with 0; result() tells. There is no time limit while the command runs; a limit is the caller's, by kill(), or
  /// RunSpec's. Over /exec throws std::invalid_argument if `offset` is not that of the next byte: there output cannot
  /// be read again.
  virtual io::Task<RunOutput> follow(std::uint64_t offset, io::asio::mutable_buffer into) = 0;

  /// Waits for the end. Output that was not followed is read and dropped. Never throws because of the worker.
  virtual io::Task<RunResult> result() = 0;

  /// Ends the command and everything it started (on the original's workers: the command alone). Pending calls return
  /// soon; result() then is `lost` with the text "killed", unless the command had ended before. Of a run under a lease
  /// the worker hears when one of these calls is made or pending.
  virtual void kill() noexcept = 0;

  /// Gives up following: pending calls return soon, and result() is `lost`. Under a lease the run goes on; over /exec
  /// this is kill().
  virtual void let_go() noexcept = 0;

  /// Whether the worker keeps it: a connection that breaks is then mended. If not, the command is lost with it.
  virtual bool kept() const noexcept = 0;

  virtual const model::RunId& id() const noexcept = 0;
};

/// The body of POST /runs.
std::string encode_run_request(const model::RunId& id, const RunSpec& spec);

/// What GET /runs/<id> answered: how the run ended; nullopt while it runs. Throws std::runtime_error for what is no
/// such answer.
std::optional<RunResult> parse_run_answer(std::string_view json);

/// The body of POST /exec for `spec`: urlencoded, keys sorted as the original's client does.
std::string encode_exec_form(const RunSpec& spec);

/// What the text of a Process-State trailer means.
RunResult result_of_process_state(std::string_view text);

}  // namespace build::buildlet
