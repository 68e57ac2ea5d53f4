// What may still run on the workers, known from what the farm was told and what it wanted done, not from what it
// thinks. After each event it is compared with the leases that the farm holds.
#pragma once

#include <build/farm/farm.h>

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "row_store.h"

namespace build::farm {

/// Like REQUIRE, without doctest's work for each of millions of checks that pass.
void must(bool holds, const char* rule);

class Liveness {
 public:
  /// `event` is about to be handed in.
  void before(const Event& event, const Bench& bench);
  /// The farm is about to be started anew.
  void before_restart(const Bench& bench);
  /// It was decided.
  void after(const Bench& bench);

  std::size_t resumed() const { return resumed_; }
  std::size_t stopped_later() const { return stopped_later_; }
  std::size_t given_up() const { return given_up_; }

 private:
  /// An attempt that may run on its worker.
  struct Run {
    model::BuildId build;
    int attempt = 0;
    model::WorkerId worker;
    model::SessionId session;
    bool resumable = false;
    std::optional<model::Time> until;  ///< while the worker is away: how long it is waited for
    bool told = false;                 ///< nothing of it runs any more, and the farm knows
  };

  void end_session(const model::SessionId& session, const Bench& bench);
  void connect(const model::Session& session, const Bench& bench);
  void follow(const StartAttempt& start, const Bench& bench);
  void follow(const ResumeAttempt& resume, const Bench& bench);
  void follow(const StopAttempt& stop, const Bench& bench);
  void follow(const CloseSession&, const Bench&) {}
  void compare(const Bench& bench);

  std::map<model::LeaseNumber, Run> runs_;
  std::map<model::SessionId, model::Session> sessions_;
  std::set<model::SessionId> seen_;
  std::size_t resumed_ = 0, stopped_later_ = 0, given_up_ = 0;
};

}  // namespace build::farm
