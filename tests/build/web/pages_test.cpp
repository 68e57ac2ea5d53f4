#include <build/base/utf8.h>
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
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'");
  CHECK(answer.head.fields.get("X-Content-Type-Options") == "nosniff");
  CHECK(answer.head.fields.get("Referrer-Policy") == "same-origin");
}

}  // namespace

TEST_CASE("the front page of a farm that has seen nothing yet says so") {
  Farmhouse house;
  const std::string page = house.page("/");
  CHECK(tag_fault(page) == "");
  CHECK(contains(page, "No commits were seen on this branch yet."));
  CHECK(contains(page, "<b>0</b> connected"));
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
  CHECK(contains(page, "<td class=\"running\"><a href=\"/build/5\">running</a></td>"));
  CHECK(contains(page, "<td class=\"ok\"><a href=\"/build/3\">ok</a></td>"));
  CHECK(contains(page, "<td class=\"failed\"><a href=\"/build/1\" title=\"step test: exit status 2\">failed</a></td>"));
  CHECK(contains(page, "<td class=\"waiting\"><a href=\"/build/6\">waiting</a></td>"));
  CHECK(contains(page, "<a href=\"/\" aria-current=\"page\">Builds</a><a href=\"/queue\">Queue"));
  CHECK(contains(page, "<b>1</b> running"));
  CHECK(contains(page, "<b>3</b> waiting"));
  CHECK(contains(page, "<b>1</b> connected"));
  CHECK(contains(page, "<b>1</b> busy"));
  // Kept fresh with scripts, and without.
  CHECK(contains(page, "<body data-refresh=\"5\">"));
  CHECK(contains(page, "<noscript><meta http-equiv=\"refresh\" content=\"30\"></noscript>"));
}

TEST_CASE("one branch is shown in pages, and back") {
  Farmhouse house;
  house.commits({"one", "two", "three", "four", "five"});
  const std::string newest = house.page("/?limit=2");
  CHECK(contains(newest, ">five</span>"));
  CHECK_FALSE(contains(newest, ">three</span>"));
  CHECK(contains(newest, "<a rel=\"next\" href=\"/?repository=zlib&amp;branch=main&amp;limit=2&amp;before=4\">Older"));
  CHECK_FALSE(contains(newest, "Newer commits"));
  const std::string middle = house.page("/?repository=zlib&branch=main&limit=2&before=4");
  CHECK(contains(middle, ">three</span>"));
  CHECK(contains(middle, "&amp;limit=2&amp;after=3\">Newer commits</a>"));
  CHECK(contains(middle, "&amp;limit=2&amp;before=2\">Older commits</a>"));
  CHECK(contains(middle, "\">Newest</a>"));
  const std::string last = house.page("/?limit=2&before=2");
  CHECK(contains(last, ">one</span>"));
  CHECK_FALSE(contains(last, "Older commits"));
  const std::string back = house.page("/?limit=2&after=1");
  CHECK(contains(back, ">three</span>"));
  CHECK(contains(back, ">two</span>"));
  CHECK_FALSE(contains(back, ">four</span>"));
  CHECK(contains(back, "Newer commits"));
  // What would be less than a page at the top is the first page.
  const std::string top = house.page("/?limit=2&after=4");
  CHECK(contains(top, ">five</span>"));
  CHECK(contains(top, ">four</span>"));
  CHECK_FALSE(contains(top, "Newer commits"));
  CHECK(house.ask("/?repository=other").head.status == 404);
  CHECK(house.ask("/?repository=zlib&branch=other").head.status == 404);
  for (const char* wrong : {"limit=0", "limit=501", "before=-1", "before=99999999999999999999", "state=good"})
    CHECK(house.ask("/?" + std::string(wrong)).head.status == 400);
  CHECK(house.ask("/?repository=&branch=&builder=&state=&before=").head.status == 200);
}

