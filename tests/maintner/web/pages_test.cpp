#include <doctest/doctest.h>

#include <fstream>
#include <string>

#include "web_world.h"

using namespace maintner;
using testing::at;
using testing::has;
using testing::in_order;
using testing::LogWriter;
using testing::WebWorld;

namespace {

/// A few of everything.
struct Small : WebWorld {
  Small() {
    records.issue("go", 1, [](GithubIssueMutation& issue) {
      issue.title = "first <script>alert(1)</script>";
      issue.body = "see #2 and golang/go#3, CL 7, https://golang.org/cl/7 and nothing of #99\n\n**bold** `code`";
      issue.user = GithubUser{1, "ann", {}};
      issue.created = at(0);
      issue.updated = at(500);
      issue.add_label = {{11, "NeedsFix", {}}, {12, "a&b", {}}};
      issue.milestone_id = 5;
      issue.milestone_num = 5;
      issue.milestone_title = "Go1.17";
      issue.assignees = {{2, "bob", {}}};
      issue.comment.push_back({101, GithubUser{2, "bob", {}}, "a comment", at(100), at(100), {}});
      issue.comment.push_back({102, GithubUser{1, "ann", {}}, "the last comment", at(300), at(300), {}});
      GithubIssueEvent& labeled = issue.event.emplace_back();
      labeled.id = 201;
      labeled.event_type = "labeled";
      labeled.actor_id = 2;
      labeled.created = at(200);
      labeled.label = GithubLabel{0, "NeedsFix", {}};
      GithubIssueEvent& renamed = issue.event.emplace_back();
      renamed.id = 202;
      renamed.event_type = "renamed";
      renamed.actor_id = 1;
      renamed.created = at(400);
      renamed.rename_from = "<old>";
      renamed.rename_to = "new";
    });
    records.issue("go", 2, [](GithubIssueMutation& issue) {
      issue.title = "second";
      issue.body = "closed one";
      issue.user = GithubUser{2, "bob", {}};
      issue.created = at(10);
      issue.closed = BoolChange{true, {}};
    });
    records.issue("go", 3, [](GithubIssueMutation& issue) {
      issue.title = "a pull request";
      issue.pull_request = true;
      issue.user = GithubUser{1, "ann", {}};
      issue.created = at(20);
      GithubReview& review = issue.review.emplace_back();
      review.id = 301;
      review.actor_id = 2;
      review.created = at(30);
      review.body = "looks good";
      review.state = "APPROVED";
    });
    records.issue("go", 4, [](GithubIssueMutation& issue) { issue.not_exist = true; });
    records.change("go.googlesource.com/go", 7, "new", "sys: do it\n\nFixes golang/go#1\n");
    records.change("go.googlesource.com/go", 8, "merged", "second change\n\nUpdates golang/go#2\n");
    records.change("code.example.org/a/b", 9, "abandoned", "elsewhere\n");
    load();
  }
};

}  // namespace

TEST_CASE("the front page has repositories and projects with how much is in them") {
  Small world;
  const std::string page = world.body("/");
  CHECK(in_order(page, {"href=\"/golang/go\">golang/go</a>", "?state=all\">2</a>", ">1</a>",
                        "kind=pulls&amp;state=all\">1</a>", "2020-09-13</time>"}));
  CHECK(in_order(page, {"href=\"/-/gerrit/code.example.org/a%2Fb\">code.example.org/a/b", ">1</a>", ">0</a>"}));
  CHECK(in_order(page, {"href=\"/go.googlesource.com/go\">go.googlesource.com/go", ">2</a>", ">1</a>", ">1</a>"}));
}

TEST_CASE("a page says that counting is not over yet, and that counts are old") {
  Small world;
  world.records.issue("go", 5, [](GithubIssueMutation& issue) { issue.title = "late"; });
  world.corpus->update();
  CHECK(has(world.body("/"), "as of mutation 7, a moment ago"));
  world.count();
  CHECK(!has(world.body("/"), "a moment ago"));
}

