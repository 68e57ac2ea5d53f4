// Workers that dialed in: registration, their sessions, connections to them.
//
// Serves GET /reverse and GET /revdial. A session is told to the farm after the worker answered /status over a
// connection dialed back to it. It ends when its control channel does (the kernel notices a host that has gone
// silently, see io::TcpOptions), or when the worker's process does not answer: it is asked every 15 s while it is idle,
// every 4 s while a build runs on it, and has 8 s to answer.
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
#include <build/net/server.h>
#include <io/clock.h>
#include <io/event.h>
#include <revdial/dialer.h>
#include <revdial/pickups.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace build::coordinator {

/// Whose registrations are accepted.
struct WorkerTrust {
  std::string master_key;
  bool allow_dev_key = false;  ///< also keys derived from the original's public master key
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

 private:
  friend class WorkerHub;
  model::Session record_;
  revdial::Dialer dialer_;
  buildlet::Worker worker_;
  buildlet::Worker probe_;  ///< the same worker, with less patience
  std::string why_closed_;
  bool announced_ = false;
  bool draining_ = false;
  io::Event wake_;
  io::Gate gate_;
};

class WorkerHub {
 public:
  WorkerHub(io::Executor executor, io::Clock& clock, base::RandomSource& random, base::Logger& log, WorkerTrust trust,
            FarmLoop& farm);

  void add_routes(net::Router& router);

  /// nullptr if it has ended.
  std::shared_ptr<WorkerSession> find(const model::SessionId& id) const;
  void close(const model::SessionId& id, const std::string& why);
  /// Ends all sessions and waits for them.
  io::Task<> stop();
  /// Sentences about registrations that were refused lately though their key was right.
  std::vector<std::string> notices() const;

 private:
  io::Task<> serve_reverse(net::Request& request, net::Response& response);
  io::Task<> serve_revdial(net::Request& request, net::Response& response);
  model::Session check_registration(const net::Request& request) const;
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
  revdial::Pickups pickups_;
  std::map<model::SessionId, std::shared_ptr<WorkerSession>> sessions_;
  struct Refusal {
    std::string sentence;
    io::Instant when;
  };
  std::map<model::WorkerId, Refusal> refusals_;  ///< because of an id that is taken; bounded by max sessions
  bool stopping_ = false;
  io::Gate gate_;
};

}  // namespace build::coordinator