TEST_CASE("the table can be filtered by builder and state, and paging keeps the filter") {
  Farmhouse house;
  house.commits({"one", "two", "three"});
  house.connect("alpha");
  // Builds 5, 3, 1 are those of "debug".
  house.end(5, AttemptOutcome::failed, "step test: exit status 2");
  house.end(3, AttemptOutcome::ok);
  house.end(1, AttemptOutcome::failed, "step test: exit status 2");
  const std::string failed = house.page("/?state=failed");
  CHECK(tag_fault(failed) == "");
  CHECK(contains(failed, ">three</span>"));
  CHECK_FALSE(contains(failed, ">two</span>"));
  CHECK(contains(failed, ">one</span>"));
  CHECK_FALSE(contains(failed, "<th scope=\"col\">arm</th>"));
  CHECK(contains(failed, "<option value=\"failed\" selected>failed</option>"));
  CHECK(contains(failed, "<a href=\"/\">Show all</a>"));
  const std::string first = house.page("/?state=failed&builder=deb&limit=1");
  CHECK(contains(first, "branch=main&amp;builder=deb&amp;state=failed&amp;limit=1&amp;before=3\">Older commits</a>"));
  CHECK(contains(first, "value=\"deb\"></label>"));
  const std::string arm = house.page("/?builder=arm");
  CHECK(contains(arm, ">two</span>"));
  CHECK_FALSE(contains(arm, "<th scope=\"col\">debug</th>"));
  CHECK(contains(house.page("/?builder=arm&state=failed"), "No commit here fits the filter."));
  CHECK(contains(house.page("/?builder=none"), "No commit here fits the filter."));
  // The JSON twin has the same filter.
  CHECK(house.json("/api/v1/commits?state=failed&builder=debug")["commits"].Size() == 2);
  CHECK(house.json("/api/v1/commits?builder=arm")["commits"][0]["builds"].Size() == 1);
}

TEST_CASE("the queue shows what runs, then what waits with its sentence") {
  Farmhouse house;
  CHECK(contains(house.page("/queue"), "No build runs."));
  house.commits({"one", "two"});
  house.connect("alpha");
  const std::string page = house.page("/queue");
  CHECK(tag_fault(page) == "");
  CHECK(contains(page, "<th scope=\"row\"><a href=\"/build/3\">3</a></th><td>zlib"));
  CHECK(contains(page, "<td>alpha</td>"));
  CHECK(contains(page, "<td class=\"sentence\">It waits for a worker of host type arm64: none is connected"));
  CHECK(page.find("/build/3\"") < page.find("/build/4\""));
  CHECK(contains(house.page("/queue?limit=1"), "The first 1 of 3 are shown."));
  const auto json = house.json("/api/v1/queue");
  CHECK(json["running_count"].GetInt() == 1);
  CHECK(json["waiting_count"].GetInt() == 3);
  CHECK(std::string(json["running"][0]["hostname"].GetString()) == "alpha");
  CHECK(std::string(json["running"][0]["subject"].GetString()) == "two");
  CHECK(std::string(json["waiting"][0]["label"].GetString()) == "no_worker");
  CHECK(house.ask("/queue?limit=0").head.status == 400);
}

