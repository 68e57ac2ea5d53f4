// Reverse mode: a worker dials the coordinator, registers, and serves the connections that come back.
//
// Ownership: everything handed in outlives the ReverseWorker. Lives on one executor. A session that is lost is dialed
// again after a random pause that grows; a registration that was refused is tried again at the longest pause, since a
// person has to act.
#pragma once

#include <build/base/backoff.h>
#include <build/base/log.h>
#include <build/base/random.h>
#include <build/net/server.h>
#include <io/clock.h>
#include <io/http1.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace build::buildlet {

struct Registration {
  std::string host_type;
  std::string hostname;
  std::string key;          ///< the builder key, or the worker's own token; sent to the coordinator and nowhere else
  std::string worker_id;    ///< 32 hexadecimal digits, lives as long as the state directory
  std::string instance_id;  ///< 32 hexadecimal digits, of this process
  std::vector<std::string> features;
  /// As the original's -swarming-bot: the worker belongs to one gomote instance of this id, and `key` is the token of
  /// the bot. Empty: an ordinary worker.
  std::string gomote_id;
};

/// GET /reverse with the headers of a registration, which are others with a gomote_id.
io::RequestHead registration_request(const Registration& registration);

/// Gives a new connection to the coordinator, encrypted and verified. Throws a sentence.
using DialCoordinator = std::function<io::Task<io::StreamPtr>()>;

struct ReverseOptions {
  io::Duration registration_limit = std::chrono::seconds{30};  ///< from the request to the 101
  io::Duration first_window = std::chrono::seconds{5};         ///< the first pause is shorter than this
  io::Duration longest_pause = std::chrono::seconds{60};
  /// A session that lasted this long makes the next pause a first one again.
  io::Duration settled = std::chrono::seconds{5};
};

class ReverseWorker {
 public:
  ReverseWorker(io::Executor executor, io::Clock& clock, base::RandomSource& random, DialCoordinator dial,
                net::Server& server, Registration registration, base::Logger& log, ReverseOptions options = {});
  ~ReverseWorker();
  ReverseWorker(const ReverseWorker&) = delete;
  ReverseWorker& operator=(const ReverseWorker&) = delete;

  /// Registers and serves, again and again, until stop().
  io::Task<> run();
  /// Ends the session; run() returns soon. May be called more than once.
  void stop() noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace build::buildlet
