#include <maintner/corpus.h>
#include <maintner/mutation.h>
#include <maintner/query.h>
#include <maintner/reclog.h>
#include <maintner/sql.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "maintner/made_up_project.h"
#include "maintner/plain_scan.h"
#include "support/support.h"

using namespace maintner;
using namespace std::chrono_literals;

namespace {

std::string text_of(const SqlValue& value) {
  if (const auto* const number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
  if (const auto* const number = std::get_if<double>(&value)) return std::to_string(*number);
  if (const auto* const text = std::get_if<std::string_view>(&value)) return std::string(*text);
  return "NULL";
}

/// As "=", but nothing that can be looked up.
std::string between(const std::string& column, const std::string& value) {
  return column + " BETWEEN " + value + " AND " + value;
}

/// A small project.
struct World {
  World() {
    RecordWriter writer(temp / "maintner-2021-01-01.mutlog");
    for (std::int32_t number = 1; number <= 20; ++number) {
      Mutation mutation;
      GithubIssueMutation& issue = mutation.github_issue.emplace();
      issue.owner = number <= 15 ? "golang" : "other";
      issue.repo = "go";
      issue.number = number;
      const std::string title = "issue " + std::to_string(number), body = "it's text";
      issue.title = title;
      issue.body = body;
      issue.user = GithubUser{number % 3 + 1, number % 3 == 0 ? "ann" : "bob", {}};
      issue.created = Timestamp{1'600'000'000 + number, 0, {}};
      issue.not_exist = number == 13;
      if (number % 2 == 0) issue.closed = BoolChange{true, {}};
      if (number % 5 == 0) issue.add_label.push_back({number, "five", {}});
      for (std::int64_t id = 1; id <= number % 4; ++id) {
        GithubIssueCommentMutation& comment = issue.comment.emplace_back();
        comment.id = number * 100 + id;
        comment.user = GithubUser{2, "bob", {}};
        comment.body = "a comment";
        comment.created = Timestamp{1'600'001'000 + id, 0, {}};
      }
      writer.append(encode(mutation));
    }
    const std::string tree(40, 'e');
    const std::string raw = "tree " + tree +
                            "\nauthor A <5001@x> 1600000000 +0100\ncommitter B <b@x> 1600000001 -0700\n\nsubject\n\n"
                            "Fixes golang/go#3\nFixes golang/go#5\n";
    Mutation mutation;
    GerritMutation& gerrit = mutation.gerrit.emplace();
    gerrit.project = "go.googlesource.com/go";
    GitCommit& commit = gerrit.commits.emplace_back();
    commit.sha1 = hash;
    commit.raw = raw;
    gerrit.refs.push_back({"refs/heads/master", hash, {}});
    gerrit.refs.push_back({"refs/changes/01/1/1", hash, {}});
    GitCommit& meta = gerrit.commits.emplace_back();
    const std::string meta_raw = "tree " + tree +
                                 "\nauthor U <5001@x> 1600000002 +0100\ncommitter G <g@x> 1600000003 +0000\n\n"
                                 "Create change\n\nPatch Set 1:\n\nlooks fine\n\nPatch-set: 1\nBranch: "
                                 "refs/heads/master\nStatus: new\nLabel: Code-Review=+2\n";
    meta.sha1 = meta_hash;
    meta.raw = meta_raw;
    gerrit.refs.push_back({"refs/changes/01/1/meta", meta_hash, {}});
    writer.append(encode(mutation));
    corpus.emplace(temp.path(), CorpusOptions{.threads = 1, .compat = false, .snapshot = {}});
  }

  /// Cells separated by "|", rows by line ends; or "error: " and its text.
  std::string ask(std::string_view statement, const SqlLimits& limits = {}) {
    std::string all;
    try {
      tables.run(corpus->view(), statement, limits, [&](const auto&, std::span<const SqlValue> row) {
        if (!all.empty()) all += "\n";
        for (std::size_t i = 0; i < row.size(); ++i) all += (i == 0 ? "" : "|") + text_of(row[i]);
        return true;
      });
    } catch (const SqlError& error) {
      return std::string("error: ") + error.what();
    }
    return all;
  }

  testing::TempDir temp;
  const std::string hash = std::string(40, 'a'), meta_hash = std::string(40, 'b');
  std::optional<Corpus> corpus;
  SqlTables tables;
};

}  // namespace

TEST_CASE("SQL says of a corpus what its views say") {
  World world;
  const View view = world.corpus->view();
  std::map<std::string, int> by_state;
  std::size_t comments = 0;
  for (const Repo& repo : view.github().repos())
    for (const Issue& issue : repo.issues()) {
      if (issue.not_exist()) continue;
      ++by_state[issue.closed() ? "closed" : "open"];
      comments += issue.comments().size();
    }
  CHECK(world.ask("SELECT state, count(*) FROM issues GROUP BY state ORDER BY state") ==
        "closed|" + std::to_string(by_state["closed"]) + "\nopen|" + std::to_string(by_state["open"]));
  CHECK(world.ask("SELECT count(*) FROM comments") == std::to_string(comments));
  CHECK(world.ask("SELECT sum(comments) FROM issues") == std::to_string(comments));
  CHECK(world.ask("SELECT title, body, user, created, closed_at, milestone, id FROM issues WHERE number = 3") ==
        "issue 3|it's text|ann|2020-09-13T12:26:43Z|NULL|NULL|0");
  // SQLite looks at the last row's column when there is no row any more.
  CHECK(world.ask("SELECT repo, count(*) FROM issues WHERE repo = 'other/go'") == "other/go|5");
  CHECK(world.ask("SELECT repo, number, label FROM issue_labels ORDER BY number LIMIT 2") ==
        "golang/go|5|five\ngolang/go|10|five");
  CHECK(world.ask("SELECT login FROM users WHERE id = 2") == "bob");
  CHECK(world.ask("SELECT project, number, status, branch, subject, owner, owner_id, patch_sets, \"commit\" FROM "
                  "changes") == "go.googlesource.com/go|1|new|master|subject|A|5001|1|" + world.hash);
  CHECK(world.ask("SELECT number, repo, issue FROM \"references\"") == "1|golang/go|3\n1|golang/go|5");
  CHECK(world.ask("SELECT label, value FROM votes") == "Code-Review|2");
  CHECK(world.ask("SELECT patch_set, author, created FROM messages") == "1|U|2020-09-13T12:26:43Z");
  CHECK(world.ask("SELECT name, \"commit\" FROM refs") == "refs/heads/master|" + world.hash);
  CHECK(world.ask("SELECT author_email, authored, parents FROM commits WHERE subject = 'subject'") ==
        "5001@x|2020-09-13T12:26:40Z|0");
}

TEST_CASE("what is asked by key is the same as what is found by looking at all") {
  World world;
  for (const char* table : {"issues", "comments", "events", "reviews", "issue_labels", "issue_assignees"}) {
    for (const char* repo : {"golang/go", "other/go", "none/none", "golang", ""}) {
      for (const char* number : {"1", "3", "13", "16", "-1", "99999999999", "3.0", "3.5", "'3'", "'x'", "NULL"}) {
        const std::string rest = std::string(" FROM ") + table + " WHERE ";
        CAPTURE(rest);
        CAPTURE(repo);
        CAPTURE(number);
        const std::string keyed = "repo = '" + std::string(repo) + "' AND number = " + number;
        const std::string scanned =
            between("repo", "'" + std::string(repo) + "'") + " AND " + between("number", number);
        CHECK(world.ask("SELECT count(*)" + rest + keyed) == world.ask("SELECT count(*)" + rest + scanned));
        CHECK(world.ask("SELECT count(*)" + rest + "number = " + number) ==
              world.ask("SELECT count(*)" + rest + between("number", number)));
      }
    }
  }
  CHECK(world.ask("SELECT count(*) FROM changes WHERE project = 'go.googlesource.com/go' AND number = 1") == "1");
  CHECK(world.ask("SELECT count(*) FROM changes WHERE project = 'go-review.googlesource.com/go' AND number = 1") ==
        "0");
  CHECK(world.ask("SELECT subject FROM commits WHERE \"commit\" = '" + world.hash + "'") == "subject");
  CHECK(world.ask("SELECT count(*) FROM commits WHERE \"commit\" = '" + std::string(40, 'A') + "'") == "0");
  CHECK(world.ask("SELECT count(*) FROM commits WHERE \"commit\" = 'x'") == "0");
  CHECK(world.ask("SELECT count(*) FROM issues i JOIN comments c ON c.repo = i.repo AND c.number = i.number") ==
        world.ask("SELECT count(*) FROM comments"));
}

TEST_CASE("what is asked by index is the same as what is found by looking at all") {
  struct Column {
    const char *table, *name;
  };
  const testing::TempDir temp;
  for (const unsigned seed : {1U, 2U}) {
    const auto directory = temp / std::to_string(seed);
    std::filesystem::create_directory(directory);
    MadeUpProject project(seed);
    RecordWriter writer(directory / "maintner-2021-01-01.mutlog");
    for (int i = 0; i < 400; ++i) project.step(writer);
    const Corpus corpus(directory);
    const View view = corpus.view();
    SqlTables tables;
    const auto ask = [&](const std::string& statement) {
      std::vector<std::string> rows;
      tables.run(view, statement, {}, [&](const auto&, std::span<const SqlValue> row) {
        std::string text;
        for (const SqlValue& value : row) text += text_of(value) + "|";
        rows.push_back(text);
        return true;
      });
      std::sort(rows.begin(), rows.end());
      return rows;
    };
    const auto compare = [&](const Column& column, const std::string& condition) {
      const std::string from = std::string("SELECT * FROM \"") + column.table + "\" WHERE ";
      CAPTURE(from);
      CAPTURE(condition);
      // A column with "+" before it is not one that is asked for.
      CHECK(ask(from + column.name + condition) == ask(from + "+" + column.name + condition));
    };
    for (const Column& column : std::vector<Column>{{"issues", "repo"},
                                                    {"issues", "state"},
                                                    {"issues", "user"},
                                                    {"issues", "milestone"},
                                                    {"issue_labels", "label"},
                                                    {"issue_assignees", "user"},
                                                    {"changes", "status"},
                                                    {"changes", "branch"},
                                                    {"changes", "owner"},
                                                    {"changes", "owner_id"},
                                                    {"change_hashtags", "hashtag"},
                                                    {"reviewers", "name"},
                                                    {"reviewers", "email"},
                                                    {"commits", "author"},
                                                    {"commits", "author_email"},
                                                    {"files", "name"}}) {
      std::vector<std::string> values{"nothing", "", "5", "1e0"};
      tables.run(view, std::string("SELECT DISTINCT ") + column.name + " FROM " + column.table, {},
                 [&](const auto&, std::span<const SqlValue> row) {
                   values.push_back(text_of(row[0]));
                   return true;
                 });
      CHECK(values.size() > 5);
      for (const std::string& value : values) {
        const std::string text = "'" + value + "'";
        // Without a column's type, a number is no text.
        const std::string typed = column.name == std::string("owner_id") ? "CAST(" + text + " AS INTEGER)" : text;
        compare(column, " = " + typed);
        if (typed == text) compare(column, " = upper(" + text + ") COLLATE NOCASE");
        compare(column, " IN (" + typed + ", NULL)");
      }
      compare(column, " = NULL");
      compare(column, " IS NULL");
    }
    for (const Column& column : std::vector<Column>{{"issues", "title"},
                                                    {"issues", "body"},
                                                    {"comments", "body"},
                                                    {"messages", "message"},
                                                    {"commits", "message"}})
      for (const char* pattern : {"'%race%'", "'%RACE%the%'", "'race%'", "'%x'", "'%time_sleep%'", "'%'", "''", "'_'",
                                  "NULL", "'%na\xc3\xafve%'", "5", "'%10\\%%' ESCAPE '\\'"})
        compare(column, std::string(" LIKE ") + pattern);
    for (const char* condition :
         {" >= '2020-09-20'", " < '2020-09-20T10:00:00Z'", " > '2020'", " <= '2020-09-20'", " >= '@'", " < 'x'",
          " >= ' 020-09-20'", " >= '2020-13-01'", " BETWEEN '2020-09-15T01' AND '2020-09-16 '", " >= 2020", " < NULL"})
      compare({"commits", "committed"}, condition);
  }
}

TEST_CASE("the same questions have the same answers by index, in SQL, and by looking at everything") {
  for (const unsigned seed : {7U, 8U, 9U}) {
    const testing::TempDir temp;
    MadeUpProject project(seed);
    RecordWriter writer(temp / "maintner-2021-01-01.mutlog");
    for (int i = 0; i < 2000; ++i) project.step(writer);
    const Corpus corpus(temp.path());
    const View view = corpus.view();
    SqlTables tables;
    const auto ask = [&](const std::string& statement) {
      std::string text;
      tables.run(view, statement, {}, [&](const auto&, std::span<const SqlValue> row) {
        text += text_of(row[0]) + " ";
        return true;
      });
      return text;
    };
    const auto numbers = [](const auto& all) {
      std::string text;
      for (const auto& each : all) text += std::to_string(each.number()) + " ";
      return text;
    };
    const auto hashes = [](const std::vector<Commit>& all) {
      std::string text;
      for (const Commit& each : all) text += each.hex() + " ";
      return text;
    };
    const auto ids = [](const TextHits& all) {
      std::set<std::int64_t> sorted;
      for (const TextHit& each : all.hits) sorted.insert(each.id);
      std::string text;
      for (const std::int64_t id : sorted) text += std::to_string(id) + " ";
      return text;
    };
    const Repo repo = *view.github().repo("golang", "repo0");
    const Project gerrit = *view.gerrit().project("host.example.org", "project1");

    const IssueQuery issue_query{.labels = {"label2"}, .milestone = "milestone1"};
    const std::string issues = numbers(find_issues(repo, issue_query));
    CHECK(issues != "");
    CHECK(issues == numbers(plain_scan::find_issues(repo, issue_query)));
    CHECK(issues == ask("SELECT DISTINCT i.number FROM issues i JOIN issue_labels l ON l.repo = i.repo AND l.number = "
                        "i.number WHERE i.repo = 'golang/repo0' AND i.state = 'open' AND i.milestone = 'milestone1' "
                        "AND l.label = 'label2' ORDER BY i.number"));

    const IssueQuery assigned_query{.closed = std::nullopt, .assignee = "user3"};
    const std::string assigned = numbers(find_issues(repo, assigned_query));
    CHECK(assigned != "");
    CHECK(assigned == numbers(plain_scan::find_issues(repo, assigned_query)));
    CHECK(assigned == ask("SELECT DISTINCT number FROM issue_assignees WHERE repo = 'golang/repo0' AND user = 'user3' "
                          "ORDER BY number"));

    const ChangeQuery change_query{.status = std::nullopt, .branch = "master", .reviewer = "User 2"};
    const std::string changes = numbers(find_changes(gerrit, change_query));
    CHECK(changes != "");
    CHECK(changes == numbers(plain_scan::find_changes(gerrit, change_query)));
    CHECK(changes == ask("SELECT DISTINCT c.number FROM changes c JOIN reviewers r ON r.project = c.project AND "
                         "r.number = c.number WHERE c.project = 'host.example.org/project1' AND NOT c.private AND "
                         "c.branch = 'master' AND r.name = 'User 2' ORDER BY c.number"));

    const CommitQuery commit_query{.author = "User 4", .path = "src/file1"};
    std::vector<Commit> by_hash = find_commits(view, commit_query);
    CHECK_FALSE(by_hash.empty());
    CHECK(hashes(by_hash) == hashes(plain_scan::find_commits(view, commit_query)));
    std::sort(by_hash.begin(), by_hash.end(), [](const Commit& a, const Commit& b) { return a.hex() < b.hex(); });
    CHECK(hashes(by_hash) == ask("SELECT DISTINCT c.\"commit\" FROM files f JOIN commits c ON c.\"commit\" = "
                                 "f.\"commit\" WHERE f.name = 'src/file1' AND c.author = 'User 4' ORDER BY 1"));

    const TextQuery text_query{.text = "net/http flaky", .kinds = {TextKind::comment}, .limit = 100'000};
    const std::string comments = ids(search(view, text_query));
    CHECK(comments != "");
    CHECK(comments == ids(plain_scan::search(view, text_query)));
    CHECK(comments == ask("SELECT id FROM comments WHERE body LIKE '%net/http flaky%' ORDER BY id"));
  }
}

TEST_CASE("a statement sees one view, whatever comes meanwhile") {
  World world;
  const View before = world.corpus->view();
  Mutation mutation;
  GithubIssueMutation& issue = mutation.github_issue.emplace();
  issue.owner = "golang";
  issue.repo = "go";
  issue.number = 100;
  RecordWriter(world.temp / "maintner-2021-01-02.mutlog").append(encode(mutation));
  world.corpus->update();
  std::int64_t then = 0;
  world.tables.run(before, "SELECT count(*) FROM issues", {}, [&](const auto&, std::span<const SqlValue> row) {
    then = std::get<std::int64_t>(row[0]);
    return true;
  });
  CHECK(then == 19);
  CHECK(world.ask("SELECT count(*) FROM issues") == "20");
}

TEST_CASE("nothing but the tables can be read, and nothing changed") {
  World world;
  const std::string file = (world.temp / "file").string();
  for (const std::string& statement : std::vector<std::string>{
           "ATTACH '" + file + "' AS x", "CREATE TABLE x(y)", "CREATE TEMP TABLE x(y)", "INSERT INTO issues VALUES (1)",
           "DELETE FROM issues", "UPDATE issues SET number = 1", "DROP TABLE issues", "PRAGMA user_version",
           "PRAGMA database_list", "VACUUM INTO '" + file + "'", "BEGIN", "CREATE VIEW v AS SELECT 1",
           "SELECT load_extension('x')", "SELECT readfile('/etc/passwd')", "SELECT writefile('x', 'y')",
           "CREATE VIRTUAL TABLE t USING issues", "ANALYZE", "DETACH main"}) {
    CAPTURE(statement);
    CHECK(world.ask(statement).starts_with("error: "));
  }
  CHECK_FALSE(std::filesystem::exists(file));
  CHECK(world.ask("SELECT count(*) FROM issues") == "19");
}

TEST_CASE("statements that are none, and limits") {
  World world;
  CHECK(world.ask("") == "error: there is no statement");
  CHECK(world.ask("-- nothing") == "error: there is no statement");
  CHECK(world.ask("SELECT 1; SELECT 2") == "error: there is more than one statement");
  CHECK(world.ask("SELECT 1;  -- and no more") == "1");
  CHECK(world.ask("SELECT ?") == "error: it has parameters, and there are no values for them");
  CHECK(world.ask("SELECT nonsense FROM issues") == "error: no such column: nonsense, at byte 7");
  CHECK(world.ask("SELEC 1").starts_with("error: near \"SELEC\": syntax error"));
  CHECK(world.ask(std::string(2 << 20, ' ')) == "error: the statement is too long");
  CHECK(world.ask(std::string("SELECT 1\0x", 10)) == "error: the statement has a byte that is zero");
  CHECK(world.ask("SELECT " + std::string(100'000, '(')).starts_with("error: "));
  const std::string endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) ";
  CHECK(world.ask(endless + "SELECT count(*) FROM c", {.time = 50ms}) == "error: it takes longer than 50 ms");
  CHECK(world.ask(
            "SELECT count(*) FROM comments b, comments c, comments d, comments e, comments f, comments g WHERE b.id "
            "+ c.id + d.id + e.id + f.id + g.id = -1",
            {.time = 50ms}) == "error: it takes longer than 50 ms");
  CHECK(world.ask(endless + "SELECT x FROM c", {.rows = 5}).ends_with("error: it has more than 5 rows"));
  CHECK(world.ask("SELECT length(zeroblob(300 * 1024 * 1024))") == "error: string or blob too big");
  CHECK(world.ask("SELECT count(*) FROM issues WHERE body LIKE '" + std::string(900'000, '%') + "'")
            .starts_with("error: "));
  // It goes on after all of these.
  CHECK(world.ask("SELECT count(*) FROM issues") == "19");
}

TEST_CASE("lengths are what SQLite says they are") {
  World world;
  for (const auto& [value, length] :
       std::vector<std::pair<std::string, std::string>>{{"NULL", "NULL"},
                                                        {"''", "0"},
                                                        {"'a'", "1"},
                                                        {"'na\xc3\xafve, and more than eight bytes'", "32"},
                                                        {"12", "2"},
                                                        {"1.5", "3"},
                                                        {"x'00ff'", "2"},
                                                        {"CAST(x'610062' AS TEXT)", "1"},
                                                        {"CAST(x'80' AS TEXT)", "1"},
                                                        {"CAST(x'8080' AS TEXT)", "2"},
                                                        {"CAST(x'c3a9' AS TEXT)", "1"},
                                                        {"CAST(x'c380808061' AS TEXT)", "2"},
                                                        {"CAST(x'6161616161616161c3' AS TEXT)", "9"},
                                                        {"CAST(x'61616161616161c3a961616161616161' AS TEXT)", "15"}})
    CHECK(world.ask("SELECT length(" + value + ")") == length);
  CHECK(world.ask("SELECT sum(length(body)) FROM comments") ==
        world.ask("SELECT sum(length(CAST(body AS BLOB))) FROM comments"));
  CHECK(world.ask("SELECT length(1, 2)").starts_with("error: wrong number of arguments"));
}

TEST_CASE("a statement that keeps too much") {
  World world;
  const std::string much =
      "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 1000000) SELECT count(*) FROM (SELECT x, "
      "hex(zeroblob(100)) AS y FROM c ORDER BY y)";
  constexpr std::uint64_t kLittle = 16 << 20;
  SqlTables::limit_memory(kLittle);
  CHECK(world.ask(much, {.time = 60s}) == "error: it takes more memory than it may");
  CHECK(world.ask("SELECT count(*) FROM issues") == "19");
  SqlTables::limit_memory(0);
}

TEST_CASE("a statement that is left in the middle, and an exception from who takes rows") {
  World world;
  int rows = 0;
  const auto names = world.tables.run(world.corpus->view(), "SELECT number AS n, title FROM issues", {},
                                      [&](const auto&, std::span<const SqlValue>) { return ++rows < 3; });
  CHECK(rows == 3);
  CHECK(names == std::vector<std::string>{"n", "title"});
  CHECK_THROWS_AS(world.tables.run(world.corpus->view(), "SELECT 1", {},
                                   [](const auto&, std::span<const SqlValue>) -> bool { throw std::bad_alloc(); }),
                  std::bad_alloc);
  CHECK(world.ask("SELECT 1") == "1");
}

TEST_CASE("the schema is what the tables are") {
  World world;
  for (const std::string& statement : SqlTables::schema()) {
    CAPTURE(statement);
    const std::size_t name = statement.find('"'), end = statement.find('"', name + 1);
    CHECK_FALSE(world.ask("SELECT * FROM " + statement.substr(name, end - name + 1)).starts_with("error: "));
  }
  CHECK(SqlTables::schema().size() == 19);
}

TEST_CASE("a mistake says at which byte it is, also behind a statement that is right") {
  World world;
  const auto place = [&](std::string_view statement) -> std::optional<std::size_t> {
    try {
      world.tables.run(world.corpus->view(), statement, {}, [](const auto&, auto) { return true; });
    } catch (const SqlError& error) {
      return error.place();
    }
    return std::nullopt;
  };
  CHECK(place("SELECT what FROM issues") == 7);
  CHECK(place("SELECT 1; SELECT what FROM issues") == 17);
  CHECK(place("SELECT number FROM issues") == std::nullopt);
}

TEST_CASE("a statement that is stopped says so, and the next one runs") {
  World world;
  std::atomic<bool> stop = true;
  const std::string endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n";
  CHECK(world.ask(endless, {.time = 1h, .stop = &stop}) == "error: it was stopped");
  CHECK(world.ask("SELECT 1") == "1");
}