TEST_CASE("the workers are shown by host type, with what each does and who was lost") {
  Farmhouse house;
  CHECK(contains(house.page("/pools"), "No worker is connected, and no build waits for one."));
  house.connect("alpha");
  house.connect("beta");
  house.commits({"one"});
  std::string page = house.page("/pools");
  CHECK(tag_fault(page) == "");
  CHECK(contains(page, "<h2>linux</h2>\n<p class=\"aside\">2 workers, 1 busy; 0 builds wait.</p>"));
  CHECK(contains(page,
                 "<th scope=\"row\">alpha</th><td><span class=\"mark busy\">busy</span></td><td><a "
                 "href=\"/build/1\">build 1</a> <span class=\"soft\">zlib on debug</span></td><td>26</td>"));
  CHECK(contains(page, "<th scope=\"row\">beta</th><td><span class=\"mark idle\">idle</span></td><td></td>"));
  CHECK(contains(page,
                 "<h2>arm64</h2>\n<p class=\"aside\">0 workers, 0 busy; 1 build waits.</p>\n<p class=\"why "
                 "lost\">No worker of this type is connected.</p>"));
  CHECK_FALSE(contains(page, "Gone in the last 24 hours"));
  house.feed(farm::SessionEnded{house.farm.sessions().front().id, "the connection was reset"});
  page = house.page("/pools");
  CHECK(contains(page, "Gone in the last 24 hours"));
  CHECK(contains(page, "<td>the connection was reset</td>"));
  const auto json = house.json("/api/v1/pools");
  REQUIRE(json["pools"].Size() == 2);
  CHECK(std::string(json["pools"][1]["host_type"].GetString()) == "linux");
  CHECK(std::string(json["pools"][1]["workers"][0]["state"].GetString()) == "busy");
  CHECK(json["pools"][0]["waiting"].GetInt() == 1);
  CHECK(std::string(json["ended"][0]["hostname"].GetString()) == "alpha");
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
  // Its lines lead to themselves further down.
  CHECK(contains(excerpt,
                 "<span><a href=\"#s1-1-L101\" tabindex=\"-1\">101</a><span class=\"a1 bold\">error:</span> no "
                 "&lt;such&gt; thing\n</span>"));
  CHECK(contains(excerpt, ">62</a>line 62\n"));
  CHECK_FALSE(contains(excerpt, "line 61\n"));
  const std::string_view rest = std::string_view(page).substr(log);
  CHECK(contains(rest, "<span id=\"s1-1-L1\"><a href=\"#s1-1-L1\" tabindex=\"-1\">1</a>line 1\n</span>"));
  CHECK(contains(rest, "<span class=\"name\">configure</span> <span class=\"mark ok\">ok</span>"));
  CHECK(contains(rest, "<details class=\"step\" id=\"step-1-0\">"));
  CHECK(contains(rest, "<details class=\"step\" id=\"step-1-1\" open>"));
  CHECK(contains(rest, "<pre class=\"command\"><code>make compile</code></pre>"));
  CHECK(contains(page, "data-refresh=\"0\""));
  CHECK_FALSE(contains(page, "http-equiv=\"refresh\""));
  CHECK_FALSE(contains(page, "data-live"));
  CHECK_FALSE(contains(page, "data-events"));
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
  CHECK(contains(page, "<a href=\"/build/1/log/1-0?from=1\">compile</a>"));
  CHECK(contains(page, "Of attempt 3."));
}

TEST_CASE("a build whose worker is away says so wherever it is shown") {
  Farmhouse house;
  house.commits({"one"});
  house.connect("alpha<b>", "linux", {"runs"});
  CHECK_FALSE(contains(house.page("/build/1"), "is away"));
  house.feed(farm::SessionEnded{house.farm.sessions().front().id, "the connection was <reset>"});
  const std::string sentence = "its worker alpha&lt;b&gt; is away since ";
  const std::string why = " (the connection was &lt;reset&gt;); the run goes on there, and is waited for until ";
  const std::string page = house.page("/build/1");
  CHECK(tag_fault(page) == "");
  CHECK(contains(page, "<p class=\"why waiting\">This build runs, but " + sentence));
  CHECK(contains(page, why));
  CHECK(contains(page, "<span class=\"mark running\">running</span></h1>"));
  const std::string queue = house.page("/queue");
  CHECK(tag_fault(queue) == "");
  CHECK(contains(queue, "<td class=\"sentence\">It runs, but " + sentence));
  CHECK(contains(queue, why));
  CHECK(contains(house.page("/"), "<td class=\"running\"><a href=\"/build/1\" title=\"" + sentence));
  CHECK(contains(house.page("/"), "<b>1</b> running"));
}