TEST_CASE("a list of issues has the newest first, and what was asked for only") {
  Small world;
  const std::string open = world.body("/golang/go");
  CHECK(in_order(open, {"Open <span>1</span>", "Closed <span>1</span>", "All <span>2</span>"}));
  CHECK(has(open, "first &lt;script&gt;"));
  CHECK(!has(open, ">second<"));
  CHECK(!has(open, "a pull request"));
  CHECK(in_order(world.body("/golang/go?state=all"), {">#2<", ">#1<"}));
  CHECK(has(world.body("/golang/go?state=closed"), ">second<"));
  CHECK(in_order(world.body("/golang/go?kind=all&state=all"), {">#3<", ">#2<", ">#1<"}));
  CHECK(has(world.body("/golang/go?label=NeedsFix&label=a%26b&milestone=Go1.17&assignee=bob&author=ann"), ">#1<"));
  for (const char* const none :
       {"label=NeedsFix&label=x", "milestone=Go1.18", "assignee=ann", "author=bob", "author=%27%20OR%201"}) {
    CAPTURE(none);
    CHECK(has(world.body(std::string("/golang/go?") + none), "No issues"));
  }
}

TEST_CASE("a list is shown in pages") {
  WebWorld world;
  for (int i = 1; i <= 120; ++i)
    world.records.issue("go", i, [](GithubIssueMutation& issue) { issue.title = "an issue"; });
  world.load();
  const std::string first = world.body("/golang/go");
  CHECK(in_order(first, {"1 to 50 of 120 issues", "page=2\">Next", "page=3\">Last", ">#120<", ">#71<"}));
  CHECK(!has(first, ">#70<"));
  CHECK(in_order(world.body("/golang/go?page=3&author="),
                 {"101 to 120 of 120 issues", "First", "page=2\">Previous", ">#20<", ">#1<"}));
  CHECK(world.page("/golang/go?page=4").status == 404);
  for (const char* const page : {"0", "-1", "x", "1e3", "99999999999999999999", "", "100001"}) {
    CAPTURE(page);
    CHECK(world.page(std::string("/golang/go?page=") + page).status == 400);
  }
}

TEST_CASE("an issue has what happened to it, by time, and what names it") {
  Small world;
  const std::string page = world.body("/golang/go/1");
  CHECK(in_order(page, {"id=\"issue\"", "<strong>bold</strong> <code>code</code>", "id=\"comment-101\"", "a comment",
                        "id=\"event-201\"", "added the label", "NeedsFix", "id=\"comment-102\"", "the last comment",
                        "id=\"event-202\"", "<del>&lt;old&gt;</del> to <b>new</b>"}));
  CHECK(in_order(page, {"<a href=\"/golang/go/2\">#2</a>", "<a href=\"/golang/go/3\">golang/go#3</a>",
                        "<a href=\"/go.googlesource.com/go/7\">CL 7</a>",
                        "<a href=\"/go.googlesource.com/go/7\">https://golang.org/cl/7</a>", "nothing of #99"}));
  CHECK(in_order(page, {"<dt>Milestone</dt>", "Go1.17", "<dt>Assigned to</dt>", "bob", "<dt>Changes that name it</dt>",
                        "CL 7", "sys: do it"}));
  CHECK(!has(page, "<script>alert"));
  const std::string pull = world.body("/golang/go/3");
  CHECK(
      in_order(pull, {"pull request", "reviewed this: approved", "looks good", "https://github.com/golang/go/pull/3"}));
}

TEST_CASE("a long issue is shown in pages, and a comment is found on its own") {
  WebWorld world;
  world.records.issue("go", 1, [](GithubIssueMutation& issue) {
    issue.title = "long";
    for (int i = 1; i <= 450; ++i) issue.comment.push_back({i, GithubUser{1, "ann", {}}, "text", at(i), at(i), {}});
  });
  world.load();
  CHECK(in_order(world.body("/golang/go/1"), {"id=\"comment-1\"", "id=\"comment-200\""}));
  CHECK(in_order(world.body("/golang/go/1?page=3"), {"id=\"comment-401\"", "id=\"comment-450\""}));
  CHECK(world.page("/golang/go/1?comment=401").location == "/golang/go/1?page=3#comment-401");
  CHECK(world.page("/golang/go/1?comment=7").status == 200);
}

