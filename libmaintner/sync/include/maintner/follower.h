// Keeping a copy of a mutation log that somebody else serves: docs/maintner-sync.md has the protocol and the directory.
//
//   maintner::Follower follower(loop.executor(), clock, pool, {.server = "https://host/logs", .cache = directory});
//   while (true) {
//     auto list = co_await follower.next();   // a shared_ptr<const SegmentList>, as soon as there is something new
//     ...
//   }
//
// The directory has the names of the original's cache, so that a program of the original can go on with it. Several
// processes may share one: each holds its lock while it changes something. A segment that grows is appended to, and
// only renamed when it is whole: who has it open or mapped sees it grow. What has been read of a segment when a
// transfer breaks off, or the process dies, is kept; nothing is handed out before its SHA-224 is right, whatever lies
// in the directory, but for the segment that grows when there is no network.
//
// It lives on one executor. Files are left to the pool.
#pragma once

#include <io/blocking_pool.h>
#include <io/clock.h>
#include <io/proxy.h>
#include <io/task.h>
#include <io/tls.h>
#include <maintner/segments.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

namespace maintner {

/// The server's log is not the one any more of which we have the beginning. Throw away what was made of it, and begin
/// again with a new Follower; the cache may stay.
struct HistorySplit : std::runtime_error {
  HistorySplit() : std::runtime_error("maintner: leader server's history split, process out of sync") {}
};

struct FollowerOptions {
  std::string server;           ///< "https://maintner.golang.org/logs", or http://
  std::filesystem::path cache;  ///< made, for this user alone, if it is missing
  io::TlsTrust trust = {};
  io::Environment environment;                         ///< for proxies of TLS connections; empty: none
  std::uint64_t max_segment = std::uint64_t{1} << 32;  ///< bytes; a server that names a larger one is refused
  /// Only the segment that is the last one when next() is first called, and what comes behind it. Those before have no
  /// `file`. For a cache of its own.
  bool tail = false;
  std::function<void(const std::string& sentence)> log = {};  ///< of failures after which it tries again
};

class Follower {
 public:
  /// `clock` and `pool` outlive it. Throws std::invalid_argument if the server's address is none, or the trust is of
  /// no use.
  Follower(io::Executor executor, io::Clock& clock, io::BlockingPool& pool, FollowerOptions options);
  ~Follower();
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  /// Waits until there is something new, fetches it, and gives all that there is. If there is no way to the network
  /// when it is called for the first time, that is what the cache has; if that is nothing, it waits.
  ///
  /// Tries again where that may help: an index five times, with pauses of 1, 4, 9 and 16 s, a segment ten times,
  /// counted anew when something of it has come; without a way to the network every 15 s. Throws HistorySplit;
  /// std::runtime_error (std::system_error for files), whose text has the address: then it can be called again. One
  /// call at a time. Cancelling the awaiting coroutine ends it.
  io::Task<std::shared_ptr<const SegmentList>> next();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace maintner