TEST_CASE("a running build's log is there without scripts, with the place where the script goes on") {
  Farmhouse house;
  house.commits({"one"});
  house.connect("alpha");
  house.step(1, "compile", "first\nsecond\n", AttemptOutcome::running, "");
  const std::string page = house.page("/build/1");
  CHECK(contains(
      page, "data-run=\"run-1-1-0\" data-lines=\"s1-0-L\" data-offset=\"13\" data-live=\"\"><span id=\"s1-0-L1\">"));
  CHECK(contains(page, ">2</a>second\n</span></pre>"));
  CHECK(contains(page, "data-events=\"/api/v1/builds/1/events?from=1.0.13\""));
  CHECK(contains(page, "<noscript><meta http-equiv=\"refresh\""));
  // The script asks for the frame only, and has the logs itself.
  CHECK(contains(house.page("/build/1?logs=0"), "data-offset=\"0\" data-live=\"\"></pre>"));
}

TEST_CASE("what a running log ends with is shown when it is whole") {
  for (const char* begun : {"\x1B", "\x1B[3", "\x1B]0;title", "\xE2\x82", "\r"}) {
    Farmhouse house;
    house.commits({"one"});
    house.connect("alpha");
    house.step(1, "compile", "first\nsec" + std::string(begun), AttemptOutcome::running, "");
    const std::string page = house.page("/build/1");
    CAPTURE(begun);
    CHECK(contains(page, ">2</a>sec</span></pre>"));
    CHECK(contains(page, "events?from=1.0.9\""));
  }
}

TEST_CASE("of a long log the page holds the end, with its lines' numbers, and the way to the rest") {
  Farmhouse house;
  house.commits({"one"});
  house.connect("alpha");
  std::string output;
  int lines = 0;
  while (output.size() < 1024 * 1024) output += "line " + std::to_string(++lines) + "\n";
  house.step(1, "early", std::string(100 * 1024, 'e') + "\n", AttemptOutcome::ok, "ok");
  house.step(1, "compile", output, AttemptOutcome::ok, "ok");
  house.step(1, "test", "all is well\n", AttemptOutcome::ok, "ok");
  house.end(1, AttemptOutcome::ok);
  const std::string page = house.page("/build/1");
  CHECK(page.size() > 128 * 1024);
  CHECK(page.size() < 1024 * 1024);
  CHECK(contains(page, "all is well\n</span></pre>"));
  const std::string last = std::to_string(lines);
  CHECK(contains(page, "<span id=\"s1-1-L" + last + "\"><a href=\"#s1-1-L" + last + "\" tabindex=\"-1\">" + last +
                           "</a>line " + last + "\n</span></pre>"));
  CHECK(contains(page, " of output come before line "));
  CHECK(contains(page, "<a href=\"/build/1/log/1-1?from=1\">read all of it page by page</a>"));
  CHECK(contains(page, "<a href=\"/api/v1/runs/run-1-1-1/log\">as plain text</a>"));
}

