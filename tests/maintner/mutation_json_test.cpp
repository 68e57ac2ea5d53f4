#include <maintner/mutation_json.h>

#include <doctest/doctest.h>

#include <string>

using namespace maintner;

namespace {

std::string created(std::int64_t seconds, std::int32_t nanos) {
  Mutation mutation;
  auto& time = mutation.github_issue.emplace().created.emplace();
  time.seconds = seconds;
  time.nanos = nanos;
  std::string text = to_json(mutation);
  const std::string before = R"({"github_issue":{"created":)";
  REQUIRE(text.starts_with(before));
  return text.substr(before.size(), text.size() - before.size() - 2);
}

}  // namespace

TEST_CASE("what a mutation says is said by name, and what it does not say is left out") {
  Mutation mutation;
  CHECK(to_json(mutation) == "{}");
  auto& issue = mutation.github_issue.emplace();
  issue.owner = "golang";
  issue.number = -3;
  issue.closed.emplace();
  issue.body_change.emplace();
  issue.pull_request = true;
  issue.deleted_assignees = {0, 5};
  issue.comment.emplace_back().id = 9'007'199'254'740'993;
  issue.unknown.emplace_back("\x08\x01");
  CHECK(to_json(mutation) == R"({"github_issue":{"owner":"golang","number":-3,"comment":[{"id":9007199254740993}],)"
                             R"("deleted_assignees":[0,5],"closed":false,"pull_request":true,"body_change":""}})");
}

TEST_CASE("times are RFC 3339, as far as calendars go") {
  CHECK(created(0, 0) == R"("1970-01-01T00:00:00Z")");
  CHECK(created(1612137600, 120'000'000) == R"("2021-02-01T00:00:00.12Z")");
  CHECK(created(-1, 999'999'999) == R"("1969-12-31T23:59:59.999999999Z")");
  CHECK(created(-62167219200, 0) == R"("0000-01-01T00:00:00Z")");
  CHECK(created(253402300799, 0) == R"("9999-12-31T23:59:59Z")");
  CHECK(created(253402300800, 0) == R"({"seconds":253402300800})");
  CHECK(created(-62167219201, 0) == R"({"seconds":-62167219201})");
  CHECK(created(INT64_MIN, -1) == R"({"seconds":-9223372036854775808,"nanos":-1})");
}

TEST_CASE("text is JSON's, whatever its bytes are") {
  CHECK(to_json(std::string_view("a\"\\\n\x01\0\xff\u00e9", 9)) == "\"a\\\"\\\\\\n\\u0001\\u0000\ufffd\u00e9\"");
}
