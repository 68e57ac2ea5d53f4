// Workers that dialed in: registration, their sessions, connections to them.
//
// Serves GET /reverse and GET /revdial. A session is told to the farm after the worker answered /status over a
// connection dialed back to it. It ends when its control channel does (the kernel notices a host that has gone
// silently, see io::TcpOptions), or when the worker's process does not answer: it is asked, over a connection that is
// kept for it, every minute while it is idle, every 4 s while a build runs on it, and has 8 s to answer.
//
// A worker has one session. A registration under the id of a worker that has one already takes its place if it comes
// from the same process, or if the old session is not answered any more. Otherwise two processes claim one id (a state
// directory that was copied, or a lie): the one that works stays, the other is refused (409), which is said in
// notices().
#pragma once

#include <build/base/log.h>
#include <build/base/random.h>
#include <build/buildlet/client.h>
#include <build/coordinator/farm_loop.h>
#include <build/coordinator/worker_tokens.h>
#include <build/net/server.h>
#include <io/clock.h>
#include <io/event.h>
#include <revdial/dialer.h>
#include <revdial/pickups.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace build::coordinator {

/// Whose registrations are accepted.
struct WorkerTrust {
  std::string master_key;
  bool allow_dev_key = false;  ///< also keys derived from the original's public master key
  /// Tokens of single workers, accepted in place of a key; see set_tokens().
  std::vector<WorkerToken> tokens;
};

/// One worker's session. Shared by the hub and by whoever uses the worker at the moment.
class WorkerSession {
 public:
  WorkerSession(io::Executor executor, io::Clock& clock, io::StreamPtr control, revdial::Pickups& pickups,
                revdial::RandomBytes random, model::Session record);

  const model::Session& record() const { return record_; }
  buildlet::Worker& worker() { return worker_; }
  /// Ends it; the first reason given is kept.
  void close(const std::string& why);
  /// From now on requests carry this lease's number, the regular questions for its status too: they renew it. 0: none.
  void use_lease(std::uint64_t number);
  /// A lease of it began: its worker is looked after more closely from now on.
  void watch_closely() { wake_.notify_all(); }
  /// `over` is called when the session is over, unless it is taken back with an empty one before.
  void on_end(std::function<void()> over) { over_ = std::move(over); }

 private:
  friend class WorkerHub;
  io::Task<io::StreamPtr> dial(revdial::DialOptions options);
  model::Session record_;
  revdial::Dialer dialer_;
  buildlet::Worker worker_;
  /// The same worker, with less patience. It keeps its connection: a new one for each regular question would cost both
  /// sides a TLS handshake, and is no dial after which others are to be expected.
  buildlet::Worker probe_;
  std::string why_closed_;
  std::function<void()> over_;
  std::string token_sha256_;  ///< of the token that it registered with; empty: it was a key
  bool announced_ = false;
  bool draining_ = false;
  io::Event wake_;
  io::Gate gate_;
};

class WorkerHub {
 public:
  static constexpr std::size_t kMaxSessions = 10'000;

  WorkerHub(io::Executor executor, io::Clock& clock, base::RandomSource& random, base::Logger& log, WorkerTrust trust,
            FarmLoop& farm, std::size_t max_sessions = kMaxSessions);

  void add_routes(net::Router& router);

  /// nullptr if it has ended.
  std::shared_ptr<WorkerSession> find(const model::SessionId& id) const;
  void close(const model::SessionId& id, const std::string& why);
  /// From now on these are the tokens that are accepted. Sessions that began with one that is not among them end.
  void set_tokens(std::vector<WorkerToken> tokens);
  /// Ends all sessions and waits for them.
  io::Task<> stop();
  /// Sentences about registrations that were refused lately though their key was right.
  std::vector<std::string> notices() const;

 private:
  io::Task<> serve_reverse(net::Request& request, net::Response& response);
  io::Task<> serve_revdial(net::Request& request, net::Response& response);
  struct Accepted {
    model::Session record;
    std::string token_sha256;
  };
  Accepted check_registration(const net::Request& request) const;
  void end_if_revoked(WorkerSession& session) const;
  Accepted check_secret(const std::string& secret, model::Session record) const;
  io::Task<> run_session(std::shared_ptr<WorkerSession> session);
  io::Task<> welcome(std::shared_ptr<WorkerSession> session);
  io::Task<> keep_checking(std::shared_ptr<WorkerSession> session);
  io::Task<> check(std::shared_ptr<WorkerSession> session);
  io::Task<> make_room_for(const model::Session& record);
  std::shared_ptr<WorkerSession> other_process_of(const model::Session& record) const;
  void log_failure(std::exception_ptr error);

  io::Executor executor_;
  io::Clock& clock_;
  base::RandomSource& random_;
  base::Logger& log_;
  WorkerTrust trust_;
  FarmLoop& farm_;
  std::size_t max_sessions_;
  revdial::Pickups pickups_;
  std::map<model::SessionId, std::shared_ptr<WorkerSession>> sessions_;
  std::multimap<model::WorkerId, WorkerSession*> by_worker_;  ///< the same
  struct Refusal {
    std::string sentence;
    io::Instant when;
  };
  std::map<model::WorkerId, Refusal> refusals_;  ///< because of an id that is taken; bounded by max sessions
  bool stopping_ = false;
  io::Gate gate_;
};

}  // namespace build::coordinator
