#include <maintner/corpus.h>
#include <maintner/query.h>
#include <maintner/text_matcher.h>

#include <doctest/doctest.h>

#include <atomic>
#include <sstream>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "made_up_project.h"
#include "plain_scan.h"
#include "support/support.h"

using namespace maintner;

namespace {

#ifdef __SANITIZE_THREAD__
// Everything takes ten times as long, and what is of interest is the test with threads.
constexpr unsigned kSeeds = 1;
constexpr int kManyUpdates = 500;
#else
constexpr unsigned kSeeds = 2;
constexpr int kManyUpdates = 5500;  ///< so many that rows are put in order
#endif

std::string text_of(const std::vector<Issue>& issues) {
  std::string text;
  for (const Issue& issue : issues) text += std::to_string(issue.number()) + " ";
  return text;
}
std::string text_of(const std::vector<Change>& changes) {
  std::string text;
  for (const Change& change : changes) text += std::to_string(change.number()) + " ";
  return text;
}
std::string text_of(const std::vector<Commit>& commits) {
  std::string text;
  for (const Commit& commit : commits) text += commit.hex() + " ";
  return text;
}
std::string text_of(const TextHits& hits) {
  std::ostringstream text;
  text << hits.total << ":";
  for (const TextHit& hit : hits.hits) {
    text << " " << name_of(hit.kind) << " " << hit.id << " ";
    if (const auto* const issue = std::get_if<Issue>(&hit.thing)) text << issue->repo().id() << issue->number();
    if (const auto* const change = std::get_if<Change>(&hit.thing)) text << change->number();
    if (const auto* const commit = std::get_if<Commit>(&hit.thing)) text << commit->hex();
    text << " " << hit.at << " " << hit.text << "\n";
  }
  return text.str();
}

std::vector<IssueQuery> issue_queries() {
  std::vector<IssueQuery> all{{}, {.closed = true}, {.closed = {}}, {.closed = {}, .pull_request = true}};
  for (const std::optional<bool> closed : {std::optional(false), std::optional(true), std::optional<bool>()}) {
    for (const char* label : {"label0", "label2", "renamed0", "renamed1", "none"}) {
      all.push_back({.closed = closed, .labels = {label}});
      all.push_back({.closed = closed, .labels = {label, "label4"}});
      for (const char* milestone : {"milestone0", "milestone1", "renamed0", "none"})
        all.push_back({.closed = closed, .labels = {label}, .milestone = milestone});
    }
    for (const char* user : {"user1", "user2", "user3", "renamed0", "renamed1", "none"}) {
      all.push_back({.closed = closed, .assignee = user});
      all.push_back({.closed = closed, .author = user, .pull_request = false});
      all.push_back({.closed = closed, .milestone = "milestone2", .assignee = user});
    }
  }
  return all;
}

std::vector<ChangeQuery> change_queries() {
  std::vector<ChangeQuery> all{{}, {.status = {}}, {.branch = "master"}, {.hashtag = "wait"}, {.hashtag = "go2"}};
  for (const char* person : {"User 1", "user2@example.org", "Account 3", "5004@server", "5004", "none"}) {
    all.push_back({.owner = person});
    all.push_back({.status = ChangeStatus::merged, .owner = person, .branch = "master"});
    all.push_back({.status = {}, .reviewer = person});
    all.push_back({.status = {}, .owner = person, .hashtag = "wait", .reviewer = "User 2"});
  }
  return all;
}

std::vector<CommitQuery> commit_queries() {
  const Time from{1'600'500'000, 0}, until{1'601'000'000, 1};
  std::vector<CommitQuery> all{{}, {.from = from, .until = until}, {.limit = 3}, {.from = until}, {.until = from}};
  for (const char* path : {"src/net/file3", "src/file1", "src/", "src/net/", "file2", "none"}) {
    all.push_back({.path = path});
    all.push_back({.author = "User 1", .path = path, .from = from});
    all.push_back({.path = path, .limit = 2});
  }
  for (const char* person : {"User 1", "user2@example.org", "Account 3", "5004@server", "5004", "none"}) {
    all.push_back({.author = person, .until = until});
    all.push_back({.author = person, .limit = 5});
  }
  return all;
}

std::vector<TextQuery> text_queries() {
  std::vector<TextQuery> all;
  for (const char* text : {"race", "RACE", "x", "time.sleep", "net/http flaky", "\xc3\xaf", "the-race", "nowhere"}) {
    all.push_back({.text = text, .limit = 10'000});
    all.push_back({.text = text, .limit = SIZE_MAX});
    all.push_back({.text = text, .words = true, .limit = 20});
  }
  for (const TextKind kind :
       {TextKind::title, TextKind::body, TextKind::comment, TextKind::review, TextKind::message, TextKind::commit})
    all.push_back({.text = "flaky", .kinds = {kind}, .limit = 7});
  return all;
}

/// All questions, answered in both ways.
void compare(const View& view) {
  for (const Repo& repo : view.github().repos())
    for (const IssueQuery& query : issue_queries())
      CHECK(text_of(find_issues(repo, query)) == text_of(plain_scan::find_issues(repo, query)));
  for (const Project& project : view.gerrit().projects())
    for (const ChangeQuery& query : change_queries())
      CHECK(text_of(find_changes(project, query)) == text_of(plain_scan::find_changes(project, query)));
  for (const CommitQuery& query : commit_queries())
    CHECK(text_of(find_commits(view, query)) == text_of(plain_scan::find_commits(view, query)));
  for (const TextQuery& query : text_queries())
    CHECK(text_of(search(view, query, 3)) == text_of(plain_scan::search(view, query)));
}

}  // namespace

TEST_CASE("what indexes find is what a look at everything finds, in each view of a growing corpus") {
  for (unsigned seed = 1; seed <= kSeeds; ++seed) {
    const testing::TempDir temp;
    MadeUpProject project(seed);
    RecordWriter writer(temp / "maintner-2021-01-01.mutlog");
    for (int i = 0; i < 300; ++i) project.step(writer);
    Corpus corpus(temp.path());
    std::vector<View> views;
    for (int round = 0; round < 8; ++round) {
      views.push_back(corpus.view());
      // Some views are never asked, or only when they are old.
      if (round % 4 != 2) compare(views.back());
      for (int i = 0; i < 1 + 20 * (round % 3); ++i) project.step(writer);
      corpus.update();
    }
    REQUIRE(find_issues(*corpus.view().github().repo("golang", "repo0"), {.labels = {"label0"}}).size() > 0);
    REQUIRE(find_changes(corpus.view().gerrit().projects()[0], {.status = {}, .reviewer = "User 1"}).size() > 0);
    for (const View& view : views) compare(view);
    compare(Corpus(temp.path()).view());
  }
}

TEST_CASE("indexes stay right when rows are put in order") {
  const testing::TempDir temp;
  MadeUpProject project(4);
  RecordWriter writer(temp / "maintner-2021-01-01.mutlog");
  for (int i = 0; i < 100; ++i) project.step(writer);
  Corpus corpus(temp.path(), {.threads = 1});
  compare(corpus.view());
  // So many updates that much of what the tables have is of the past.
  for (int i = 0; i < kManyUpdates; ++i) {
    project.step(writer);
    corpus.update();
  }
  compare(corpus.view());
  project.step(writer);
  corpus.update();
  compare(corpus.view());
}

TEST_CASE("several threads ask views of several ages while the corpus grows") {
  const testing::TempDir temp;
  MadeUpProject project(5);
  RecordWriter writer(temp / "maintner-2021-01-01.mutlog");
  for (int i = 0; i < 300; ++i) project.step(writer);
  Corpus corpus(temp.path());
  std::atomic<bool> done{false};
  std::atomic<int> asked{0}, wrong{0};
  const auto ask = [&] {
    while (!done) {
      const View view = corpus.view();
      for (const Repo& repo : view.github().repos())
        for (const IssueQuery& query : {IssueQuery{.labels = {"label0"}}, IssueQuery{.assignee = "user1"}})
          if (text_of(find_issues(repo, query)) != text_of(plain_scan::find_issues(repo, query))) ++wrong;
      for (const Project& each : view.gerrit().projects())
        if (text_of(find_changes(each, {.owner = "User 1"})) !=
            text_of(plain_scan::find_changes(each, {.owner = "User 1"})))
          ++wrong;
      if (text_of(find_commits(view, {.path = "src/"})) != text_of(plain_scan::find_commits(view, {.path = "src/"})))
        ++wrong;
      ++asked;
    }
  };
  {
    std::vector<std::jthread> threads;
    threads.reserve(3);
    for (int i = 0; i < 3; ++i) threads.emplace_back(ask);
    for (int i = 0; i < 200 || asked < 6; ++i) {
      project.step(writer);
      corpus.update();
    }
    done = true;
  }
  CHECK(wrong == 0);
}

TEST_CASE("users are found by the login that they have now") {
  const testing::TempDir temp;
  MadeUpProject project(6);
  RecordWriter writer(temp / "maintner-2021-01-01.mutlog");
  for (int i = 0; i < 200; ++i) project.step(writer);
  Corpus corpus(temp.path());
  for (int round = 0; round < 5; ++round) {
    const View view = corpus.view();
    for (const User& user : view.github().users()) {
      const auto found = find_user(view, user.login());
      REQUIRE(found);
      CHECK(found->login() == user.login());
    }
    CHECK_FALSE(find_user(view, "nobody"));
    for (int i = 0; i < 50; ++i) project.step(writer);
    corpus.update();
  }
}

TEST_CASE("what cannot be searched for is said") {
  const testing::TempDir temp;
  const Corpus corpus(temp.path());
  CHECK_THROWS_WITH_AS(search(corpus.view(), {}), "there is no text to search for", QueryError);
  CHECK_THROWS_WITH_AS(search(corpus.view(), {.text = " - ", .words = true}), "there is no word to search for",
                       QueryError);
  CHECK_THROWS_WITH_AS(search(corpus.view(), {.text = std::string(1 << 20, 'a')}),
                       "the text to search for has more than 1000 bytes", QueryError);
  CHECK(search(corpus.view(), {.text = std::string(1000, 'a')}).total == 0);
}

TEST_CASE("a text is found wherever it stands, and however long what it stands in is") {
  for (const std::string text : {"q", "ab", "a-b", "xX", "0123456789abcdefGHIJ", "aaa", "@`["}) {
    const TextMatcher matcher(text);
    for (std::size_t size = 0; size < 70; ++size) {
      for (std::size_t at = 0; at + text.size() <= size; ++at) {
        std::string in(size, '_');
        in.replace(at, text.size(), text);
        CHECK(matcher.find(in) == at);
        for (char& c : in) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
        CHECK(matcher.find(in) == at);
        CHECK(matcher.find(in, at) == at);
        CHECK((matcher.find(in, at + 1) == std::string::npos || text == "aaa"));
      }
      CHECK(matcher.find(std::string(size, '_')) == std::string::npos);
    }
  }
}

TEST_CASE("bytes that differ from a text in more than a letter's case are not it") {
  CHECK(TextMatcher("@").find("`") == std::string::npos);
  CHECK(TextMatcher("{").find("[") == std::string::npos);
  CHECK(TextMatcher("k").find("\xe2\x84\xaa") == std::string::npos);  // U+212A, which Unicode has as a K
  CHECK(TextMatcher("\xc3\xa9").find("\xc3\x89") == std::string::npos);
}

TEST_CASE("times as texts") {
  for (const auto& [text, seconds, nanos] : std::vector<std::tuple<std::string, std::int64_t, std::int32_t>>{
           {"1970-01-01T00:00:00Z", 0, 0},
           {"2020-09-13T12:26:40Z", 1'600'000'000, 0},
           {"2020-09-13T12:26:40.000000001Z", 1'600'000'000, 1},
           {"2020-09-13T12:26:40.5Z", 1'600'000'000, 500'000'000},
           {"1969-12-31T23:59:59Z", -1, 0},
           {"0000-01-01T00:00:00Z", -62'167'219'200, 0},
           {"9999-12-31T23:59:59Z", 253'402'300'799, 0},
           {"2024-02-29T00:00:00Z", 1'709'164'800, 0}}) {
    CHECK(to_string(Time{seconds, nanos}) == text);
    CHECK(time_from(text) == Time{seconds, nanos});
  }
  CHECK(to_string(Time{253'402'300'800, 0}) == "@253402300800");
  CHECK(to_string(Time{-62'167'219'201, 0}) == "@-62167219201");
  CHECK(to_string(Time{5, -1}) == "@5");
  CHECK(time_from("2020-09-13") == Time{1'599'955'200, 0});
  CHECK(time_from("2020-09-13T14:26:40+02:00") == Time{1'600'000'000, 0});
  CHECK(time_from("2020-09-13T04:56:40-07:30") == Time{1'600'000'000, 0});
  for (const char* text :
       {"", "2020", "2020-9-13", "2021-02-29", "2020-09-13T", "2020-09-13 12:26:40Z", "2020-09-13T12:26:40",
        "2020-09-13T24:00:00Z", "2020-09-13T12:26:40.Z", "2020-09-13T12:26:40.1234567891Z", "2020-09-13T12:26:40+1:00",
        " 020-09-13", "@5", "2020-09-13T12:26:40Zx", "2020-09-13T12:26:40.5"})
    CHECK_FALSE(time_from(text));
}
