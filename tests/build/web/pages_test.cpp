#include <build/web/html.h>
#include <doctest/doctest.h>

#include "farmhouse.h"

namespace build::web {

using model::AttemptOutcome;

namespace {

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

void check_common_fields(const net::SimpleResponse& answer) {
  CHECK(answer.head.fields.get("Content-Security-Policy") ==
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
  CHECK(answer.head.fields.get("X-Content-Type-Options") == "nosniff");
  CHECK(answer.head.fields.get("Referrer-Policy") == "no-referrer");
}

}  // namespace

TEST_CASE("the front page of a farm that has seen nothing yet says so") {
  Farmhouse house;
  const std::string page = house.page("/");
  CHECK(tag_fault(page) == "");
  CHECK(contains(page, "No commits were seen on this branch yet."));
  CHECK(contains(page, "No worker is connected."));
  CHECK(contains(page, "xbuild 1.2.3"));
}

TEST_CASE("the front page shows commits by builders, newest first, each state by shape and word") {
  Farmhouse house;
  house.commits({"first change", "second change"});
  house.connect("alpha");
  house.end(3, AttemptOutcome::ok);
  house.end(1, AttemptOutcome::failed, "step test: exit status 2");
  house.commits({"third change"});
  const std::string page = house.page("/");
  CHECK(tag_fault(page) == "");
  CHECK(contains(page, "<th scope=\"col\">Commit</th><th scope=\"col\">debug</th><th scope=\"col\">arm</th>"));
  CHECK(page.find("third change") < page.find("second change"));
  CHECK(page.find("second change") < page.find("first change"));
  CHECK(count(page, "<th scope=\"row\"><span class=\"commit\">") == 3);
  CHECK(contains(page, "<code class=\"hash\">00000003</code>"));
  CHECK(contains(page, "Mia Author, <time datetime=\""));
  CHECK(contains(page,
                 "<td class=\"cell running\"><a href=\"/build/5\"><svg class=\"shape running\" "
                 "aria-hidden=\"true\"><use href=\"#m-running\"/></svg>running</a></td>"));
  CHECK(contains(page, "<td class=\"cell ok\"><a href=\"/build/3\">"));
  CHECK(contains(page, "<td class=\"cell failed\"><a href=\"/build/1\" title=\"step test: exit status 2\">"));
  CHECK(contains(page, "<a href=\"/build/6\" title=\"waits for a worker of host type arm64: none is connected"));
  CHECK(contains(page, "<b>1</b> running"));
  CHECK(contains(page, "<b>3</b> waiting"));
  CHECK(contains(page, "<b>1</b> worker, 1 busy"));
  CHECK(contains(page, "<tr><th scope=\"row\">alpha</th><td>linux</td><td><a href=\"/build/5\">build 5</a></td>"));
  // Kept fresh with scripts, and without.
  CHECK(contains(page, "<body data-refresh=\"5\">"));
  CHECK(contains(page, "<noscript><meta http-equiv=\"refresh\" content=\"30\"></noscript>"));
}

TEST_CASE("one branch is shown in pages") {
  Farmhouse house;
  house.commits({"one", "two", "three"});
  const std::string newest = house.page("/?repository=zlib&branch=main&limit=2");
  CHECK(contains(newest, ">three</span>"));
  CHECK_FALSE(contains(newest, ">one</span>"));
  CHECK(contains(newest, "<a href=\"/?repository=zlib&amp;branch=main&amp;before=2\">Older commits</a>"));
  const std::string older = house.page("/?repository=zlib&branch=main&before=2");
  CHECK(contains(older, ">one</span>"));
  CHECK_FALSE(contains(older, ">two</span>"));
  CHECK_FALSE(contains(older, "Older commits"));
  CHECK(house.ask("/?repository=other").head.status == 404);
  CHECK(house.ask("/?repository=zlib&branch=other").head.status == 404);
  CHECK(house.ask("/?limit=0").head.status == 400);
  CHECK(house.ask("/?limit=501").head.status == 400);
  CHECK(house.ask("/?before=-1").head.status == 400);
  CHECK(house.ask("/?before=99999999999999999999").head.status == 400);
}

TEST_CASE("a notice about the whole farm is on every page, a dangerous one in red") {
  Farmhouse house;
  house.commits({"one"});
  house.notices_ = {{Notice::Weight::danger, "the public development key is accepted"}};
  for (const char* path : {"/", "/build/1", "/nothing"}) {
    const std::string page = house.ask(path).body;
    CHECK(contains(page,
                   "<p class=\"notice danger\" role=\"status\"><strong>Warning:</strong> the public development key"));
  }
}

TEST_CASE("a failed build shows the failing step, its status and its last lines first") {
  Farmhouse house;
  house.commits({"break it"});
  house.connect("alpha");
  house.step(1, "configure", "checking\n", AttemptOutcome::ok, "ok");
  std::string output;
  for (int i = 1; i <= 100; ++i) output += "line " + std::to_string(i) + "\n";
  house.step(1, "compile", output + "\x1B[1m\x1B[31merror:\x1B[0m no <such> thing\n", AttemptOutcome::failed,
             "exit status 2");
  house.end(1, AttemptOutcome::failed, "step compile: exit status 2");
  const std::string page = house.page("/build/1");
  CHECK(tag_fault(page) == "");
  CHECK(contains(page, "<span class=\"mark failed\">failed</span></h1>"));
  const std::size_t failure = page.find("<section class=\"failure\""), log = page.find("<section id=\"log\">");
  REQUIRE(failure != std::string::npos);
  REQUIRE(log != std::string::npos);
  CHECK(failure < log);
  const std::string_view excerpt = std::string_view(page).substr(failure, page.find("</section>", failure) - failure);
  CHECK(contains(excerpt, "<h2>Step compile: exit status 2</h2>"));
  CHECK(contains(excerpt, "<span class=\"a1 bold\">error:</span> no &lt;such&gt; thing"));
  CHECK(contains(excerpt, ">line 62\n"));
  CHECK_FALSE(contains(excerpt, "line 61\n"));
  const std::string_view rest = std::string_view(page).substr(log);
  CHECK(contains(rest, "line 1\n"));
  CHECK(contains(rest, "<span class=\"name\">configure</span> <span class=\"status ok\">ok</span>"));
  CHECK(contains(rest, "<details class=\"step\" id=\"step-1-0\">"));
  CHECK(contains(rest, "<details class=\"step\" id=\"step-1-1\" open>"));
  CHECK(contains(rest, "<pre class=\"command\"><code>make compile</code></pre>"));
  CHECK(contains(page, "data-refresh=\"0\""));
  CHECK_FALSE(contains(page, "http-equiv=\"refresh\""));
  CHECK_FALSE(contains(page, "data-live"));
}

TEST_CASE("a build that waits says for what; one that was lost shows each attempt and why it ended") {
  Farmhouse house;
  house.commits({"one"});
  CHECK(contains(house.page("/build/1"),
                 "This build waits for a worker of host type linux: none is connected; "
                 "no build is ahead; since "));
  for (int i = 0; i < 3; ++i) {
    house.connect("alpha");
    house.step(1, "compile", "some output\n", AttemptOutcome::running, "");
    house.feed(farm::SessionEnded{house.farm.sessions().front().id, "the connection was reset"});
  }
  const std::string page = house.page("/build/1");
  CHECK(tag_fault(page) == "");
  CHECK(contains(page, "no attempt could be brought to an end: attempt 1 on alpha was lost: the connection was reset"));
  CHECK(count(page, "<td>the connection was reset</td>") == 3);
  CHECK(contains(page, "<a href=\"/api/v1/runs/run-1-1-0/log\">compile</a>"));
  CHECK(contains(page, "Of attempt 3."));
}

TEST_CASE("a running build's log is there without scripts, with the place where the script goes on") {
  Farmhouse house;
  house.commits({"one"});
  house.connect("alpha");
  house.step(1, "compile", "first\nsecond\n", AttemptOutcome::running, "");
  const std::string page = house.page("/build/1");
  CHECK(contains(page, "data-run=\"run-1-1-0\" data-offset=\"13\" data-live=\"\">first\nsecond\n</pre>"));
  CHECK(contains(page, "<noscript><meta http-equiv=\"refresh\""));
  // The script asks for the frame only, and reads logs itself.
  CHECK(contains(house.page("/build/1?logs=0"), "data-run=\"run-1-1-0\" data-offset=\"0\" data-live=\"\"></pre>"));
}

TEST_CASE("of a long log the page holds the last 256 KiB and a link to the rest") {
  Farmhouse house;
  house.commits({"one"});
  house.connect("alpha");
  std::string output;
  while (output.size() < 1024 * 1024) output += "line " + std::to_string(output.size()) + "\n";
  house.step(1, "early", std::string(100 * 1024, 'e') + "\n", AttemptOutcome::ok, "ok");
  house.step(1, "compile", output, AttemptOutcome::ok, "ok");
  house.step(1, "test", "all is well\n", AttemptOutcome::ok, "ok");
  house.end(1, AttemptOutcome::ok);
  const std::string page = house.page("/build/1");
  CHECK(page.size() > 256 * 1024);
  CHECK(page.size() < 280 * 1024);
  CHECK(contains(page, "all is well\n</pre>"));
  CHECK(contains(page, output.substr(output.size() - 2000)));
  CHECK(contains(page, " of output before this: <a href=\"/api/v1/runs/run-1-1-1/log\">the whole log</a>"));
  CHECK(contains(page, "100 KiB of output before this: <a href=\"/api/v1/runs/run-1-1-0/log\">"));
}

TEST_CASE("nothing that a commit, a worker or a build says becomes markup") {
  const std::string evil = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>\xE2\x80\xAE\xFF&amp;" +
                           std::string(1, '\0') + "\x1B[31m";
  Farmhouse house;
  house.commits({evil}, evil);
  house.connect(evil);
  house.step(1, evil, evil + "\n", AttemptOutcome::failed, evil);
  house.end(1, AttemptOutcome::failed, evil);
  house.notices_ = {{Notice::Weight::information, evil}};
  for (const char* path : {"/", "/build/1", "/?repository=%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
                           "/build/%3Cscript%3E", "/%3Cscript%3Ealert(1)"}) {
    const std::string page = house.ask(path).body;
    CAPTURE(path);
    CHECK(tag_fault(page) == "");
    CHECK(count(page, "<script") == 1);  // our own
    CHECK(count(page, "<img") == 0);
    CHECK_FALSE(contains(page, "\xE2\x80\xAE"));
    CHECK_FALSE(contains(page, "\xFF"));
    CHECK(valid_utf8(page) == page);
    CHECK(page.find_first_of(std::string("\0\x1B\r\x07", 4)) == std::string::npos);
  }
  for (const char* path :
       {"/api/v1/builds/1", "/api/v1/builds", "/api/v1/commits", "/api/v1/workers", "/api/v1/status"})
    house.json(path);
  const net::SimpleResponse raw = house.ask("/api/v1/runs/run-1-1-0/log");
  CHECK(raw.body == evil + "\n");
  CHECK(raw.head.fields.get("Content-Type") == "text/plain; charset=utf-8");
  check_common_fields(raw);
}

TEST_CASE("every answer carries the policy that keeps a browser from running or loading anything else") {
  Farmhouse house;
  house.commits({"one"});
  for (const char* path : {"/", "/build/1", "/build/7", "/nothing", "/static/site.css", "/static/site.js",
                           "/favicon.svg", "/api/v1/status", "/api/v1/runs/none/log", "/api/v1/nothing"}) {
    CAPTURE(path);
    check_common_fields(house.ask(path));
  }
  const std::string page = house.page("/");
  CHECK_FALSE(contains(page, " style="));
  CHECK_FALSE(contains(page, "<style"));
  CHECK_FALSE(contains(page, " onclick"));
}

TEST_CASE("what is not there is a page for people and JSON for programs") {
  Farmhouse house;
  for (const char* path : {"/build/1", "/build/0", "/build/-1", "/build/x", "/build/99999999999999999999", "/nothing",
                           "/static/nothing", "/static/..%2fsite.css"}) {
    const net::SimpleResponse answer = house.ask(path);
    CAPTURE(path);
    CHECK(answer.head.status == 404);
    CHECK(answer.head.fields.get("Content-Type") == "text/html; charset=utf-8");
    CHECK(tag_fault(answer.body) == "");
  }
  for (const char* path : {"/api/v1/builds/1", "/api/v1/builds/x", "/api/v1/nothing", "/api/v1/runs/none/log",
                           "/api/v1/runs/..%2f..%2fstate%2ffarm.db/log", "/api/v1/builds/1/log",
                           "/api/v1/commits?repository=other", "/api/v1/commits?branch=other"}) {
    const net::SimpleResponse answer = house.ask(path);
    CAPTURE(path);
    CHECK(answer.head.status == 404);
    CHECK(answer.head.fields.get("Content-Type") == "application/json");
    rapidjson::Document document;
    document.Parse(answer.body.c_str());
    REQUIRE_FALSE(document.HasParseError());
    CHECK(document["error"].GetStringLength() > 0);
  }
  CHECK(house.ask("/", {}, "POST").head.status == 405);
}

TEST_CASE("style, script and icon come with their types and may be kept") {
  Farmhouse house;
  const net::SimpleResponse style = house.ask("/static/site.css");
  CHECK(style.head.fields.get("Content-Type") == "text/css; charset=utf-8");
  CHECK(contains(style.body, "prefers-color-scheme: dark"));
  CHECK(house.ask("/static/site.js").head.fields.get("Content-Type") == "text/javascript; charset=utf-8");
  CHECK(house.ask("/favicon.svg").head.fields.get("Content-Type") == "image/svg+xml");
  const std::string page = house.page("/");
  const std::size_t at = page.find("/static/site.css?v=");
  REQUIRE(at != std::string::npos);
  const net::SimpleResponse kept = house.ask(page.substr(at, page.find('"', at) - at));
  CHECK(kept.head.fields.get("Cache-Control") == "public, max-age=31536000, immutable");
  CHECK(style.head.fields.get("Cache-Control") == "no-cache");
  io::Fields fields;
  fields.add("If-None-Match", style.head.fields.get("ETag"));
  CHECK(house.ask("/static/site.css", fields).head.status == 304);
}

TEST_CASE("healthz answers ok") {
  Farmhouse house;
  const net::SimpleResponse answer = house.ask("/healthz");
  CHECK(answer.head.status == 200);
  CHECK(answer.body == "ok\n");
}

}  // namespace build::web
