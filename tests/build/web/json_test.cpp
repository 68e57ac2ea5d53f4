#include <doctest/doctest.h>

#include "farmhouse.h"

namespace build::web {

using model::AttemptOutcome;

namespace {

std::string text(const rapidjson::Value& value, const char* name) { return value[name].GetString(); }

}  // namespace

TEST_CASE("status tells what there is to do") {
  Farmhouse house;
  CHECK(house.json("/api/v1/status")["idle"].GetBool());
  house.commits({"one", "two"});
  house.connect("alpha");
  house.notices_ = {{Notice::Weight::danger, "beware"}};
  const auto status = house.json("/api/v1/status");
  CHECK(text(status, "version") == "1.2.3");
  CHECK(status["running"].GetInt() == 1);
  CHECK(status["waiting"].GetInt() == 3);
  CHECK_FALSE(status["idle"].GetBool());
  CHECK(status["workers"]["connected"].GetInt() == 1);
  CHECK(status["workers"]["busy"].GetInt() == 1);
  CHECK(text(status["notices"][0], "weight") == "danger");
  CHECK(text(status["notices"][0], "sentence") == "beware");
  CHECK(text(status["repositories"][0], "name") == "zlib");
}

TEST_CASE("commits come newest first with their builds, in pages") {
  Farmhouse house;
  house.commits({"one", "two", "three"});
  house.connect("alpha");
  const auto page = house.json("/api/v1/commits?limit=2");
  CHECK(text(page, "repository") == "zlib");
  CHECK(text(page, "branch") == "main");
  CHECK(std::string(page["builders"][1].GetString()) == "arm");
  REQUIRE(page["commits"].Size() == 2);
  const auto& newest = page["commits"][0];
  CHECK(text(newest["commit"], "subject") == "three");
  CHECK(text(newest["commit"], "hash").substr(0, 8) == "00000003");
  REQUIRE(newest["builds"].Size() == 2);
  CHECK(text(newest["builds"][0], "builder") == "debug");
  CHECK(text(newest["builds"][0], "state") == "running");
  CHECK(newest["builds"][0]["waiting"].IsNull());
  CHECK(text(newest["builds"][1]["waiting"], "label") == "no_worker");
  CHECK(text(newest["builds"][1]["waiting"], "sentence").find("arm64") != std::string::npos);
  CHECK(page["next_before"].GetInt() == 2);
  const auto rest = house.json("/api/v1/commits?repository=zlib&branch=main&before=2");
  CHECK(rest["commits"].Size() == 1);
  CHECK(rest["next_before"].IsNull());
  CHECK(house.ask("/api/v1/commits?limit=x").head.status == 400);
}

TEST_CASE("a build comes with its attempts and steps") {
  Farmhouse house;
  house.commits({"one"});
  house.connect("alpha");
  house.step(1, "compile", "output\n", AttemptOutcome::failed, "exit status 2");
  house.end(1, AttemptOutcome::failed, "step compile: exit status 2");
  const auto build = house.json("/api/v1/builds/1");
  CHECK(build["id"].GetInt() == 1);
  CHECK(text(build, "url") == "/build/1");
  CHECK(text(build, "state") == "finished");
  CHECK(text(build, "result") == "failed");
  CHECK(text(build, "why") == "step compile: exit status 2");
  CHECK(build["waiting"].IsNull());
  CHECK(text(build, "accepted").back() == 'Z');
  CHECK(text(build["commit_details"], "author_email") == "author@example.org");
  REQUIRE(build["attempts"].Size() == 1);
  CHECK(text(build["attempts"][0], "outcome") == "failed");
  CHECK(text(build["attempts"][0], "hostname") == "alpha");
  CHECK(build["attempts"][0]["ended"].IsString());
  REQUIRE(build["steps"].Size() == 1);
  CHECK(text(build["steps"][0], "run") == "run-1-1-0");
  CHECK(text(build["steps"][0], "status") == "exit status 2");

  const auto builds = house.json("/api/v1/builds?limit=1");
  REQUIRE(builds["builds"].Size() == 1);
  CHECK(builds["builds"][0]["id"].GetInt() == 2);
  CHECK(builds["builds"][0]["finished"].IsNull());
}

TEST_CASE("a build whose worker is away says so, with since when and until when") {
  Farmhouse house;
  house.commits({"one"});
  house.connect("alpha", "linux", {"runs"});
  auto build = house.json("/api/v1/builds/1");
  CHECK(build["away"].IsNull());
  CHECK(build["attempts"][0]["resumable"].GetBool());
  house.feed(farm::SessionEnded{house.farm.sessions().front().id, "the connection was reset"});
  build = house.json("/api/v1/builds/1");
  CHECK(text(build, "state") == "running");
  CHECK(text(build["away"], "hostname") == "alpha");
  CHECK(text(build["away"], "why") == "the connection was reset");
  CHECK(text(build["away"], "sentence").find("its worker alpha is away since ") == 0);
  CHECK(build["away"]["since"].IsString());
  CHECK(text(build["away"], "until") > text(build["away"], "since"));
  const auto queue = house.json("/api/v1/queue");
  CHECK(text(queue["running"][0], "hostname") == "alpha");
  CHECK(text(queue["running"][0]["away"], "sentence") == text(build["away"], "sentence"));
  CHECK(house.json("/api/v1/builds?limit=1")["builds"][0]["away"].IsNull());
}

TEST_CASE("workers come with what they do, without their addresses") {
  Farmhouse house;
  house.connect("alpha");
  house.commits({"one"});
  house.connect("beta", "arm64");
  house.connect("gamma");
  const auto workers = house.json("/api/v1/workers");
  REQUIRE(workers["workers"].Size() == 3);
  CHECK(text(workers["workers"][0], "hostname") == "alpha");
  CHECK(workers["workers"][0]["build"].GetInt() == 1);
  CHECK(workers["workers"][2]["build"].IsNull());
  CHECK_FALSE(workers["workers"][0]["dev_key"].GetBool());
  CHECK(house.ask("/api/v1/workers").body.find("192.0.2.1") == std::string::npos);
}

}  // namespace build::web
