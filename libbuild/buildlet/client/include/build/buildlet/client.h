// Driving a worker: sending it files, running commands on it, clearing it, ending it.
//
// A Worker knows how to reach one buildlet (a function that gives a fresh connection) and speaks the buildlet's HTTP
// interface over it, one connection per call. It works with the original's buildlets too.
//
// A command is a Run. The face is that of something with a name and an output with offsets which lives on the worker:
// start it under an id, follow its output from an offset, wait for its result, kill it. Today it is carried over
// POST /exec, where the run lives only as long as its connection; therefore follow() goes forward byte by byte and a
// broken connection loses the run. A carrier that can resume changes nothing in this face.
//
// Ownership: the Worker must outlive its runs; the clock outlives both. Everything lives on one executor (io/task.h);
// a Run must not be destroyed while one of its calls is pending. Cancelling the awaiting coroutine of any call
// gives its connection up.
#pragma once

#include <build/model/ids.h>
#include <io/byte_stream.h>
#include <io/clock.h>

#include <boost/asio/buffer.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace build::buildlet {

/// Gives a new connection to the worker, ready for HTTP. Throws when there is none to be had.
using DialWorker = std::function<io::Task<io::StreamPtr>()>;

/// Gives the next bytes of a body: at least 1, at most into.size(); 0 is the end. Throws when the source fails;
/// the call that reads it then fails with that exception.
using BodySource = std::function<io::Task<std::size_t>(io::asio::mutable_buffer into)>;

/// A call that failed. `status` is the HTTP status of the worker's answer, 0 if no whole answer came (the worker or
/// the way to it is broken). The text names the worker and the call, and holds at most 4 KiB of the worker's own.
class WorkerError : public std::runtime_error {
 public:
  WorkerError(int http_status, const std::string& text) : std::runtime_error(text), status(http_status) {}
  /// Whether the worker, or the way to it, is to blame and not what was asked of it: the same may well succeed
  /// elsewhere. So it is with every 5xx; 507 says that the worker's disk is full.
  bool workers_fault() const noexcept { return status == 0 || status >= 500; }
  int status;
};

struct WorkerStatus {
  int version = 0;  ///< of the buildlet's interface: 28 for ours, the original's numbers for the original's
  /// The worker is about to end: it goes on with what it does, and is to be given nothing new. Never set by an
  /// original's worker.
  bool draining = false;
  /// How many commands and transfers are under way. Always 0 from an original's worker.
  int working = 0;
};

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
};

enum class RunOutcome {
  succeeded,      ///< the command ended with status 0
  failed,         ///< it ended otherwise; text is "exit status 3", "signal: killed", ...
  could_not_run,  ///< the worker is well but did not start it; text says why ("chdir /x: no such file or directory")
  /// It is not known how, or whether, the command ended; text says what broke. Also: it failed, and the worker says
  /// that the worker itself may be to blame, its disk being full.
  lost,
};

struct RunResult {
  RunOutcome outcome = RunOutcome::lost;
  std::string text;  ///< empty for succeeded
};

/// One command on a worker. It begins with the first follow() or result(). Only one call may be pending at a time,
/// except that kill() may be called at any time.
class Run {
 public:
  virtual ~Run() = default;

  /// Output from `offset` on, stdout and stderr in one: waits for at least 1 byte, gives at most into.size(). 0 means
  /// that no more output comes: result() then answers at once. A run that could not start, or that breaks, also ends
  /// with 0; result() tells. There is no time limit while the command runs; a limit is the caller's, by kill().
  /// Throws std::invalid_argument if `offset` is not that of the next byte: carried over /exec, output cannot be read
  /// again.
  virtual io::Task<std::size_t> follow(std::uint64_t offset, io::asio::mutable_buffer into) = 0;

  /// Waits for the end. Output that was not followed is read and dropped. Never throws because of the worker.
  virtual io::Task<RunResult> result() = 0;

  /// Ends the command and everything it started (on the original's workers: the command alone). Pending calls return
  /// soon; result() then is `lost` with the text "killed", unless the command had ended before.
  virtual void kill() noexcept = 0;

  virtual const model::RunId& id() const noexcept = 0;
};

struct WorkerLimits {
  io::Duration head = std::chrono::seconds{20};   ///< to dial, send a request and receive the head of its answer
  io::Duration halt = std::chrono::seconds{2};    ///< the same for halt()
  io::Duration write = std::chrono::seconds{60};  ///< for the worker to take one more piece of a body
  /// For write_tgz: from the last byte sent to the answer; the worker may still be unpacking.
  io::Duration unpack = std::chrono::minutes{10};
  /// For remove_all: the same.
  io::Duration remove = std::chrono::minutes{10};
};

class Worker {
 public:
  /// `hostname` is what the worker registered with (the Host of every request). `executor` is that of the
  /// connections that `dial` gives.
  Worker(io::Executor executor, io::Clock& clock, DialWorker dial, std::string hostname, WorkerLimits limits = {});
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // All of these throw WorkerError, or what `dial` or `body` threw.

  io::Task<WorkerStatus> status();
  /// Unpacks a tar.gz below `dir` (relative to the work directory, made if missing; empty: the work directory). A
  /// worker that refuses the archive midway is heard at once.
  io::Task<> write_tgz(std::string dir, BodySource body);
  /// Deletes files and trees; paths are relative to the work directory, "." is all of it. A missing one is no error.
  /// No paths: nothing is asked of the worker.
  io::Task<> remove_all(std::vector<std::string> paths);
  /// Asks the worker's process to end; returns when it has agreed.
  io::Task<> halt();
  /// A connection to an ssh server on the worker, at which `user` can log in with the key of which `authorized_key` is
  /// the public half ("ssh-ed25519 AAAA..."). What the server said right behind its consent is in the stream.
  io::Task<io::StreamPtr> connect_ssh(std::string user, std::string authorized_key);

  /// A run that has not begun yet; see Run. `id` names it for the caller; an original's worker never learns it.
  std::unique_ptr<Run> start(model::RunId id, RunSpec spec);

  const std::string& hostname() const noexcept { return hostname_; }

 private:
  friend class ExecRun;

  io::Executor executor_;
  io::Clock& clock_;
  DialWorker dial_;
  std::string hostname_;
  WorkerLimits limits_;
};

/// The body of POST /exec for `spec`: urlencoded, keys sorted as the original's client does.
std::string encode_exec_form(const RunSpec& spec);

/// What the text of a Process-State trailer means.
RunResult result_of_process_state(std::string_view text);

}  // namespace build::buildlet