TEST_CASE("changes are listed by state, status, owner, branch, hashtag and reviewer") {
  Small world;
  const std::string open = world.body("/go.googlesource.com/go");
  CHECK(in_order(open, {"Open <span>1</span>", "Closed <span>1</span>", "sys: do it"}));
  CHECK(!has(open, "second change"));
  CHECK(has(world.body("/go.googlesource.com/go?state=closed"), "second change"));
  CHECK(in_order(world.body("/go.googlesource.com/go?state=all"), {"second change", "sys: do it"}));
  CHECK(has(world.body("/go.googlesource.com/go?status=merged"), "second change"));
  CHECK(has(world.body("/go.googlesource.com/go?owner=ann%40example.org&branch=master&hashtag=wait&reviewer=8"),
            "sys: do it"));
  for (const char* const none : {"owner=bob", "branch=dev", "hashtag=late", "reviewer=9"}) {
    CAPTURE(none);
    CHECK(has(world.body(std::string("/go.googlesource.com/go?") + none), "No changes"));
  }
}

TEST_CASE("a change has its message, votes, reviewers, patch sets and files") {
  Small world;
  const std::string page = world.body("/go.googlesource.com/go/7");
  CHECK(in_order(page,
                 {"sys: do it", "fine with me", "<dt>Votes</dt>", "Code-Review", "+2", "<dt>Reviewers</dt>", "Bob",
                  "<dt>Hashtags</dt>", "wait", "soon", "<dt>Issues it names</dt>", "/golang/go/1\">golang/go#1</a>"}));
  CHECK(has(page, "https://go-review.googlesource.com/c/go/+/7"));
  const std::string hash = LogWriter::hash_of(7, 'a');
  CHECK(has(world.body("/go.googlesource.com/go/7/commits"), "/-/commit/" + hash));
  CHECK(in_order(world.body("/go.googlesource.com/go/7/files"), {"Patch set 1 of 1", "src/&lt;b&gt;.go", "+12", "3"}));
  CHECK(has(world.body("/go.googlesource.com/go/7/files/" + hash), "+12"));
  CHECK(world.page("/go.googlesource.com/go/7/files/" + LogWriter::hash_of(8, 'a')).status == 404);
  CHECK(has(world.body("/-/gerrit/code.example.org/a%2Fb/9"), "elsewhere"));
}

TEST_CASE("a private change has no page, is in no list, and is named nowhere") {
  WebWorld world;
  world.records.issue("go", 1, [](GithubIssueMutation& issue) { issue.title = "the issue"; });
  world.records.change("go.googlesource.com/go", 7, "new\nPrivate: true", "a secret\n\nFixes golang/go#1\n");
  world.load();
  CHECK(world.page("/go.googlesource.com/go/7").status == 404);
  CHECK(world.page("/go.googlesource.com/go/7/files").status == 404);
  for (const char* const target :
       {"/go.googlesource.com/go?state=all", "/golang/go/1", "/-/people/ann%40example.org", "/-/search?q=7"}) {
    CAPTURE(target);
    CHECK(!has(world.page(target).body, "CL 7"));
    CHECK(!has(world.page(target).body, "/go.googlesource.com/go/7"));
  }
  CHECK(has(world.body("/"), ">0</a>"));
}

TEST_CASE("a commit is found by its hash, or by the beginning of it, and says whose patch set it is") {
  Small world;
  const std::string hash = LogWriter::hash_of(7, 'a');
  const std::string page = world.body("/-/commit/" + hash);
  CHECK(in_order(page, {"sys: do it", "ann%40example.org", "2020-09-13", "<dt>Change</dt>", "CL 7", "patch set 1 of 1",
                        "src/&lt;b&gt;.go"}));
  CHECK(world.page("/-/commit/" + hash.substr(0, 9)).location == "/-/commit/" + hash);
  CHECK(in_order(world.body("/-/commit/a100"), {"Commits that begin with", "sys: do it", "second change"}));
  CHECK(world.page("/-/commit/" + std::string(40, '0')).status == 404);
  CHECK(world.page("/-/commit/main").status == 404);
}

