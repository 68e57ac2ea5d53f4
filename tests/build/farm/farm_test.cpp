// The life of builds, attempts and sessions.
#include <doctest/doctest.h>

#include "row_store.h"

namespace build::farm {

using model::AttemptOutcome;
using model::BuildId;
using model::BuildState;
using model::Result;
using std::chrono::seconds;

TEST_CASE("a whole build's life is driven by events alone") {
  Bench bench(one_builder());
  CHECK(bench.farm->idle());
  bench.commits({"one"});
  const BuildId id{1};
  CHECK(bench.build(1).state == BuildState::waiting);
  CHECK(bench.build(1).host_type.value == "linux");
  CHECK(bench.rows.commits.size() == 1);
  CHECK_FALSE(bench.farm->idle());

  bench.now += seconds{5};
  bench.connect("s1", "w1");
  const auto starts = actions_of<StartAttempt>(bench);
  REQUIRE(starts.size() == 1);
  CHECK(starts[0].build == bench.build(1));
  CHECK(starts[0].attempt.number == 1);
  CHECK(starts[0].attempt.session.value == "s1");
  CHECK(starts[0].attempt.lease.value == 1);
  CHECK(bench.build(1).state == BuildState::running);
  CHECK(bench.farm->leased_to(model::SessionId{"s1"}) == id);
  REQUIRE(bench.rows.leases.size() == 1);
  CHECK_FALSE(bench.rows.leases.begin()->second.released);

  bench.feed(StepChanged{bench.step(id, 0)});
  CHECK(bench.rows.steps.size() == 1);
  bench.feed(StepChanged{bench.step(id, 0, AttemptOutcome::ok)});
  CHECK(bench.rows.steps.begin()->second.outcome == AttemptOutcome::ok);

  bench.now += seconds{7};
  bench.end_attempt(id, AttemptOutcome::ok);
  CHECK(bench.build(1).state == BuildState::finished);
  CHECK(bench.build(1).result == Result::ok);
  CHECK(bench.build(1).why.empty());
  CHECK(bench.build(1).finished == bench.now);
  CHECK(bench.rows.leases.begin()->second.released == bench.now);
  CHECK(bench.rows.attempts_of(id).at(0).outcome == AttemptOutcome::ok);
  CHECK_FALSE(bench.farm->leased_to(model::SessionId{"s1"}));
  CHECK(bench.farm->idle());
}

TEST_CASE("a failed attempt is the commit's fault: it is not tried again and keeps its sentence") {
  Bench bench(one_builder());
  bench.connect("s1", "w1");
  bench.commits({"one"});
  bench.end_attempt(BuildId{1}, AttemptOutcome::failed, "step test: exit status 2");
  CHECK(bench.build(1).result == Result::failed);
  CHECK(bench.build(1).why == "step test: exit status 2");
  CHECK(bench.rows.attempts.size() == 1);
  CHECK(bench.actions.empty());
}

TEST_CASE("a lost session loses the attempt and its running steps; the build is tried again elsewhere") {
  Bench bench(one_builder());
  bench.connect("s1", "w1");
  bench.commits({"one"});
  bench.feed(StepChanged{bench.step(BuildId{1}, 0, AttemptOutcome::ok)});
  bench.feed(StepChanged{bench.step(BuildId{1}, 1)});
  bench.end_session("s1", "the connection was reset");
  CHECK(actions_of<StopAttempt>(bench).size() == 1);
  CHECK(bench.build(1).state == BuildState::waiting);
  CHECK(bench.build(1).why == "attempt 1 on w1 was lost: the connection was reset");
  const auto lost = bench.rows.attempts_of(BuildId{1}).at(0);
  CHECK(lost.outcome == AttemptOutcome::lost);
  CHECK(lost.why == "the connection was reset");
  CHECK(bench.rows.steps.at({BuildId{1}, 1, 0}).outcome == AttemptOutcome::ok);
  CHECK(bench.rows.steps.at({BuildId{1}, 1, 1}).outcome == AttemptOutcome::lost);
  CHECK(bench.rows.steps.at({BuildId{1}, 1, 1}).ended == bench.now);
  CHECK(bench.rows.sessions.at(model::SessionId{"s1"}).why == "the connection was reset");
  CHECK(bench.rows.open_rows().leases.empty());

  bench.connect("s2", "w2");
  CHECK(bench.started() == std::vector<std::int64_t>{1});
  bench.end_attempt(BuildId{1}, AttemptOutcome::ok);
  CHECK(bench.build(1).result == Result::ok);
  CHECK(bench.build(1).attempts == 2);
  CHECK(bench.build(1).why.empty());
}

TEST_CASE("when the attempts are used up the result is lost, and the sentence names each loss") {
  Bench bench(one_builder());
  bench.commits({"one"});
  for (int i = 1; i <= 3; ++i) {
    const std::string n = std::to_string(i);
    bench.connect("s" + n, "w" + n);
    CHECK(bench.started() == std::vector<std::int64_t>{1});
    bench.end_session("s" + n, "reason " + n);
  }
  CHECK(bench.build(1).state == BuildState::finished);
  CHECK(bench.build(1).result == Result::lost);
  CHECK(bench.build(1).why ==
        "no attempt could be brought to an end: attempt 1 on w1 was lost: reason 1; "
        "attempt 2 on w2 was lost: reason 2; attempt 3 on w3 was lost: reason 3");
  bench.connect("s4", "w4");
  CHECK(bench.started().empty());
}

TEST_CASE("a second session of the same worker ends the first; its build moves to a new attempt") {
  Bench bench(one_builder());
  bench.connect("s1", "w1");
  bench.commits({"one"});
  const auto first = bench.rows.attempts_of(BuildId{1}).at(0);
  bench.connect("s2", "w1");
  const auto closes = actions_of<CloseSession>(bench);
  REQUIRE(closes.size() == 1);
  CHECK(closes[0].session.value == "s1");
  CHECK(bench.rows.sessions.at(model::SessionId{"s1"}).ended);
  CHECK_FALSE(bench.rows.sessions.at(model::SessionId{"s2"}).ended);
  CHECK(bench.started() == std::vector<std::int64_t>{1});
  CHECK(bench.rows.attempts_of(BuildId{1}).at(0).outcome == AttemptOutcome::lost);
  CHECK(bench.farm->sessions().size() == 1);

  SUBCASE("what the old attempt reports late changes nothing") {
    const RowStore before = bench.rows;
    bench.feed(AttemptEnded{BuildId{1}, first.number, first.lease, AttemptOutcome::ok, ""});
    bench.feed(AttemptEnded{BuildId{1}, 2, first.lease, AttemptOutcome::ok, ""});
    bench.feed(AttemptEnded{BuildId{1}, 1, model::LeaseNumber{2}, AttemptOutcome::ok, ""});
    model::Step late = bench.step(BuildId{1}, 0);
    late.attempt = 1;
    bench.feed(StepChanged{late});
    bench.end_session("s1", "the connection was closed");
    CHECK(bench.rows.builds == before.builds);
    CHECK(bench.rows.attempts == before.attempts);
    CHECK(bench.rows.sessions == before.sessions);
    CHECK(bench.rows.steps.empty());
  }
}

TEST_CASE("events that come twice or late change nothing") {
  Bench bench(one_builder());
  bench.connect("s1", "w1");
  bench.commits({"one", "two"});
  const model::Session session = bench.rows.sessions.begin()->second;
  const auto attempt = bench.rows.attempts.begin()->second;
  const auto repeat = [&bench](const Event& event) {
    const Decision decision = bench.farm->apply(event, bench.now);
    CHECK(decision.changes.empty());
    CHECK(decision.actions.empty());
  };
  repeat(WorkerConnected{session});
  repeat(CommitsSeen{model::RepositoryName{"r"},
                     model::BranchName{"main"},
                     {bench.rows.commits.at({model::RepositoryName{"r"}, hash_of("one")}),
                      bench.rows.commits.at({model::RepositoryName{"r"}, hash_of("two")})}});
  const model::Step running = bench.step(attempt.build, 0), ended = bench.step(attempt.build, 0, AttemptOutcome::ok);
  bench.feed(StepChanged{running});
  repeat(StepChanged{running});
  bench.feed(StepChanged{ended});
  repeat(StepChanged{ended});
  repeat(StepChanged{running});
  repeat(StepChanged{model::Step{.build = BuildId{99}, .attempt = 1}});
  bench.end_attempt(attempt.build, AttemptOutcome::failed, "step a: exit status 1");
  const RowStore before = bench.rows;
  repeat(AttemptEnded{attempt.build, 1, attempt.lease, AttemptOutcome::ok, ""});
  repeat(StepChanged{bench.step(attempt.build, 1)});
  bench.end_session("s1", "gone");
  repeat(SessionEnded{model::SessionId{"s1"}, "gone"});
  repeat(SessionEnded{model::SessionId{"never seen"}, "gone"});
  repeat(WorkerConnected{session});
  CHECK(bench.farm->sessions().empty());
  CHECK_THROWS_AS(bench.feed(AttemptEnded{attempt.build, 1, attempt.lease, AttemptOutcome::running, ""}),
                  std::invalid_argument);
}

TEST_CASE("a step that the shell left running is closed with its attempt") {
  Bench bench(one_builder());
  bench.connect("s1", "w1");
  bench.commits({"one"});
  bench.feed(StepChanged{bench.step(BuildId{1}, 0)});
  bench.end_attempt(BuildId{1}, AttemptOutcome::failed, "step0: exit status 1");
  CHECK(bench.rows.open_rows().steps.empty());
}

TEST_CASE("a restart finds every state and goes on from it") {
  Bench bench(one_builder());
  bench.commits({"one"});
  SUBCASE("while the build waits: it waits on") {
    const auto before = bench.rows.builds;
    bench.restart();
    CHECK(bench.rows.builds == before);
    bench.connect("s1", "w1");
    CHECK(bench.started() == std::vector<std::int64_t>{1});
  }
  SUBCASE("while it runs: the attempt is lost, the session over, the build waits again") {
    bench.connect("s1", "w1");
    bench.feed(StepChanged{bench.step(BuildId{1}, 0)});
    bench.restart();
    CHECK(bench.rows.attempts_of(BuildId{1}).at(0).outcome == AttemptOutcome::lost);
    CHECK(bench.rows.attempts_of(BuildId{1}).at(0).why == "the coordinator was restarted");
    CHECK(bench.build(1).state == BuildState::waiting);
    const auto open = bench.rows.open_rows();
    CHECK(open.attempts.empty());
    CHECK(open.steps.empty());
    CHECK(open.leases.empty());
    CHECK(open.sessions.empty());
    bench.connect("s2", "w1");
    CHECK(bench.rows.attempts_of(BuildId{1}).at(1).lease.value == 2);
    bench.end_attempt(BuildId{1}, AttemptOutcome::ok);
    CHECK(bench.build(1).result == Result::ok);
  }
  SUBCASE("three times while it runs: its attempts are used up") {
    for (int i = 0; i < 3; ++i) {
      bench.connect("s" + std::to_string(i), "w1");
      bench.restart();
    }
    CHECK(bench.build(1).result == Result::lost);
    CHECK(bench.build(1).why.find("attempt 3 on w1 was lost: the coordinator was restarted") != std::string::npos);
    CHECK(bench.farm->idle());
  }
  SUBCASE("after it ended: there is nothing to do, and the commit is not built again") {
    bench.connect("s1", "w1");
    bench.end_attempt(BuildId{1}, AttemptOutcome::ok);
    bench.restart();
    CHECK(bench.farm->idle());
    bench.commits({"one"}, "release");
    CHECK(bench.rows.builds.size() == 1);
    bench.commits({"two"});
    CHECK(bench.build(2).position == 2);
  }
  SUBCASE("twice in a row: the second start changes nothing") {
    bench.connect("s1", "w1");
    bench.restart();
    const Decision again = Farm(bench.rules, bench.rows.open_rows()).start(bench.now);
    CHECK(again.changes.empty());
    CHECK(again.actions.empty());
  }
}

TEST_CASE("a session registered with the public key is recorded as such") {
  Bench bench(one_builder());
  model::Session session;
  session.id = model::SessionId{"s1"};
  session.worker = model::WorkerId{"w1"};
  session.host_type = model::HostType{"linux"};
  session.dev_key = true;
  session.features = {"a", "b"};
  bench.feed(WorkerConnected{session});
  CHECK(bench.rows.sessions.at(session.id) == session);
}

}  // namespace build::farm
