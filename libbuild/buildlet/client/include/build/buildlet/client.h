// Driving a worker: sending it files, running commands on it, clearing it, ending it.
//
// A Worker knows how to reach one buildlet (a function that gives a fresh connection) and speaks the buildlet's HTTP
// interface over it, one connection per call. It works with the original's buildlets too.
//
// A command is a Run: something with a name and an output with offsets which lives on the worker: start it under an id,
// follow its output from an offset, wait for its result, kill it. Under a lease (use_lease()) a worker that can
// (WorkerStatus::runs) keeps it whatever becomes of connections: follow() finds its way back by itself, and another
// process may go on with it under the same id. Otherwise it is carried over POST /exec: it lives only as long as its
// connection, and output comes once.
//
// Ownership: the Worker must outlive its runs; the clock outlives both. Everything lives on one executor (io/task.h);
// a Run must not be destroyed while one of its calls is pending. Cancelling the awaiting coroutine of any call
// gives its connection up.
#pragma once

#include <build/model/ids.h>
#include <io/byte_stream.h>
#include <io/clock.h>
#include <io/http1.h>

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

namespace build::net {
class ClientConnection;
}

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

/// Thrown by a DialWorker that will never give a connection again: nobody waits for it.
struct WorkerGone : public WorkerError {
  explicit WorkerGone(const std::string& text) : WorkerError(0, text) {}
};

struct WorkerStatus {
  int version = 0;  ///< of the buildlet's interface: 28 for ours, the original's numbers for the original's
  /// The worker is about to end: it goes on with what it does, and is to be given nothing new. Never set by an
  /// original's worker.
  bool draining = false;
  /// How many commands and transfers are under way. Always 0 from an original's worker.
  int working = 0;
  bool runs = false;  ///< runs and leases are to be had. Never with an original's worker.
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
  /// For a run under a lease: how long its worker may be out of reach before the run counts as lost. Its output goes on
  /// where it stopped if it comes back in time.
  io::Duration absence = std::chrono::seconds{30};
  /// status() keeps its connection for the next status(), so that regular questions cost no dial. Not where the worker
  /// counts connections, and only if it does not mind one that is idle between them.
  bool keep_connection = false;
};

class Worker {
 public:
  /// `hostname` is what the worker registered with (the Host of every request). `executor` is that of the
  /// connections that `dial` gives.
  Worker(io::Executor executor, io::Clock& clock, DialWorker dial, std::string hostname, WorkerLimits limits = {});
  ~Worker();
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

  /// Begins the lease `number`, greater than any before, or renews it: the worker is then nobody else's for `time` from
  /// the last request that carried the number. A new one finds the worker clean. With `resume` it must be held already.
  /// Returns whether it was. A refusal has status 409.
  io::Task<bool> take_lease(std::uint64_t number, std::chrono::seconds time, bool resume = false);
  /// Ends it: everything that runs is killed, the work directory emptied. Returns when that is so.
  io::Task<> end_lease(std::uint64_t number);
  /// From now on requests carry this lease's number, and renew it. 0: none.
  void use_lease(std::uint64_t number) noexcept { lease_ = number; }

  /// A run that has not begun yet, or is taken up if the worker has one of this id; see Run. An original's worker never
  /// learns the id.
  std::unique_ptr<Run> start(model::RunId id, RunSpec spec);

  const std::string& hostname() const noexcept { return hostname_; }

 private:
  io::RequestHead request(std::string method, std::string target) const;

  io::Executor executor_;
  io::Clock& clock_;
  DialWorker dial_;
  std::string hostname_;
  WorkerLimits limits_;
  std::uint64_t lease_ = 0;
  std::unique_ptr<net::ClientConnection> kept_;
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