TEST_CASE("people have what they did") {
  Small world;
  const std::string list = world.body("/-/people");
  CHECK(in_order(list, {"/-/people/ann", "/-/people/bob"}));
  CHECK(in_order(list, {"/-/people/ann%40example.org", "Ann", ">3<", ">3<"}));
  const std::string ann = world.body("/-/people/ann");
  CHECK(in_order(ann, {"Opened", "golang/go#3", "golang/go#1", "Comments", "?comment=102#comment-102"}));
  CHECK(in_order(world.body("/-/people/bob"), {"Assigned", "golang/go#1"}));
  CHECK(in_order(world.body("/-/people/ann%40example.org"), {"Changes", "go CL 8", "Commits", "second change"}));
  CHECK(world.page("/-/people/nobody").status == 404);
  CHECK(world.page("/-/people?who=a%2Fb").location == "/-/people/a%2Fb");
}

TEST_CASE("a search finds texts of all kinds, and marks what was looked for") {
  Small world;
  const std::string page = world.body("/-/search?q=COMMENT");
  CHECK(in_order(page, {"1 to 2 of 2 texts", "?comment=102#comment-102", "the last <mark>comment</mark>",
                        "a <mark>comment</mark>"}));
  CHECK(in_order(world.body("/-/search?q=last+the&words=1"), {"<mark>the</mark> <mark>last</mark> comment"}));
  CHECK(has(world.body("/-/search?q=fine&kind=message"), "/go.googlesource.com/go/7#message-0"));
  CHECK(has(world.body("/-/search?q=%3Cscript%3E"), "<mark>&lt;script&gt;</mark>alert(1)"));
  CHECK(in_order(world.body("/-/search?q=7"), {"named", "/go.googlesource.com/go/7\">CL 7</a> sys: do it"}));
  CHECK(in_order(world.body("/-/search?q=golang/go%231"), {"named", "/golang/go/1\""}));
  CHECK(has(world.body("/-/search"), "type=\"search\""));
  CHECK(world.page("/-/search?q=" + std::string(1001, 'x')).status == 400);
  CHECK(world.page("/-/search?q=%20&words=1").status == 400);
  CHECK(world.page("/-/search?q=x&kind=other").status == 400);
  CHECK(world.page("/-/search?q=x&page=41").status == 400);
}

