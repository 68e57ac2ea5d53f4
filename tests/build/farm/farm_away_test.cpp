// Workers that keep their runs: what goes on there while they are away, and what becomes of it.
#include <doctest/doctest.h>

#include "row_store.h"

namespace build::farm {

using model::AttemptOutcome;
using model::BuildId;
using model::BuildState;
using model::Result;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

/// A build that runs on w1, which keeps its runs: one step ended, one runs.
struct Running : Bench {
  Running() : Bench(one_builder()) {
    now = model::Time{std::chrono::sys_days{std::chrono::year{2025} / 1 / 31} + std::chrono::hours{12}};
    connect_keeping("s1", "w1");
    commits({"one"});
    feed(StepChanged{step(BuildId{1}, 0, AttemptOutcome::ok)});
    feed(StepChanged{step(BuildId{1}, 1)});
  }

  void leave() { end_session("s1", "the connection was reset"); }
  model::Attempt attempt() const { return rows.attempts.at({BuildId{1}, 1}); }
  model::Lease lease() const { return rows.leases.at(model::LeaseNumber{1}); }
};

}  // namespace

TEST_CASE("when a worker that keeps its runs goes away the attempt goes on, and nobody else gets the build") {
  Running bench;
  CHECK(bench.attempt().resumable);
  bench.connect_keeping("s2", "w2");
  bench.leave();
  CHECK(bench.actions.empty());
  CHECK(bench.rows.sessions.at(model::SessionId{"s1"}).why == "the connection was reset");
  CHECK(bench.build(1).state == BuildState::running);
  CHECK(bench.attempt().outcome == AttemptOutcome::running);
  CHECK(bench.rows.steps.at({BuildId{1}, 1, 1}).outcome == AttemptOutcome::running);
  CHECK_FALSE(bench.lease().released);
  CHECK_FALSE(bench.farm->explain(BuildId{1}));
  CHECK_FALSE(bench.farm->idle());
  const auto away = bench.farm->away(BuildId{1});
  REQUIRE(away);
  CHECK(away->hostname == "w1");
  CHECK(away->since == bench.now);
  CHECK(away->until == bench.now + minutes{30});
  CHECK(away->why == "the connection was reset");
  CHECK(away->sentence ==
        "its worker w1 is away since 2025-01-31 12:00:00 UTC (the connection was reset); the run goes on there, and is "
        "waited for until 2025-01-31 12:30:00 UTC");
  CHECK(bench.farm->due() == away->until);
  bench.pass(minutes{30} - seconds{1});
  CHECK(bench.build(1).state == BuildState::running);
}

TEST_CASE("when the worker is back the attempt is resumed in its new session, with what is known of its steps") {
  Running bench;
  bench.leave();
  bench.now += minutes{29};
  bench.connect_keeping("s2", "w2");
  CHECK(bench.actions.empty());
  bench.connect_keeping("s3", "w1");
  REQUIRE(bench.actions.size() == 1);
  const auto resumes = actions_of<ResumeAttempt>(bench);
  REQUIRE(resumes.size() == 1);
  CHECK(resumes[0].build == bench.build(1));
  CHECK(resumes[0].attempt == bench.attempt());
  REQUIRE(resumes[0].steps.size() == 2);
  CHECK(resumes[0].steps[0] == bench.rows.steps.at({BuildId{1}, 1, 0}));
  CHECK(resumes[0].steps[1] == bench.rows.steps.at({BuildId{1}, 1, 1}));
  CHECK(bench.attempt().session.value == "s3");
  CHECK(bench.lease().session.value == "s3");
  CHECK(bench.farm->leased_to(model::SessionId{"s3"}) == BuildId{1});
  CHECK_FALSE(bench.farm->away(BuildId{1}));
  CHECK_FALSE(bench.farm->due());

  SUBCASE("and ends there") {
    bench.feed(StepChanged{bench.step(BuildId{1}, 1, AttemptOutcome::ok)});
    bench.end_attempt(BuildId{1}, AttemptOutcome::ok);
    CHECK(bench.build(1).result == Result::ok);
    CHECK(bench.build(1).attempts == 1);
    CHECK(bench.lease().released == bench.now);
    CHECK_FALSE(bench.farm->leased_to(model::SessionId{"s3"}));
  }
  SUBCASE("and is away again, for as long again") {
    bench.end_session("s3", "gone again");
    CHECK(bench.farm->away(BuildId{1})->until == bench.now + minutes{30});
    CHECK(bench.farm->away(BuildId{1})->why == "gone again");
  }
  SUBCASE("and is lost, if the worker has nothing of it") {
    bench.end_attempt(BuildId{1}, AttemptOutcome::lost, "the worker has nothing of it");
    CHECK(bench.build(1).why == "attempt 1 on w1 was lost: the worker has nothing of it");
    CHECK(bench.started() == std::vector<std::int64_t>{1});
    CHECK(bench.rows.attempts_of(BuildId{1}).at(1).worker.value == "w2");
  }
}

