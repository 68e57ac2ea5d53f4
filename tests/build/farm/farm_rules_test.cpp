// What is built, by whom, in which order, and what those who wait are told.
#include <doctest/doctest.h>

#include "row_store.h"

namespace build::farm {

using model::AttemptOutcome;
using model::BuildId;
using model::BuildState;
using model::Result;

namespace {

/// Ends builds as they are started, and tells the commits' names in that order.
std::vector<std::string> run_all(Bench& bench) {
  std::vector<std::string> order;
  while (true) {
    const auto unfinished = bench.farm->unfinished();
    if (unfinished.empty() || unfinished.front().state != BuildState::running) return order;
    const model::Build& running = unfinished.front();
    order.push_back(bench.rows.commits.at({running.repository, running.commit}).subject);
    bench.end_attempt(running.id, AttemptOutcome::ok);
  }
}

}  // namespace

TEST_CASE("each commit is built by each builder of its repository") {
  Bench bench(usual_rules());
  bench.commits({"one", "two"});
  CHECK(bench.rows.builds.size() == 6);
  CHECK(bench.build_of("two", "arm").host_type.value == "arm64");
  CHECK(bench.build_of("two", "arm").position == 2);
  bench.feed(CommitsSeen{model::RepositoryName{"another"}, model::BranchName{"main"}, {model::Commit{}}});
  CHECK(bench.rows.builds.size() == 6);
}

TEST_CASE("a branch's positions are dense and grow, also over overlaps and rewritten history") {
  Bench bench(one_builder());
  bench.commits({"a", "b"});
  bench.commits({"a", "b", "c"});
  bench.commits({"c"});
  bench.commits({"x", "y"});
  bench.restart();
  bench.commits({"y", "z"});
  std::string line;
  for (const auto& [key, place] : bench.rows.places) {
    CHECK(place.position == static_cast<std::int64_t>(line.size()) + 1);
    line += bench.rows.commits.at({place.repository, place.hash}).subject;
  }
  CHECK(line == "abcxyz");
  CHECK(bench.rows.builds.size() == 6);
}

TEST_CASE("a branch that goes back to a commit it had shows it as its head again, without a second build") {
  Bench bench(one_builder());
  bench.commits({"a", "b"});
  bench.commits({"x"});
  bench.commits({"b"});
  CHECK(bench.rows.places.rbegin()->second.hash == hash_of("b"));
  CHECK(bench.rows.places.rbegin()->second.position == 4);
  CHECK(bench.rows.builds.size() == 3);
}

TEST_CASE("a commit on two branches is built once") {
  Bench bench(one_builder());
  bench.commits({"a", "b"});
  bench.commits({"a", "b", "c"}, "release");
  CHECK(bench.rows.places.size() == 5);
  CHECK(bench.rows.builds.size() == 3);
  CHECK(bench.build_of("b").branch.value == "main");
  CHECK(bench.build_of("c").branch.value == "release");
  bench.connect("s1", "w1");
  run_all(bench);
  bench.commits({"c"}, "third");
  CHECK(bench.rows.builds.size() == 3);
}

TEST_CASE("the newest commit is built first") {
  Bench bench(one_builder());
  bench.commits({"a", "b", "c"});
  bench.connect("s1", "w1");
  bench.commits({"d", "e"});
  CHECK(run_all(bench) == std::vector<std::string>{"c", "e", "d", "b", "a"});
}

TEST_CASE("every branch's head comes before any branch's history") {
  Bench bench(one_builder());
  bench.commits({"old1", "old2", "old3", "old4"}, "long");
  bench.commits({"young"}, "short");
  bench.connect("s1", "w1");
  CHECK(run_all(bench) == std::vector<std::string>{"old4", "young", "old3", "old2", "old1"});
}

TEST_CASE("builders of one host type share its workers; another host type waits for its own") {
  Bench bench(usual_rules());
  bench.commits({"one"});
  bench.connect("s1", "w1");
  bench.connect("s2", "w2");
  bench.connect("s3", "w3");
  CHECK(bench.build_of("one", "debug").state == BuildState::running);
  CHECK(bench.build_of("one", "asan").state == BuildState::running);
  CHECK(bench.build_of("one", "arm").state == BuildState::waiting);
  CHECK_FALSE(bench.farm->leased_to(model::SessionId{"s3"}));
  bench.connect("s4", "w4", "arm64");
  CHECK(bench.farm->leased_to(model::SessionId{"s4"}) == bench.build_of("one", "arm").id);
}

TEST_CASE("work goes to the worker that has been idle the longest") {
  Bench bench(one_builder());
  bench.connect("s1", "w1");
  bench.connect("s2", "w2");
  std::string order;
  for (const char* name : {"a", "b", "c", "d"}) {
    bench.commits({name});
    const model::Build build = bench.build_of(name);
    order += bench.rows.attempts_of(build.id).at(0).worker.value + " ";
    bench.end_attempt(build.id, AttemptOutcome::ok);
  }
  CHECK(order == "w1 w2 w1 w2 ");
}

TEST_CASE("a build that was lost on one worker goes to another one if it can") {
  Bench bench(one_builder());
  bench.connect("s1", "w1");
  bench.commits({"a"});
  bench.connect("s2", "w2");
  bench.end_attempt(BuildId{1}, AttemptOutcome::lost, "the source could not be sent");
  CHECK(bench.rows.attempts_of(BuildId{1}).at(1).worker.value == "w2");
  bench.end_session("s1", "gone");
  bench.end_attempt(BuildId{1}, AttemptOutcome::lost, "the source could not be sent");
  CHECK(bench.rows.attempts_of(BuildId{1}).at(2).worker.value == "w2");
}

TEST_CASE("a build that waits says for what, behind how many, since when") {
  Bench bench(usual_rules());
  bench.now = model::Time{std::chrono::sys_days{std::chrono::year{2025} / 1 / 31} + std::chrono::hours{12}};
  bench.commits({"a", "b"});
  const auto none = bench.farm->explain(bench.build_of("a", "arm").id);
  REQUIRE(none);
  CHECK(none->sentence ==
        "waits for a worker of host type arm64: none is connected; 1 build is ahead; since 2025-01-31 12:00:00 UTC");
  CHECK(none->label == "no_worker");
  CHECK(none->ahead == 1);
  CHECK(none->since == bench.now);

  bench.now += std::chrono::seconds{61};
  bench.connect("s1", "w1");
  const auto next = bench.farm->explain(bench.build_of("b", "asan").id);
  REQUIRE(next);
  CHECK(next->sentence ==
        "waits for a worker of host type linux: 1 connected, 1 busy; no build is ahead; since 2025-01-31 12:00:00 UTC");
  CHECK(next->label == "busy");
  const auto last = bench.farm->explain(bench.build_of("a", "asan").id);
  REQUIRE(last);
  CHECK(last->sentence.find("; 2 builds are ahead; ") != std::string::npos);
  CHECK_FALSE(bench.farm->explain(bench.build_of("b", "debug").id));
  CHECK_FALSE(bench.farm->explain(BuildId{77}));

  bench.end_session("s1", "gone");
  CHECK(bench.farm->explain(bench.build_of("b", "debug").id)->since == bench.now);
}

TEST_CASE("unfinished builds are listed in the order in which they are started") {
  Bench bench(one_builder());
  bench.commits({"a", "b", "c"});
  bench.connect("s1", "w1");
  std::string order;
  for (const model::Build& build : bench.farm->unfinished())
    order += bench.rows.commits.at({build.repository, build.commit}).subject;
  CHECK(order == "cba");
}

TEST_CASE("builds whose builder or repository is not configured any more end as lost") {
  Bench bench(usual_rules());
  bench.connect("s1", "w1", "arm64");
  bench.commits({"a"});
  bench.rules = one_builder();
  bench.restart();
  CHECK(bench.build_of("a", "asan").result == Result::lost);
  CHECK(bench.build_of("a", "asan").why == "builder asan is no longer configured");
  CHECK(bench.build_of("a", "arm").why ==
        "builder arm is no longer configured; before that, attempt 1 on w1 was lost: the coordinator was restarted");
  CHECK(bench.build_of("a", "debug").state == BuildState::waiting);
  bench.rules.repositories.clear();
  bench.restart();
  CHECK(bench.build_of("a", "debug").why == "repository r is no longer configured");
  CHECK(bench.farm->idle());
}

TEST_CASE("a build keeps the host type that it was accepted for") {
  Bench bench(one_builder());
  bench.commits({"a"});
  bench.rules.builders.front().host_type = model::HostType{"bsd"};
  bench.restart();
  bench.connect("s1", "w1", "bsd");
  CHECK(bench.started().empty());
  bench.commits({"b"});
  CHECK(bench.started() == std::vector<std::int64_t>{2});
  bench.connect("s2", "w2");
  CHECK(bench.started() == std::vector<std::int64_t>{1});
}

TEST_CASE("a build whose attempts are lost at once pauses between them, longer each time, and says so") {
  using std::chrono::seconds;
  Rules rules = one_builder();
  rules.retry_pause = seconds{5};
  Bench bench(rules);
  bench.connect("s1", "w1");
  bench.connect("s2", "w2");
  bench.connect("s3", "w3");
  bench.commits({"a"});
  const model::Time begun = bench.now;
  bench.now += seconds{1};
  bench.end_session("s1", "gone");
  CHECK(bench.started().empty());
  CHECK(bench.farm->due() == begun + seconds{5});
  const auto waiting = bench.farm->explain(BuildId{1});
  REQUIRE(waiting);
  CHECK(waiting->label == "pausing");
  CHECK(waiting->sentence.find("because its last attempt was lost soon after it began") != std::string::npos);

  bench.now = begun + seconds{4};
  bench.feed(TimePassed{});
  CHECK(bench.started().empty());
  bench.now = begun + seconds{5};
  bench.feed(TimePassed{});
  CHECK(bench.started() == std::vector<std::int64_t>{1});
  CHECK_FALSE(bench.farm->due());

  bench.end_session("s2", "gone too");
  CHECK(bench.farm->due() == begun + seconds{15});
  bench.now = begun + seconds{15};
  bench.feed(TimePassed{});
  CHECK(bench.started() == std::vector<std::int64_t>{1});
}

TEST_CASE("an attempt that ran for longer than the pause, or was lost to a restart, is followed by the next at once") {
  using std::chrono::seconds;
  Rules rules = one_builder();
  rules.retry_pause = seconds{5};
  Bench bench(rules);
  bench.connect("s1", "w1");
  bench.connect("s2", "w2");
  bench.commits({"a"});
  bench.now += seconds{6};
  bench.end_session("s1", "gone");
  CHECK(bench.started() == std::vector<std::int64_t>{1});
  bench.restart();
  bench.connect("s3", "w3");
  CHECK(bench.started() == std::vector<std::int64_t>{1});
}

}  // namespace build::farm
