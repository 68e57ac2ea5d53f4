#include <doctest/doctest.h>

#include <string>

#include "web_world.h"

using namespace maintner;
using namespace std::chrono_literals;
using testing::has;
using testing::WebWorld;

namespace {

struct Served : WebWorld {
  explicit Served(WebSiteLimits limits = {}) {
    records.issue("go", 1, [](GithubIssueMutation& issue) { issue.title = "the issue"; });
    load(limits);
  }
  static std::string status(const std::string& answer) { return answer.substr(9, 3); }
  static std::string field(const std::string& answer, const std::string& name) {
    const std::size_t at = answer.find("\r\n" + name + ": ");
    if (at == std::string::npos) return {};
    const std::size_t begin = at + name.size() + 4;
    return answer.substr(begin, answer.find("\r\n", begin) - begin);
  }
};

}  // namespace

TEST_CASE("answers may be framed by nobody, run nothing of others, and are what they say") {
  Served world;
  for (const char* const target : {"/", "/golang/go/1", "/nothing", "/-/static/site.js", "/-/healthz"}) {
    CAPTURE(target);
    const std::string answer = world.get(target);
    CHECK(has(Served::field(answer, "Content-Security-Policy"), "default-src 'none'"));
    CHECK(has(Served::field(answer, "Content-Security-Policy"), "frame-ancestors 'none'"));
    CHECK(!has(Served::field(answer, "Content-Security-Policy"), "unsafe"));
    CHECK(Served::field(answer, "X-Content-Type-Options") == "nosniff");
  }
  const std::string page = world.get("/golang/go/1");
  CHECK(!has(page, "<script>"));
  CHECK(!has(page, "style="));
}

TEST_CASE("there is GET and HEAD, and nothing else") {
  Served world;
  const std::string head = world.answer("HEAD /golang/go/1 HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(Served::status(head) == "200");
  CHECK(head.ends_with("\r\n\r\n"));
  for (const char* const method : {"POST", "PUT", "DELETE", "OPTIONS"}) {
    CAPTURE(method);
    const std::string answer =
        world.answer(std::string(method) + " /golang/go HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    CHECK(Served::status(answer) == "405");
    CHECK(Served::field(answer, "Allow") == "GET, HEAD");
  }
}

TEST_CASE("a page that is as it was is not sent again, until something has changed") {
  Served world;
  const std::string first = world.get("/golang/go");
  const std::string again = "If-None-Match: " + Served::field(first, "ETag") + "\r\n";
  CHECK(Served::status(world.get("/golang/go", again)) == "304");
  world.records.issue("go", 2, [](GithubIssueMutation& issue) { issue.title = "another"; });
  world.corpus->update();
  const std::string second = world.get("/golang/go", again);
  CHECK(Served::status(second) == "200");
  CHECK(has(second, "another"));
}

TEST_CASE("assets are kept by browsers for as long as they are the same") {
  Served world;
  const std::string page = world.get("/");
  const std::size_t at = page.find("/-/static/site.css?v=");
  REQUIRE(at != std::string::npos);
  const std::string css = world.get(page.substr(at, page.find('"', at) - at));
  CHECK(Served::field(css, "Content-Type") == "text/css; charset=utf-8");
  CHECK(has(Served::field(css, "Cache-Control"), "immutable"));
  CHECK(Served::status(world.get("/-/static/site.css", "If-None-Match: " + Served::field(css, "ETag") + "\r\n")) ==
        "304");
  CHECK(Served::status(world.get("/-/static/..%2Fassets.h")) == "404");
}

TEST_CASE("who waits for news hears of what came before it asked, and of what comes") {
  Served world;
  const auto peer = world.connect();
  peer->send("GET /-/events?from=0 HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(world.until([&] {
    world.clock.advance(250ms, [&] { world.settle(); });
    return has(peer->received(), "event: news\ndata: ");
  }));
  CHECK(has(peer->take(), "text/event-stream"));
  world.records.issue("go", 2, [](GithubIssueMutation& issue) { issue.title = "another"; });
  world.corpus->update();
  world.site->changed();
  const std::string version = std::to_string(world.corpus->view().version());
  CHECK(world.until([&] {
    world.clock.advance(250ms, [&] { world.settle(); });
    return has(peer->received(), "event: news\ndata: " + version + ".");
  }));
}

TEST_CASE("a stream with nothing to say says that it lives") {
  Served world;
  const auto peer = world.connect();
  peer->send("GET /-/events HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(world.until([&] { return has(peer->received(), "retry: "); }));
  world.clock.advance(16s, [&] { world.settle(); });
  CHECK(world.until([&] { return has(peer->received(), ":\n\n"); }));
  CHECK(!has(peer->received(), "event: news"));
}

TEST_CASE("streams beyond the limit are refused") {
  Served world({.streams = 1});
  const auto peer = world.connect();
  peer->send("GET /-/events HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(world.until([&] { return has(peer->received(), "retry: "); }));
  CHECK(Served::status(world.get("/-/events")) == "503");
  CHECK(Served::status(world.get("/golang/go")) == "200");
}

TEST_CASE("statements that take long do not hold up pages, and too many of them are refused") {
  Served world({.sql_time = 30s, .at_once = 1, .waiting = 1, .patience = 2s});
  const std::string endless =
      "GET /-/sql?q=WITH+RECURSIVE+n(i)+AS+(SELECT+1+UNION+ALL+SELECT+i%2B1+FROM+n)+SELECT+sum(i)+FROM+n "
      "HTTP/1.1\r\nHost: x\r\n\r\n";
  const auto first = world.connect();
  first->send(endless);
  world.settle();
  const auto second = world.connect();
  second->send(endless);
  world.settle();
  const std::string third = world.get("/-/sql?q=SELECT+1");
  CHECK(Served::status(third) == "503");
  CHECK(Served::field(third, "Retry-After") == "5");
  CHECK(Served::status(world.get("/golang/go")) == "200");
  CHECK(Served::status(world.get("/-/search?q=issue")) == "200");
  world.clock.advance(3s, [&] { world.settle(); });
  CHECK(world.until([&] { return has(second->received(), "503"); }));
  // Who goes away frees what runs for it.
  first->close();
  CHECK(world.until([&] { return Served::status(world.get("/-/sql?q=SELECT+1")) == "200"; }));
}
