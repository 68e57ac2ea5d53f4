#include <build/model/records.h>
#include <doctest/doctest.h>

#include <unordered_set>

namespace build::model {

TEST_CASE("every state, result and outcome has a name, and the name gives it back") {
  for (const BuildState state : {BuildState::waiting, BuildState::running, BuildState::finished})
    CHECK(build_state_from(name_of(state)) == state);
  for (const Result result : {Result::none, Result::ok, Result::failed, Result::lost, Result::cancelled})
    CHECK(result_from(name_of(result)) == result);
  for (const AttemptOutcome outcome : {AttemptOutcome::running, AttemptOutcome::ok, AttemptOutcome::failed,
                                       AttemptOutcome::lost, AttemptOutcome::cancelled})
    CHECK(attempt_outcome_from(name_of(outcome)) == outcome);
}

TEST_CASE("names are what files and pages say") {
  CHECK(name_of(BuildState::waiting) == "waiting");
  CHECK(name_of(BuildState::finished) == "finished");
  CHECK(name_of(Result::none) == "none");
  CHECK(name_of(Result::lost) == "lost");
  CHECK(name_of(Result::cancelled) == "cancelled");
  CHECK(name_of(AttemptOutcome::running) == "running");
}

TEST_CASE("text that is no name is nothing") {
  for (const char* text : {"", "OK", "ok ", "unknown", "finishe"}) {
    CHECK_FALSE(build_state_from(text));
    CHECK_FALSE(result_from(text));
    CHECK_FALSE(attempt_outcome_from(text));
  }
  CHECK_FALSE(result_from("running"));
  CHECK_FALSE(build_state_from("lost"));
}

TEST_CASE("a session's runs are kept if its worker says so and can be known again") {
  Session session;
  session.id = SessionId{"5e55"};
  session.worker = WorkerId{"host-linux/1d"};
  CHECK_FALSE(keeps_runs(session));
  session.features = {"status", "runs-of-another-kind", "RUNS"};
  CHECK_FALSE(keeps_runs(session));
  session.features.emplace_back("runs");
  CHECK(keeps_runs(session));
  session.worker = nameless_worker(session.id);
  CHECK_FALSE(keeps_runs(session));
}

TEST_CASE("numbers count from 1 and 0 is none; names and numbers can be keys") {
  CHECK_FALSE(BuildId{});
  CHECK(BuildId{1});
  CHECK(BuildId{1} < BuildId{2});
  CHECK(WorkerId{"a"} < WorkerId{"b"});
  CHECK(RepositoryName{}.empty());
  const std::unordered_set<CommitHash> hashes{CommitHash{"a"}, CommitHash{"b"}, CommitHash{"a"}};
  CHECK(hashes.size() == 2);
  const std::unordered_set<LeaseNumber> leases{LeaseNumber{1}, LeaseNumber{1}};
  CHECK(leases.size() == 1);
  CHECK(BuildKey{RepositoryName{"r"}, CommitHash{"a"}, BuilderName{"b"}} <
        BuildKey{RepositoryName{"r"}, CommitHash{"a"}, BuilderName{"c"}});
}

}  // namespace build::model
