// What people do to builds and to the farm: cancel, retry, change the configuration, drain.
#include <doctest/doctest.h>

#include "row_store.h"

namespace build::farm {

using model::AttemptOutcome;
using model::BuildId;
using model::BuildState;
using model::Result;

namespace {

const StopAttempt* stop_in(const Bench& bench) {
  for (const Action& action : bench.actions)
    if (const auto* stop = std::get_if<StopAttempt>(&action)) return stop;
  return nullptr;
}

void retry(Bench& bench, std::int64_t id, const std::string& by = "bob") {
  bench.feed(RetryBuild{bench.build(id), by});
}

}  // namespace

TEST_CASE("a waiting build that is cancelled is finished and says by whom") {
  Bench bench(one_builder());
  bench.commits({"one"});
  bench.feed(CancelBuild{BuildId{1}, "ann"});
  CHECK(bench.build(1).state == BuildState::finished);
  CHECK(bench.build(1).result == Result::cancelled);
  CHECK(bench.build(1).why == "cancelled by ann");
  CHECK(bench.build(1).finished == bench.now);
  CHECK(bench.actions.empty());
  bench.connect("s1", "w1");
  CHECK(bench.started().empty());
}

TEST_CASE("a running build that is cancelled holds its worker until it has stopped") {
  Bench bench(one_builder());
  bench.connect("s1", "w1");
  bench.commits({"one", "two"});
  const model::Attempt attempt = bench.rows.attempts_of(BuildId{2}).at(0);
  bench.feed(StepChanged{bench.step(BuildId{2}, 0)});
  bench.feed(CancelBuild{BuildId{2}, "ann"});
  REQUIRE(stop_in(bench) != nullptr);
  CHECK(stop_in(bench)->build == BuildId{2});
  CHECK(stop_in(bench)->attempt == 1);
  CHECK(bench.started().empty());
  CHECK(bench.build(2).result == Result::cancelled);
  CHECK(bench.rows.attempts_of(BuildId{2}).at(0).outcome == AttemptOutcome::cancelled);
  CHECK(bench.rows.attempts_of(BuildId{2}).at(0).why == "cancelled by ann");
  CHECK(bench.rows.steps.begin()->second.outcome == AttemptOutcome::cancelled);
  CHECK(bench.rows.steps.begin()->second.status == "cancelled");
  CHECK_FALSE(bench.rows.leases.begin()->second.released);
  CHECK(bench.farm->leased_to(model::SessionId{"s1"}) == BuildId{2});
  CHECK(bench.farm->explain(BuildId{1})->sentence.find("1 connected, 1 busy") != std::string::npos);

  SUBCASE("the shell says that it has stopped") {
    bench.feed(AttemptEnded{BuildId{2}, 1, attempt.lease, AttemptOutcome::lost, "killed"});
    CHECK(bench.build(2).result == Result::cancelled);
  }
  SUBCASE("the command had ended by itself before it could be stopped") {
    bench.feed(AttemptEnded{BuildId{2}, 1, attempt.lease, AttemptOutcome::ok, ""});
    CHECK(bench.build(2).result == Result::cancelled);
  }
  SUBCASE("the worker goes instead, and another one comes") {
    bench.end_session("s1", "the connection was reset");
    bench.connect("s2", "w2");
  }
  CHECK(bench.rows.leases.begin()->second.released == bench.now);
  CHECK(bench.started() == std::vector<std::int64_t>{1});
  CHECK(bench.rows.attempts_of(BuildId{2}).at(0).outcome == AttemptOutcome::cancelled);
}

TEST_CASE("a lease that was still held by a cancelled attempt is released by the next start") {
  Bench bench(one_builder());
  bench.connect("s1", "w1");
  bench.commits({"one"});
  bench.feed(CancelBuild{BuildId{1}, "ann"});
  SUBCASE("the session is known") {}
  SUBCASE("the session was forgotten") { bench.rows.sessions.clear(); }
  bench.restart();
  CHECK(bench.rows.leases.begin()->second.released == bench.now);
  CHECK(bench.build(1).result == Result::cancelled);
  CHECK(bench.rows.running_rows().leases.empty());
}

TEST_CASE("what is finished cannot be cancelled") {
  Bench bench(one_builder());
  bench.connect("s1", "w1");
  bench.commits({"one"});
  bench.end_attempt(BuildId{1}, AttemptOutcome::ok);
  const model::Build before = bench.build(1);
  bench.feed(CancelBuild{BuildId{1}, "ann"});
  bench.feed(CancelBuild{BuildId{7}, "ann"});
  CHECK(bench.build(1) == before);
  CHECK(bench.actions.empty());
}

TEST_CASE("a retried build keeps its attempts and the result that it had, and may be lost as often again") {
  Bench bench(one_builder());
  bench.commits({"one"});
  for (const char* worker : {"w1", "w2", "w3"}) {
    bench.connect(worker, worker);
    bench.end_session(worker, "gone");
  }
  const std::string why = bench.build(1).why;
  REQUIRE(bench.build(1).result == Result::lost);
  bench.now += std::chrono::hours{1};
  retry(bench, 1);
  CHECK(bench.build(1).state == BuildState::waiting);
  CHECK(bench.build(1).result == Result::none);
  CHECK_FALSE(bench.build(1).finished);
  CHECK(bench.build(1).why.empty());
  REQUIRE(bench.rows.cleared.size() == 1);
  const model::ClearedResult& cleared = bench.rows.cleared.begin()->second;
  CHECK(cleared.number == 1);
  CHECK(cleared.result == Result::lost);
  CHECK(cleared.why == why);
  CHECK(cleared.attempts == 3);
  CHECK(cleared.cleared == bench.now);
  CHECK(cleared.cleared_by == "bob");
  CHECK(bench.farm->explain(BuildId{1})->since == bench.now);

  bench.connect("s4", "w4");
  CHECK(bench.started() == std::vector<std::int64_t>{1});
  CHECK(bench.rows.attempts_of(BuildId{1}).back().number == 4);
  for (const char* session : {"s4", "s5", "s6"}) {
    CHECK(bench.build(1).result == Result::none);
    bench.connect(session, session);
    bench.end_session(session, "gone");
  }
  CHECK(bench.build(1).result == Result::lost);
  CHECK(bench.build(1).attempts == 6);
}

TEST_CASE("of two retries that were wanted at once one counts, also when the build has ended again meanwhile") {
  Bench bench(one_builder());
  bench.connect("s1", "w1");
  bench.commits({"one"});
  bench.end_attempt(BuildId{1}, AttemptOutcome::failed, "exit status 1");
  const model::Build read_by_both = bench.build(1);
  bench.feed(RetryBuild{read_by_both, "ann"});
  CHECK(bench.started() == std::vector<std::int64_t>{1});
  bench.feed(RetryBuild{read_by_both, "bob"});
  CHECK(bench.actions.empty());
  bench.end_attempt(BuildId{1}, AttemptOutcome::ok);
  bench.feed(RetryBuild{read_by_both, "bob"});
  CHECK(bench.build(1).result == Result::ok);
  CHECK(bench.rows.cleared.size() == 1);
  retry(bench, 1);
  CHECK(bench.rows.cleared.size() == 2);
  CHECK(bench.build(1).retries == 2);
}

TEST_CASE("a build that waits or runs cannot be retried") {
  Bench bench(one_builder());
  bench.commits({"one"});
  retry(bench, 1);
  CHECK(bench.rows.cleared.empty());
  bench.connect("s1", "w1");
  retry(bench, 1);
  CHECK(bench.rows.cleared.empty());
  CHECK(bench.rows.attempts.size() == 1);
}

TEST_CASE("a build that is retried while its cancelled attempt still stops waits for that") {
  Bench bench(one_builder());
  bench.connect("s1", "w1");
  bench.connect("s2", "w2");
  bench.commits({"one"});
  bench.feed(CancelBuild{BuildId{1}, "ann"});
  retry(bench, 1);
  CHECK(bench.started().empty());
  CHECK(bench.farm->explain(BuildId{1})->label == "stopping");
  CHECK(bench.farm->explain(BuildId{1})->sentence.find("waits until its cancelled attempt has stopped on w1") == 0);
  bench.commits({"two"});
  CHECK(bench.started() == std::vector<std::int64_t>{2});
  bench.feed(AttemptEnded{BuildId{1}, 1, model::LeaseNumber{1}, AttemptOutcome::lost, "killed"});
  CHECK(bench.started() == std::vector<std::int64_t>{1});
  CHECK(bench.rows.attempts_of(BuildId{1}).back().number == 2);
}

TEST_CASE("a retried build needs what its builder needs now") {
  Bench bench(one_builder());
  bench.connect("s1", "w1");
  bench.commits({"one"});
  bench.end_attempt(BuildId{1}, AttemptOutcome::failed, "no compiler");
  bench.rules.builders.front().host_type = model::HostType{"bsd"};
  bench.feed(RulesChanged{bench.rules});
  retry(bench, 1);
  CHECK(bench.started().empty());
  CHECK(bench.build(1).host_type.value == "bsd");
}

TEST_CASE("when a builder is taken out of the configuration what waits ends as lost, what runs goes on") {
  Bench bench(usual_rules());
  bench.connect("s1", "w1");
  bench.commits({"one", "two"});
  REQUIRE(bench.build_of("two", "debug").state == BuildState::running);
  bench.rules = usual_rules();
  bench.rules.builders.erase(bench.rules.builders.begin());
  bench.rules.repositories.front().builders.erase(bench.rules.repositories.front().builders.begin());
  bench.feed(RulesChanged{bench.rules});
  CHECK(bench.build_of("one", "debug").result == Result::lost);
  CHECK(bench.build_of("one", "debug").why == "builder debug is no longer configured");
  CHECK(bench.build_of("one", "asan").state == BuildState::waiting);
  CHECK(bench.build_of("two", "debug").state == BuildState::running);
  const BuildId running = bench.build_of("two", "debug").id;

  SUBCASE("to its end") {
    bench.end_attempt(running, AttemptOutcome::ok);
    CHECK(bench.build_of("two", "debug").result == Result::ok);
    retry(bench, running.value);
    CHECK(bench.build_of("two", "debug").result == Result::ok);
  }
  SUBCASE("but is not tried again when it is lost") {
    bench.end_session("s1", "the connection was reset");
    CHECK(bench.build_of("two", "debug").result == Result::lost);
    CHECK(bench.build_of("two", "debug").why ==
          "builder debug is no longer configured; before that, attempt 1 on w1 was lost: the connection was reset");
  }
}

TEST_CASE("when a repository or its use of a builder is taken out, the sentence says which") {
  Bench bench(usual_rules());
  bench.commits({"one"});
  bench.rules.repositories.front().builders.pop_back();
  bench.feed(RulesChanged{bench.rules});
  CHECK(bench.build_of("one", "arm").why == "builder arm no longer builds repository r");
  bench.rules.repositories.clear();
  bench.feed(RulesChanged{bench.rules});
  CHECK(bench.build_of("one", "debug").why == "repository r is no longer configured");
  CHECK(bench.farm->idle());
}

TEST_CASE("a builder that is added builds each branch's head, and once") {
  Bench bench(one_builder());
  bench.commits({"one", "two"});
  REQUIRE(bench.rows.builds.size() == 2);
  bench.rules = usual_rules();
  bench.feed(RulesChanged{bench.rules});
  CHECK(bench.rows.builds.size() == 2);
  const std::size_t places = bench.rows.places.size();
  bench.commits({"two"});
  CHECK(bench.rows.builds.size() == 4);
  CHECK(bench.build_of("two", "asan").position == 2);
  CHECK(bench.rows.places.size() == places);
  bench.commits({"two"});
  CHECK(bench.rows.builds.size() == 4);
}

TEST_CASE("a worker that drains ends what it runs and gets nothing more") {
  Bench bench(one_builder());
  bench.connect("s1", "w1");
  bench.commits({"one"});
  bench.feed(SessionDraining{model::SessionId{"s1"}});
  bench.feed(SessionDraining{model::SessionId{"s7"}});
  CHECK(bench.farm->draining(model::SessionId{"s1"}));
  CHECK_FALSE(bench.farm->draining(model::SessionId{"s7"}));
  bench.commits({"two"});
  bench.end_attempt(BuildId{1}, AttemptOutcome::ok);
  CHECK(bench.started().empty());
  const auto waiting = bench.farm->explain(BuildId{2});
  CHECK(waiting->label == "draining");
  CHECK(waiting->sentence.find("waits for a worker of host type linux: 1 connected, 0 busy, 1 draining; ") == 0);
  bench.connect("s2", "w2");
  CHECK(bench.started() == std::vector<std::int64_t>{2});
}

TEST_CASE("a farm that drains begins nothing, and says so to those who wait") {
  Bench bench(one_builder());
  bench.connect("s1", "w1");
  bench.commits({"one"});
  bench.feed(Drain{});
  bench.commits({"two"});
  bench.connect("s2", "w2");
  CHECK(bench.started().empty());
  bench.end_attempt(BuildId{1}, AttemptOutcome::ok);
  CHECK(bench.build(1).result == Result::ok);
  CHECK(bench.started().empty());
  const auto waiting = bench.farm->explain(BuildId{2});
  CHECK(waiting->label == "draining");
  CHECK(waiting->sentence.find("waits for the coordinator's next start: the coordinator is draining; ") == 0);
  bench.restart();
  bench.connect("s3", "w1");
  CHECK(bench.started() == std::vector<std::int64_t>{2});
}

TEST_CASE("an attempt cannot be reported as cancelled by the shell") {
  Bench bench(one_builder());
  CHECK_THROWS_AS(bench.feed(AttemptEnded{BuildId{1}, 1, model::LeaseNumber{1}, AttemptOutcome::cancelled, ""}),
                  std::invalid_argument);
}

}  // namespace build::farm