TEST_CASE("a worker that comes back while its old session still stands is resumed at once") {
  Running bench;
  bench.connect_keeping("s2", "w1");
  REQUIRE(bench.actions.size() == 2);
  CHECK(actions_of<CloseSession>(bench).at(0).session.value == "s1");
  CHECK(actions_of<ResumeAttempt>(bench).at(0).attempt.session.value == "s2");
  CHECK(bench.rows.sessions.at(model::SessionId{"s1"}).ended);
  CHECK(bench.rows.attempts.size() == 1);
  // What is told of the old session late changes nothing.
  bench.leave();
  CHECK(bench.farm->leased_to(model::SessionId{"s2"}) == BuildId{1});
}

TEST_CASE("a worker that does not come back in time has lost its attempt, and the usual rules hold") {
  Running bench;
  bench.leave();
  bench.connect("s2", "w2");
  bench.pass(minutes{30});
  CHECK(bench.lease().released == bench.now);
  CHECK(bench.attempt().outcome == AttemptOutcome::lost);
  CHECK(bench.attempt().why ==
        "worker w1 did not come back within 30 min after 2025-01-31 12:00:00 UTC: the connection was reset");
  CHECK(bench.rows.steps.at({BuildId{1}, 1, 1}).outcome == AttemptOutcome::lost);
  CHECK(bench.started() == std::vector<std::int64_t>{1});
  CHECK(bench.rows.attempts_of(BuildId{1}).at(1).worker.value == "w2");
  CHECK_FALSE(bench.rows.attempts_of(BuildId{1}).at(1).resumable);
  CHECK_FALSE(bench.farm->due());
  bench.connect_keeping("s3", "w1");
  CHECK(bench.actions.empty());
}

TEST_CASE("a worker that comes back late, but before it was given up, is resumed") {
  Running bench;
  bench.leave();
  bench.now += minutes{31};
  bench.connect_keeping("s2", "w1");
  CHECK(actions_of<ResumeAttempt>(bench).size() == 1);
}

TEST_CASE("a worker that comes back and keeps no runs any more has lost its attempt") {
  Running bench;
  bench.leave();
  bench.connect("s2", "w1");
  CHECK(actions_of<ResumeAttempt>(bench).empty());
  CHECK(bench.attempt().why == "the connection was reset; when the worker was back it did not keep its runs any more");
  CHECK(bench.lease().released == bench.now);
  CHECK(bench.started() == std::vector<std::int64_t>{1});
  CHECK_FALSE(bench.rows.attempts_of(BuildId{1}).at(1).resumable);
}

TEST_CASE("who announces that it keeps its runs, but has no id by which it is known again, is not waited for") {
  Bench bench(one_builder());
  bench.connect_keeping("s1", "session/s1");
  bench.commits({"one"});
  CHECK_FALSE(bench.rows.attempts_of(BuildId{1}).at(0).resumable);
  bench.end_session("s1", "gone");
  CHECK(bench.build(1).state == BuildState::waiting);
}

TEST_CASE("what the shell had seen to its end before the worker went is taken while it is away") {
  Running bench;
  bench.leave();
  bench.end_attempt(BuildId{1}, AttemptOutcome::failed, "step test: exit status 2");
  CHECK(bench.build(1).result == Result::failed);
  CHECK(bench.lease().released == bench.now);
  CHECK_FALSE(bench.farm->due());
  bench.connect_keeping("s2", "w1");
  CHECK(bench.actions.empty());
}