TEST_CASE("a statement has its result with links, its mistakes at their place, and a chart") {
  Small world;
  const std::string rows = world.body("/-/sql?q=SELECT+repo,number,title,user+FROM+issues+ORDER+BY+number");
  CHECK(in_order(rows, {"3 rows", "<a href=\"/golang/go\">golang/go</a>", "<a href=\"/golang/go/1\">1</a>",
                        "first &lt;script&gt;", "<a href=\"/-/people/ann\">ann</a>"}));
  CHECK(has(world.body("/-/sql?q=SELECT+project,number,subject+FROM+changes"),
            "<a href=\"/go.googlesource.com/go/7\">7</a>"));
  CHECK(in_order(world.body("/-/sql?q=SELECT+what+FROM+issues"),
                 {"no such column: what", "<pre>SELECT <mark>what</mark> FROM issues</pre>"}));
  CHECK(has(world.body("/-/sql?q=DELETE+FROM+issues"), "may not be modified"));
  CHECK(has(world.body("/-/sql?q=SELECT+%27%3Cb%3E%27"), "<td>&lt;b&gt;</td>"));
  CHECK(in_order(world.body("/-/sql?q=WITH+RECURSIVE+n(i)+AS+(SELECT+1+UNION+ALL+SELECT+i%2B1+FROM+n)+SELECT+i+FROM+n"),
                 {"100 rows", "what follows is left out"}));
  const std::string chart = world.body("/-/sql?chart=bars&q=SELECT+%27%3Cx%3E%27,+3,+%27text%27");
  CHECK(in_order(chart, {"<svg", "&lt;x&gt;", "<rect", "</svg>"}));
  CHECK(has(world.body("/-/sql?chart=line&q=SELECT+1,+2"), "<polyline"));
  CHECK(has(world.body("/-/sql?chart=line&q=SELECT+1"), "nothing to draw"));
  CHECK(world.page("/-/sql?q=SELECT+1&chart=pie").status == 400);
  CHECK(world.page("/-/sql?q=" + std::string(17'000, 'x')).status == 400);
}

TEST_CASE("statements that are saved are offered: those of the program, and those of a directory") {
  Small world;
  testing::TempDir directory;
  std::ofstream(directory / "mine.sql") << "-- Mine, <all> of it\nSELECT count(*) AS n FROM issues\n";
  std::ofstream(directory / "other.txt") << "SELECT 1\n";
  world.queries = directory.path();
  const std::string page = world.body("/-/sql");
  CHECK(in_order(page, {"saved=issues-by-month.sql&amp;chart=line", "Issues opened and closed, by month",
                        "saved=mine.sql", "Mine, &lt;all&gt; of it"}));
  CHECK(!has(page, "other.txt"));
  CHECK(in_order(world.body("/-/sql?saved=mine.sql"), {"SELECT count(*) AS n FROM issues", "1 row", ">3<"}));
  CHECK(world.page("/-/sql?saved=none.sql").status == 404);
  for (const char* const name : {"changes-by-month", "changes-that-wait", "issues-by-month", "issues-without-label",
                                 "most-commented-open-issues", "open-issues-by-label"})
    CHECK(has(world.body("/-/sql?saved=" + std::string(name) + ".sql"), " row"));
}

TEST_CASE("what is not there is said with its name") {
  Small world;
  const auto refused = [&](std::string_view target, int status, std::string_view sentence) {
    const web::Answer answer = world.page(target);
    CAPTURE(std::string(target));
    CAPTURE(answer.body);
    CHECK(answer.status == status);
    CHECK(has(answer.body, sentence));
  };
  refused("/golang/nope", 404, "GitHub repository &quot;golang/nope&quot; not found");
  refused("/%3Cb%3E/%22", 404, "GitHub repository &quot;&lt;b&gt;/&quot;&quot; not found");
  refused("/go.googlesource.com/nope", 404, "Gerrit project &quot;go.googlesource.com/nope&quot; not found");
  refused("/golang/go/4", 404, "Issue 4 of golang/go not found");
  refused("/golang/go/99", 404, "Issue 99 of golang/go not found");
  refused("/go.googlesource.com/go/99", 404, "Change 99 of go.googlesource.com/go not found");
  for (const char* const number : {"0", "-1", "01", "1x", "2147483648", "99999999999999999999", "%2B1", "1%2F2"})
    refused(std::string("/golang/go/") + number, 404, "There is nothing here.");
  for (const char* const path : {"/x", "/-", "/-/x", "/golang/go/1/2", "//golang/go", "/golang//go", "/-/gerrit/x",
                                 "/-/people/a/b", "/go.googlesource.com/go/7/x", "/go.googlesource.com/go/7/files/x/y"})
    refused(path, 404, "There is nothing here.");
  refused("/golang/go%00", 400, "control character");
  refused("/golang/go%0a", 400, "control character");
  refused("/golang/go%zz", 400, "percent sign");
  refused("/" + std::string(3000, 'x'), 414, "too long");
  refused("/golang/go?state=half", 400, "state must be open, closed or all");
  refused("/go.googlesource.com/go?state=merged", 400, "state must be open, closed or all");
  refused("/go.googlesource.com/go?status=x", 400, "status must be");
  refused("/golang/go?kind=x", 400, "kind must be");
  refused("/golang/go?author=" + std::string(201, 'x'), 400, "author is longer");
}

TEST_CASE("a slash at the end leads to the page without it, here and nowhere else") {
  Small world;
  CHECK(world.page("/golang/go/?state=all&x=%0d%0aSet-Cookie").location == "/golang/go?state=all&x=%0D%0ASet-Cookie");
  CHECK(world.page("/go.googlesource.com/go/").location == "/go.googlesource.com/go");
  CHECK(world.page("/golang/go/1/").location == "/golang/go/1");
  CHECK(world.page("/%5Cevil.example/x/").location == "/%5Cevil.example/x");
  CHECK(world.page("//evil.example/x/").status == 404);
}
