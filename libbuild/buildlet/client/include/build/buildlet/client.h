// Driving a worker: sending and fetching files, running commands on it, clearing it, ending it.
//
// A Worker knows how to reach one buildlet (a function that gives a fresh connection: revdial's dial(), or dial_at() of
// reach.h) and speaks the buildlet's HTTP interface (docs/buildlet-api.md) over it, one connection per call. It works
// with the original's buildlets too. For code that blocks: blocking.h.
//
// Ownership: the Worker must outlive its runs; the clock outlives both. Everything lives on one executor (io/task.h).
// Cancelling the awaiting coroutine of any call gives its connection up.
#pragma once

#include <build/buildlet/run.h>
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

struct WorkerLink;

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
  bool runs = false;                   ///< runs and leases are to be had. Never with an original's worker.
  std::optional<std::uint64_t> lease;  ///< what it is under at the moment
  std::uint64_t last_lease = 0;        ///< the greatest number that it ever saw
  // Of the machine, each at most some seconds old; 0 where it is not known. Bytes.
  double load = 0;  ///< processes that ran or wanted to, in the last minute
  std::uint64_t memory = 0, memory_available = 0, disk = 0, disk_available = 0;
};

struct ListOptions {
  bool recursive = false;
  std::vector<std::string> skip;  ///< directories, relative to the one that is listed, that are left out
  bool digest = false;            ///< with each file's SHA-1
};

/// A line of /ls.
struct DirEntry {
  std::string line;  ///< as it came
  std::string mode;  ///< as Go prints it: "-rw-r--r--", "drwxr-xr-x"
  std::string name;  ///< relative to the directory that is listed; a directory's ends with "/"
  // Of a regular file.
  std::optional<std::uint64_t> size;
  std::string time;    ///< "2017-07-14T02:40:00Z"
  std::string digest;  ///< SHA-1 in hexadecimal, if it was asked for

  bool directory() const noexcept { return mode.starts_with('d'); }
};

struct WorkerLimits {
  io::Duration head = std::chrono::seconds{20};   ///< to dial, send a request and receive the head of its answer
  io::Duration halt = std::chrono::seconds{2};    ///< the same for halt()
  io::Duration write = std::chrono::seconds{60};  ///< for the worker to take one more piece of a body
  /// For put() and put_tgz(): from the last byte sent to the answer; the worker may still be unpacking.
  io::Duration unpack = std::chrono::minutes{10};
  /// For put_tgz_from_url(): the worker has limits of its own, 30 minutes in all.
  io::Duration fetch = std::chrono::minutes{31};
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
  /// `hostname` is what the worker registered with (the Host of every request).
  Worker(io::Clock& clock, DialWorker dial, std::string hostname, WorkerLimits limits = {});
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// For workers that ask who comes (HTTP Basic authentication). From the next call on.
  void use_password(std::string_view user, std::string_view password);

  // All of these throw WorkerError, or what `dial` or `body` threw. Paths are relative to the work directory.

  io::Task<WorkerStatus> status();
  /// The work directory's path on the worker.
  io::Task<std::string> workdir();
  /// Writes a file, which stands under its name only when it is whole. `permissions` are the lower nine bits.
  io::Task<> put(std::string path, BodySource body, unsigned permissions = 0644);
  /// Unpacks a tar.gz below `dir` (made if missing; empty: the work directory). A worker that refuses the archive
  /// midway is heard at once.
  io::Task<> put_tgz(std::string dir, BodySource body);
  /// The same with an archive that the worker fetches itself.
  io::Task<> put_tgz_from_url(std::string dir, std::string url);
  /// A tar.gz of what is in `dir` (empty: the work directory). An archive that breaks off ends with WorkerError, not
  /// with 0. To give up: let the source go.
  io::Task<BodySource> get_tgz(std::string dir);
  /// What is in `dir` (empty: the work directory), in the order of their names' bytes.
  io::Task<> list(std::string dir, ListOptions options, std::function<void(const DirEntry&)> each);
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
  /// take_lease() and use_lease() for who has no numbers to give: after it, runs survive breaks. False if the worker
  /// does not keep runs (an original's): they go over /exec, and a break loses them. Throws WorkerError 409 if the
  /// worker is under somebody's lease.
  io::Task<bool> keep_runs(std::chrono::seconds time = std::chrono::minutes{30});
  /// The lease in use; 0: none.
  std::uint64_t lease() const noexcept { return lease_; }

  /// A run that has not begun yet, or is taken up if the worker has one of this id; see Run. An original's worker never
  /// learns the id.
  std::unique_ptr<Run> start(model::RunId id, RunSpec spec);
  /// Ends what is left of a run that the worker keeps, and deletes its output there. Under a lease only.
  io::Task<> delete_run(model::RunId id);

  const std::string& hostname() const noexcept;

 private:
  const std::unique_ptr<WorkerLink> link_;  ///< which the runs use
  std::uint64_t lease_ = 0;
  std::unique_ptr<net::ClientConnection> kept_;
};

struct HeartbeatLimits {
  io::Duration period = std::chrono::seconds{10};
  int failures = 3;  ///< in a row
};
/// Asks for the status again and again. Returns when that failed too often, with a sentence that says so; ends
/// otherwise only by cancellation.
io::Task<std::string> heartbeats(Worker& worker, io::Clock& clock, HeartbeatLimits limits = {});

}  // namespace build::buildlet