TEST_CASE("over a restart what keeps running is waited for; then it is resumed with all its steps, or lost") {
  Running bench;
  SUBCASE("while it ran") {}
  SUBCASE("while its worker was away") {
    bench.leave();
    bench.now += minutes{20};
  }
  bench.restart();
  CHECK(bench.actions.empty());
  CHECK(bench.build(1).state == BuildState::running);
  CHECK(bench.rows.open_rows().sessions.empty());
  CHECK(bench.rows.steps.at({BuildId{1}, 1, 1}).outcome == AttemptOutcome::running);
  REQUIRE(bench.farm->away(BuildId{1}));
  CHECK(bench.farm->away(BuildId{1})->why == "the coordinator was restarted");
  CHECK(bench.farm->away(BuildId{1})->until == bench.now + minutes{30});
  bench.connect_keeping("s2", "w2");
  CHECK(bench.actions.empty());

  SUBCASE("it comes") {
    bench.connect_keeping("s3", "w1");
    REQUIRE(actions_of<ResumeAttempt>(bench).size() == 1);
    CHECK(actions_of<ResumeAttempt>(bench)[0].steps.size() == 2);
    CHECK(bench.lease().session.value == "s3");
    bench.end_attempt(BuildId{1}, AttemptOutcome::ok);
    CHECK(bench.build(1).result == Result::ok);
  }
  SUBCASE("it does not come") {
    bench.pass(minutes{30});
    CHECK(bench.attempt().why.find("did not come back within 30 min after ") != std::string::npos);
    CHECK(bench.attempt().why.ends_with(": the coordinator was restarted"));
    CHECK(bench.started() == std::vector<std::int64_t>{1});
  }
}

TEST_CASE("a build that is cancelled while its worker is away is finished, and the worker stops it when it is back") {
  Running bench;
  bench.leave();
  bench.feed(CancelBuild{BuildId{1}, "ann"});
  CHECK(bench.actions.empty());
  CHECK(bench.build(1).result == Result::cancelled);
  CHECK(bench.attempt().outcome == AttemptOutcome::cancelled);
  CHECK_FALSE(bench.lease().released);
  CHECK_FALSE(bench.farm->away(BuildId{1}));
  CHECK(bench.farm->due() == bench.now + minutes{30});
  bench.commits({"two"});

  SUBCASE("") {}
  SUBCASE("also if the coordinator was restarted in between") { bench.restart(); }
  SUBCASE("also if it was retried in between") {
    bench.feed(RetryBuild{bench.build(1), "bob"});
    bench.connect_keeping("s0", "w2");
    CHECK(bench.started() == std::vector<std::int64_t>{2});
    CHECK(bench.farm->explain(BuildId{1})->label == "stopping");
    CHECK(bench.farm->explain(BuildId{1})->sentence ==
          "waits until its cancelled attempt has stopped on w1, which is away since 2025-01-31 12:00:00 UTC (the "
          "connection was reset), or until 2025-01-31 12:30:00 UTC; no build is ahead; since 2025-01-31 12:00:00 UTC");
  }
  bench.connect_keeping("s3", "w1");
  REQUIRE(bench.actions.size() == 1);
  const StopAttempt stop = actions_of<StopAttempt>(bench).at(0);
  CHECK(stop.build == BuildId{1});
  CHECK(stop.attempt == 1);
  CHECK(stop.session.value == "s3");
  CHECK(stop.lease.value == 1);
  CHECK(bench.lease().session.value == "s3");
  CHECK(bench.farm->leased_to(model::SessionId{"s3"}) == BuildId{1});
  bench.feed(AttemptEnded{BuildId{1}, 1, stop.lease, AttemptOutcome::lost, "killed"});
  CHECK(bench.lease().released == bench.now);
  REQUIRE(actions_of<StartAttempt>(bench).size() == 1);
  CHECK(actions_of<StartAttempt>(bench)[0].attempt.session.value == "s3");
}

TEST_CASE("a cancelled build's worker that does not come back is not waited for longer than another") {
  Running bench;
  bench.connect("s2", "w2");
  SUBCASE("it was away when the build was cancelled") {
    bench.leave();
    bench.feed(CancelBuild{BuildId{1}, "ann"});
  }
  SUBCASE("it went away before it had stopped") {
    bench.feed(CancelBuild{BuildId{1}, "ann"});
    CHECK(actions_of<StopAttempt>(bench).at(0).session.value == "s1");
    bench.leave();
  }
  SUBCASE("the coordinator was restarted before it had stopped") {
    bench.feed(CancelBuild{BuildId{1}, "ann"});
    bench.restart();
    bench.connect("s3", "w2");
  }
  bench.feed(RetryBuild{bench.build(1), "bob"});
  CHECK(bench.started().empty());
  CHECK(bench.farm->explain(BuildId{1})->label == "stopping");
  bench.pass(minutes{30} - seconds{1});
  CHECK(bench.started().empty());
  bench.pass(seconds{1});
  CHECK(bench.lease().released == bench.now);
  CHECK(bench.started() == std::vector<std::int64_t>{1});
  CHECK(bench.rows.attempts_of(BuildId{1}).at(1).worker.value == "w2");
}

