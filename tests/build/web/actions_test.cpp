// Cancelling, retrying and clearing, as the wire has it.
#include <build/base/builder_key.h>
#include <doctest/doctest.h>

#include "farmhouse.h"

namespace build::web {

TEST_CASE("a build is cancelled and retried by JSON, with a sentence for each outcome") {
  Farmhouse house;
  for (const char* action : {"cancel", "retry"}) {
    CAPTURE(action);
    const auto ask = [&](const char* id) {
      return house.ask("/api/v1/builds/" + std::string(id) + "/" + action, {}, "POST");
    };
    const net::SimpleResponse done = ask("1");
    CHECK(done.head.status == 200);
    CHECK(done.body == "{\"done\":true,\"sentence\":\"It is done.\"}\n");
    const net::SimpleResponse refused = ask("2");
    CHECK(refused.head.status == 409);
    CHECK(refused.body == "{\"error\":\"There is nothing to do.\"}\n");
    CHECK(ask("3").head.status == 404);
    for (const char* id : {"x", "-1", "1%2F", "99999999999999999999", "1.0"})
      CHECK_MESSAGE(ask(id).head.status == 404, id);
    const net::SimpleResponse get = house.ask("/api/v1/builds/1/" + std::string(action));
    CHECK(get.head.status == 405);
    CHECK(get.head.fields.get("Allow") == "POST");
  }
  CHECK(house.wanted.front() == "cancel 1 by somebody");
  CHECK(house.wanted.size() == 6);
}

TEST_CASE("a form leads back to the build's page, or says on a page why not") {
  Farmhouse house;
  const net::SimpleResponse done = house.ask("/build/1/retry", {}, "POST");
  CHECK(done.head.status == 303);
  CHECK(done.head.fields.get("Location") == "/build/1");
  const net::SimpleResponse refused = house.ask("/build/2/cancel", {}, "POST");
  CHECK(refused.head.status == 409);
  CHECK(refused.body.find("There is nothing to do.") != std::string::npos);
  CHECK(refused.head.fields.get("Content-Type") == "text/html; charset=utf-8");
}

TEST_CASE("results are cleared by the master key or the builder's, and by nothing else") {
  Farmhouse house;
  const std::string hash(40, 'a');
  const auto ask = [&house](const std::string& query) { return house.ask("/clear-results?" + query, {}, "POST"); };
  const std::string own = base::builder_key("master", "debug");
  for (const std::string& key : {std::string("master"), own}) {
    const net::SimpleResponse cleared = ask("builder=debug&hash=" + hash + "&key=" + key);
    CHECK(cleared.head.status == 200);
    CHECK(cleared.body == "{\"Response\":null,\"Error\":\"\"}\n");
  }
  CHECK(house.wanted == std::vector<std::string>(2, "clear debug " + hash + " by the key of debug"));
  for (const std::string& query :
       {std::string(), "builder=debug&hash=" + hash, "builder=arm&hash=" + hash + "&key=" + own,
        "builder=debug&hash=" + hash + "&key=" + own.substr(1), "hash=" + hash + "&key=master",
        std::string("builder=debug&hash=x&key=master"), "builder=debug&hash=" + std::string(41, 'a') + "&key=master"}) {
    CAPTURE(query);
    const net::SimpleResponse refused = ask(query);
    CHECK(refused.head.status == 200);
    CHECK(refused.body.find("\"Error\":\"\"") == std::string::npos);
    CHECK(refused.body.find(own.substr(1)) == std::string::npos);
  }
  CHECK(house.wanted.size() == 2);
  CHECK(house.ask("/clear-results?builder=debug&hash=" + hash + "&key=master").head.status == 405);
}

}  // namespace build::web