TEST_CASE("any line of a long log can be linked to and is read in pages of bounded size") {
  Farmhouse house;
  house.commits({"one"});
  house.connect("alpha");
  std::string output;
  for (int i = 1; i <= 50'000; ++i) output += "this is line " + std::to_string(i) + "\n";
  house.step(1, "test", output, AttemptOutcome::running, "");
  const std::string page = house.page("/build/1/log/1-0?from=12345");
  CHECK(tag_fault(page) == "");
  CHECK(page.size() < 200 * 1024);
  CHECK(contains(page,
                 "<span id=\"s1-0-L12345\"><a href=\"#s1-0-L12345\" tabindex=\"-1\">12345</a>this is line 12345\n"));
  CHECK(contains(page, "this is line 13344\n"));
  CHECK_FALSE(contains(page, "this is line 12344\n"));
  CHECK_FALSE(contains(page, "this is line 13345\n"));
  CHECK(contains(page, "lines 12,345 to 13,344 of 50,000"));
  CHECK(contains(page, "<a href=\"/build/1/log/1-0?from=11345\">Earlier</a>"));
  CHECK(contains(page, "<a href=\"/build/1/log/1-0?from=13345\">Later</a>"));
  CHECK(contains(page, "<a href=\"/build/1/log/1-0?from=49001\">Last lines</a>"));
  CHECK(contains(house.page("/build/1/log/1-0"), "lines 1 to 1,000 of 50,000"));
  const std::string last = house.page("/build/1/log/1-0?from=999999999");
  CHECK(contains(last, "lines 50,000 to 50,000 of 50,000"));
  CHECK_FALSE(contains(last, ">Later<"));
  for (const char* missing : {"/build/1/log/1-1", "/build/1/log/2-0", "/build/1/log/x", "/build/1/log/1",
                              "/build/1/log/1-", "/build/1/log/-", "/build/2/log/1-0", "/build/1/log/1-0-0"})
    CHECK(house.ask(missing).head.status == 404);
  CHECK(house.ask("/build/1/log/1-0?from=0").head.status == 400);
  CHECK(house.ask("/build/1/log/1-0?from=x").head.status == 400);
}

TEST_CASE("a line of many megabytes makes no page of many megabytes") {
  Farmhouse house;
  house.commits({"one"});
  house.connect("alpha");
  house.step(1, "test", "before\n" + std::string(8 * 1024 * 1024, '<') + "\nafter\n", AttemptOutcome::failed,
             "exit status 1");
  house.end(1, AttemptOutcome::failed, "step test: exit status 1");
  // Each '<' takes four characters.
  const std::string build = house.page("/build/1");
  CHECK(build.size() < 700 * 1024);
  CHECK(contains(build, ">3</a>after\n</span></pre>"));
  const std::string log = house.page("/build/1/log/1-0?from=2");
  CHECK(log.size() < 1200 * 1024);
  CHECK(contains(log, "Line 2 goes on: <a href=\"/api/v1/runs/run-1-1-0/log?offset=262151\">"));
  CHECK(contains(log, "<a href=\"/build/1/log/1-0?from=3\">Later</a>"));
  CHECK(contains(house.page("/build/1/log/1-0?from=3"), ">3</a>after\n</span></pre>"));
  CHECK(contains(house.page("/build/1/log/1-0?from=1"), ">1</a>before\n</span></pre>"));
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
  for (const char* path : {"/", "/queue", "/pools", "/build/1", "/build/1/log/1-0", "/?builder=%22%3E%3Cscript%3E%00",
                           "/?branch=%3Cscript%3E", "/?repository=%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
                           "/build/%3Cscript%3E", "/%3Cscript%3Ealert(1)"}) {
    const std::string page = house.ask(path).body;
    CAPTURE(path);
    CHECK(tag_fault(page) == "");
    CHECK(count(page, "<script") == 1);  // our own
    CHECK(count(page, "<img") == 0);
    CHECK_FALSE(contains(page, "\xE2\x80\xAE"));
    CHECK_FALSE(contains(page, "\xFF"));
    CHECK(build::base::valid_utf8(page) == page);
    CHECK(page.find_first_of(std::string("\0\x1B\r\x07", 4)) == std::string::npos);
  }
  for (const char* path : {"/api/v1/builds/1", "/api/v1/builds", "/api/v1/commits", "/api/v1/workers", "/api/v1/status",
                           "/api/v1/queue", "/api/v1/pools"})
    house.json(path);
  const net::SimpleResponse raw = house.ask("/api/v1/runs/run-1-1-0/log");
  CHECK(raw.body == evil + "\n");
  CHECK(raw.head.fields.get("Content-Type") == "text/plain; charset=utf-8");
  check_common_fields(raw);
}

TEST_CASE("every answer carries the policy that keeps a browser from running or loading anything else") {
  Farmhouse house;
  house.commits({"one"});
  for (const char* path :
       {"/", "/build/1", "/queue", "/pools", "/build/1/log/1-0", "/build/7", "/nothing", "/static/site.css",
        "/static/site.js", "/favicon.svg", "/api/v1/status", "/api/v1/runs/none/log", "/api/v1/nothing"}) {
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