TEST_CASE("a retried build waits for its cancelled attempt also after a restart") {
  Running bench;
  bench.leave();
  bench.feed(CancelBuild{BuildId{1}, "ann"});
  bench.feed(RetryBuild{bench.build(1), "bob"});
  bench.restart();
  bench.connect("s2", "w2");
  CHECK(bench.started().empty());
  CHECK(bench.farm->explain(BuildId{1})->label == "stopping");
  bench.connect_keeping("s3", "w1");
  REQUIRE(actions_of<StopAttempt>(bench).size() == 1);
  CHECK(bench.started().empty());
  bench.feed(AttemptEnded{BuildId{1}, 1, model::LeaseNumber{1}, AttemptOutcome::lost, "killed"});
  CHECK(bench.started() == std::vector<std::int64_t>{1});
}

TEST_CASE("what was cancelled is free when the worker comes back without keeping runs, or the shell says so before") {
  Running bench;
  bench.leave();
  bench.feed(CancelBuild{BuildId{1}, "ann"});
  SUBCASE("without") {
    bench.connect("s2", "w1");
    CHECK(actions_of<StopAttempt>(bench).empty());
  }
  SUBCASE("before") { bench.feed(AttemptEnded{BuildId{1}, 1, model::LeaseNumber{1}, AttemptOutcome::lost, "killed"}); }
  CHECK(bench.lease().released == bench.now);
  CHECK_FALSE(bench.farm->due());
}

TEST_CASE("a worker that drains with something that it keeps is waited for, and gets work when it is back") {
  Running bench;
  bench.feed(SessionDraining{model::SessionId{"s1"}});
  bench.leave();
  bench.connect_keeping("s2", "w1");
  CHECK(actions_of<ResumeAttempt>(bench).size() == 1);
  bench.commits({"two"});
  bench.end_attempt(BuildId{1}, AttemptOutcome::ok);
  CHECK(bench.started() == std::vector<std::int64_t>{2});
}

TEST_CASE("a farm that drains need not wait for what goes on without it, but resumes what comes") {
  Running bench;
  bench.feed(Drain{});
  CHECK_FALSE(bench.farm->holds_unresumable());
  bench.connect_keeping("s2", "w1");
  CHECK(actions_of<ResumeAttempt>(bench).size() == 1);
  bench.end_session("s2", "gone");
  bench.pass(minutes{30});
  CHECK(bench.build(1).state == BuildState::waiting);
  CHECK(bench.farm->explain(BuildId{1})->label == "draining");
}

TEST_CASE("a farm says whether something runs, or stops, that would be lost with it") {
  Running bench;
  CHECK_FALSE(bench.farm->holds_unresumable());
  bench.commits({"two"});
  bench.connect("s2", "w2");
  CHECK(bench.farm->holds_unresumable());
  bench.feed(CancelBuild{BuildId{2}, "ann"});
  CHECK(bench.farm->holds_unresumable());
  bench.end_attempt(BuildId{2}, AttemptOutcome::lost);
  CHECK_FALSE(bench.farm->holds_unresumable());
}

TEST_CASE("a worker is waited for as long as it was said when it went; who goes later as it is said then") {
  Running bench;
  bench.leave();
  bench.rules.lease = minutes{5} + seconds{30};
  bench.feed(RulesChanged{bench.rules});
  CHECK(bench.farm->due() == bench.now + minutes{30});
  bench.connect_keeping("s2", "w1");
  bench.end_session("s2", "gone");
  CHECK(bench.farm->due() == bench.now + minutes{5} + seconds{30});
  bench.pass(minutes{6});
  CHECK(bench.attempt().why.find("did not come back within 5 min 30 s after") != std::string::npos);
}

TEST_CASE("a build that is not configured any more goes on while its worker is away, and is not tried again") {
  Running bench;
  bench.leave();
  bench.rules.repositories.clear();
  bench.feed(RulesChanged{bench.rules});
  CHECK(bench.build(1).state == BuildState::running);
  SUBCASE("it is back") {
    bench.connect_keeping("s2", "w1");
    bench.end_attempt(BuildId{1}, AttemptOutcome::ok);
    CHECK(bench.build(1).result == Result::ok);
  }
  SUBCASE("it is not") {
    bench.pass(minutes{30});
    CHECK(bench.build(1).result == Result::lost);
    CHECK(bench.build(1).why.find("repository r is no longer configured; before that, attempt 1 on w1 was lost") == 0);
  }
}

}  // namespace build::farm
