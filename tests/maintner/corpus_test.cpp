// A corpus of a log that the test writes, and goes on writing.
#include <maintner/corpus.h>
#include <maintner/mutation.h>
#include <maintner/reclog.h>

#include <doctest/doctest.h>

#include <atomic>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/support.h"

namespace fs = std::filesystem;
using namespace maintner;

namespace {

constexpr std::string_view kA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                           kB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
                           kC = "cccccccccccccccccccccccccccccccccccccccc";

std::string issue(std::int32_t number, std::string_view title, std::int64_t comment = 0, std::string_view body = {}) {
  Mutation mutation;
  GithubIssueMutation& issue = mutation.github_issue.emplace();
  issue.owner = "golang";
  issue.repo = "go";
  issue.number = number;
  issue.title = title;
  issue.user = GithubUser{number % 7 + 1, title, {}};
  issue.created = Timestamp{1'600'000'000 + number, 0, {}};
  if (comment != 0) {
    GithubIssueCommentMutation& said = issue.comment.emplace_back();
    said.id = comment;
    said.body = body;
    said.created = Timestamp{1'600'000'000 + comment, 0, {}};
  }
  return encode(mutation);
}

std::string raw_commit(std::string_view message, std::string_view parent = {}) {
  std::string raw = "tree " + std::string(kA) + "\n";
  if (!parent.empty()) raw.append("parent ").append(parent).append("\n");
  raw += "author A <5001@x> 1600000000 +0100\ncommitter B <b@x> 1600000001 -0700\n\n";
  return raw.append(message);
}

/// A commit of a project's, and maybe a ref that points to it.
std::string gerrit(std::string_view hash, const std::string& raw, std::string_view ref = {}) {
  Mutation mutation;
  GerritMutation& gerrit = mutation.gerrit.emplace();
  gerrit.project = "go.googlesource.com/go";
  GitCommit& commit = gerrit.commits.emplace_back();
  commit.sha1 = hash;
  commit.raw = raw;
  if (!ref.empty()) gerrit.refs.push_back({ref, hash, {}});
  return encode(mutation);
}

/// A log, and where it goes on.
struct Log {
  testing::TempDir temp;
  fs::path directory = temp.path();
  fs::path file = directory / "maintner-2021-02-01.mutlog";
  std::optional<RecordWriter> writer{file};

  void append(const std::string& payload) { writer->append(payload); }
  void next_file(const char* name) {
    file = directory / name;
    writer.emplace(file);
  }
  /// As it stands, behind what is there.
  void append_bytes(std::string_view bytes) {
    writer.reset();
    testing::write_file(file, testing::read_file(file) + std::string(bytes));
  }
};

std::string title_of(const View& view, std::int32_t number) {
  const auto repo = view.github().repo("golang", "go");
  const auto issue = repo ? repo->issue(number) : std::nullopt;
  return issue ? std::string(issue->title()) : "none";
}

}  // namespace

TEST_CASE("an empty directory is an empty corpus, to which something may be added") {
  testing::TempDir temp;
  Corpus corpus(temp.path());
  CHECK(corpus.view().github().repos().empty());
  CHECK(corpus.view().gerrit().projects().empty());
  CHECK(corpus.view().commits().empty());
  CHECK_FALSE(corpus.view().check());
  CHECK(corpus.update().mutations == 0);
  RecordWriter(temp / "maintner-2021-02-01.mutlog").append(issue(1, "first"));
  CHECK(corpus.update().mutations == 1);
  CHECK(title_of(corpus.view(), 1) == "first");
  CHECK_THROWS_AS(Corpus(temp / "nothing"), std::system_error);
}

TEST_CASE("an update takes in what is new, and earlier views stay as they were") {
  Log log;
  log.append(issue(1, "first", 10, "hello"));
  Corpus corpus(log.directory);
  const View before = corpus.view();
  int heard = 0;
  corpus.on_update([&](const View& old, const View& fresh) {
    ++heard;
    CHECK(title_of(old, 1) == "first");
    CHECK(title_of(fresh, 1) == "changed");
    CHECK(fresh.version() > old.version());
  });
  CHECK(corpus.update().mutations == 0);
  log.append(issue(1, "changed", 11, "again"));
  log.append(issue(2, "second"));
  const Progress progress = corpus.update();
  CHECK(progress.mutations == 2);
  CHECK(progress.bytes == log.writer->size() - issue(1, "first", 10, "hello").size() - 9);
  CHECK(heard == 1);
  CHECK(corpus.update().mutations == 0);
  CHECK(heard == 1);
  CHECK(title_of(before, 1) == "first");
  CHECK(title_of(before, 2) == "none");
  CHECK(before.github().repos()[0].issues().size() == 1);
  CHECK(before.github().repos()[0].issue(1)->comments().size() == 1);
  CHECK(before.github().user(2)->login() == "first");
  const View after = corpus.view();
  CHECK(title_of(after, 1) == "changed");
  CHECK(title_of(after, 2) == "second");
  CHECK(after.github().repos()[0].issue(1)->comments().back().body == "again");
  CHECK(after.mutations() == 3);
}

TEST_CASE("a view outlives its corpus") {
  Log log;
  log.append(issue(1, "first"));
  std::optional<View> view;
  {
    Corpus corpus(log.directory);
    view = corpus.view();
    log.append(issue(1, "changed"));
    corpus.update();
  }
  CHECK(title_of(*view, 1) == "first");
}

TEST_CASE("another file goes on where the last one ends") {
  Log log;
  log.append(issue(1, "first"));
  Corpus corpus(log.directory);
  log.append(issue(2, "second"));
  log.next_file("maintner-2021-02-02.mutlog");
  log.append(issue(3, "third"));
  CHECK(corpus.update().mutations == 2);
  log.append(issue(4, "fourth"));
  CHECK(corpus.update().mutations == 1);
  CHECK(title_of(corpus.view(), 4) == "fourth");
  CHECK(corpus.view().github().repos()[0].issues().size() == 4);
}

TEST_CASE("a file without anything in it takes nothing from the one behind it") {
  Log log;
  testing::write_file(log.directory / "maintner-2021-01-01.mutlog", "");
  log.append(issue(1, "first"));
  Corpus corpus(log.directory);
  CHECK(corpus.update().mutations == 0);
  log.append(issue(2, "second"));
  CHECK(corpus.update().mutations == 1);
  CHECK(corpus.view().mutations() == 2);
  log.append_bytes("REC@x");
  corpus.update();
  CHECK(corpus.problems().at(0).file == log.file);
}

TEST_CASE("issues are in the order of their numbers, comments in that of their times, whatever came first") {
  Log log;
  log.append(issue(5, "five", 30, "c"));
  log.append(issue(2, "two"));
  log.append(issue(5, "five", 10, "a"));
  Corpus corpus(log.directory);
  log.append(issue(5, "five", 20, "b"));
  log.append(issue(3, "three"));
  corpus.update();
  const View view = corpus.view();
  const Repo repo = view.github().repos()[0];
  std::vector<std::int32_t> numbers;
  for (const Issue& each : repo.issues()) numbers.push_back(each.number());
  CHECK(numbers == std::vector<std::int32_t>{2, 3, 5});
  std::string bodies;
  for (const Comment& each : repo.issue(5)->comments()) bodies += each.body;
  CHECK(bodies == "abc");
}

TEST_CASE("a record that is written in parts counts when it is whole") {
  Log log;
  log.append(issue(1, "first"));
  const std::string record = framed(log.writer->size(), issue(2, "second"));
  log.append_bytes(record.substr(0, 20));
  Corpus corpus(log.directory);
  REQUIRE(corpus.torn());
  CHECK(corpus.torn()->file == log.file);
  CHECK(corpus.torn()->offset == fs::file_size(log.file) - 20);
  CHECK(corpus.problem_count() == 0);
  log.append_bytes(record.substr(20, 5));
  CHECK(corpus.update().mutations == 0);
  CHECK(corpus.torn());
  log.append_bytes(record.substr(25));
  CHECK(corpus.update().mutations == 1);
  CHECK_FALSE(corpus.torn());
  CHECK(title_of(corpus.view(), 2) == "second");
}

TEST_CASE("what cannot be read is named, and the rest loads") {
  Log log;
  log.append(issue(1, "first"));
  const std::uint64_t second = log.writer->size();
  log.append(issue(2, "second"));
  const std::uint64_t third = log.writer->size();
  log.append(issue(3, "third"));
  log.append(issue(4, "fourth"));
  std::string bytes = testing::read_file(log.file);
  SUBCASE("a damaged header") { bytes[second] = 'X'; }
  SUBCASE("a size that leads into the next record") { bytes.replace(bytes.find('+', second) + 1, 2, "fe"); }
  SUBCASE("a size beyond the end") { bytes.replace(bytes.find('+', second), 3, "+ff"); }
  SUBCASE("a damaged mutation") { bytes[bytes.find('=', second) + 2] = '\x7f'; }
  testing::write_file(log.file, bytes);
  const Corpus corpus(log.directory);
  CHECK(title_of(corpus.view(), 1) == "first");
  CHECK(title_of(corpus.view(), 2) == "none");
  CHECK(title_of(corpus.view(), 4) == "fourth");
  REQUIRE(corpus.problem_count() >= 1);
  CHECK(corpus.problems()[0].file == log.file);
  CHECK(corpus.problems()[0].offset == second);
  CHECK_FALSE(corpus.problems()[0].why.empty());
  CHECK(third > second);
}

TEST_CASE("a record in a comment is none, also where the log is torn") {
  Log log;
  log.append(issue(1, "first"));
  const std::uint64_t at = log.writer->size();
  // As if somebody had guessed where his comment would stand.
  std::string payload = issue(2, "second", 1, std::string(200, 'x'));
  const std::size_t inside = payload.find("xxx");
  const std::size_t header = framed(at, payload).size() - payload.size();
  const std::string fake = framed(at + header + inside, issue(1, "faked"));
  payload.replace(inside, fake.size(), fake);
  log.append_bytes(framed(at, payload).substr(0, header + inside + fake.size() + 10));
  const Corpus corpus(log.directory);
  CHECK(title_of(corpus.view(), 1) == "first");
  CHECK(corpus.torn());
}

TEST_CASE("a log that is not what it was is told") {
  Log log;
  log.append(issue(1, "first"));
  log.append(issue(2, "second"));
  log.next_file("maintner-2021-02-02.mutlog");
  log.append(issue(3, "third"));
  Corpus corpus(log.directory);
  const fs::path first = log.directory / "maintner-2021-02-01.mutlog";
  SUBCASE("shorter") { fs::resize_file(log.file, 5); }
  SUBCASE("gone") { fs::remove(first); }
  SUBCASE("another") {
    fs::copy_file(first, log.directory / "copy");
    fs::rename(log.directory / "copy", first);
  }
  SUBCASE("one that is not the last has grown") {
    RecordWriter(first).append(issue(4, "fourth"));
    testing::write_file(log.directory / "something", "");  // the directory changes
  }
  CHECK_THROWS_AS(corpus.update(), LogChanged);
  CHECK(title_of(corpus.view(), 3) == "third");
}

TEST_CASE("a commit is overwritten where it stands, also one that was only named") {
  Log log;
  log.append(gerrit(kA, raw_commit("child\n", kB), "refs/heads/master"));
  Corpus corpus(log.directory);
  const View before = corpus.view();
  CHECK(before.commit(kB)->is_placeholder());
  CHECK(before.check());
  CHECK(before.gerrit().projects()[0].commits_needed() == 1);
  log.append(gerrit(kB, raw_commit("parent\n")));
  corpus.update();
  const View after = corpus.view();
  CHECK_FALSE(after.check());
  CHECK(after.gerrit().projects()[0].commits_needed() == 0);
  CHECK(after.commit(kA)->parents()[0].message() == "parent\n");
  CHECK(after.commit(kA)->has_ancestor(*after.commit(kB)));
  CHECK_FALSE(after.commit(kB)->has_ancestor(*after.commit(kA)));
  CHECK_FALSE(after.commit(kA)->has_ancestor(*after.commit(kA)));
  CHECK(before.commit(kB)->is_placeholder());
  CHECK(after.gerrit().project("https://go-review.googlesource.com/", "go")->ref("refs/heads/master")->hex() == kA);
}

TEST_CASE("a change follows what is done to it") {
  Log log;
  log.append(gerrit(kA, raw_commit("subject\nmore\n\nFixes #7\n\nChange-Id: I" + std::string(kA) + "\n"),
                    "refs/changes/34/1234/1"));
  Corpus corpus(log.directory);
  CHECK_FALSE(corpus.view().gerrit().projects()[0].change(1234));
  log.append(gerrit(kB, raw_commit("Create change\n\nBranch: refs/heads/master\nStatus: new\nPrivate: true\n"),
                    "refs/changes/34/1234/meta"));
  corpus.update();
  const View hidden = corpus.view();
  const Project project = hidden.gerrit().projects()[0];
  REQUIRE(project.change(1234));
  CHECK(project.change(1234)->is_private());
  CHECK(project.open_changes().empty());
  CHECK(project.change(1234)->owner_id() == 5001);
  CHECK(project.change(1234)->references("golang", "go", 7));
  CHECK(hidden.github().repo("golang", "go"));
  log.append(gerrit(kC,
                    raw_commit("Update\n\nPatch Set 1: Code-Review+2\n\nPatch-set: 1\nPrivate: false\nLabel: "
                               "Code-Review=+2\n",
                               kB),
                    "refs/changes/34/1234/meta"));
  corpus.update();
  const View shown = corpus.view();
  const Change change = *shown.gerrit().projects()[0].change(1234);
  CHECK_FALSE(change.is_private());
  CHECK(shown.gerrit().projects()[0].open_changes().size() == 1);
  CHECK(change.metas().size() == 2);
  CHECK(change.messages()[0].text == "Patch Set 1: Code-Review+2");
  CHECK(change.meta().label_votes() == Votes{{"Code-Review", {{"5001@x", 2}}}});
  CHECK(change.branch() == "master");
  CHECK(change.subject() == "subject more");
  CHECK(shown.gerrit().projects()[0].label_changes() == 1);
  CHECK(project.change(1234)->metas().size() == 1);
}

TEST_CASE("a corpus that follows its log for long does not grow by what is not seen any more") {
  Log log;
  log.append(issue(1, "0", 1, "0"));
  Corpus corpus(log.directory, {.threads = 1, .compat = false, .snapshot = {}});
  const View first = corpus.view();
  const auto own_kib = [] {
    const std::string status = testing::read_file("/proc/self/status");
    const std::string_view name = "RssAnon:";
    return std::stol(status.substr(status.find(name) + name.size()));
  };
  long kib_then = 0;
  std::uint64_t size_then = 0;
  for (int i = 1; i <= 60'000; ++i) {
    log.append(issue(1, std::to_string(i), 1, "x"));
    if (i % 3 == 0) corpus.update();
    if (i != 30'000) continue;
    kib_then = own_kib();
    size_then = log.writer->size();
  }
  CHECK(title_of(corpus.view(), 1) == "60000");
  CHECK(title_of(first, 1) == "0");
  // The end of the log is in memory; 10,000 views' rows would be 3 MB.
  const long of_log = static_cast<long>(log.writer->size() - size_then) / 1024, grown = own_kib() - kib_then;
  MESSAGE("grown by ", grown, " KiB, the log by ", of_log);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  CHECK(grown < of_log + 1500);
#endif
}

TEST_CASE(
    "a log that is told in parts: no more is read than they say, the last gets another name, others come behind") {
  Log log;
  log.append(issue(1, "one"));
  const std::uint64_t one = log.writer->size();
  log.append(issue(1, "two"));
  log.append("no mutation");
  const std::uint64_t damaged = log.writer->size();
  log.append(issue(1, "three"));
  std::vector<LogPart> parts{{log.file, one}};
  const CorpusOptions options{.threads = 1, .compat = false, .snapshot = log.temp / "snapshot"};
  Corpus corpus([&] { return parts; }, options);
  CHECK(title_of(corpus.view(), 1) == "one");
  CHECK(corpus.update().mutations == 0);
  parts[0].size = damaged;
  CHECK(corpus.update().mutations == 2);  // one of them is none
  CHECK(title_of(corpus.view(), 1) == "two");
  REQUIRE(corpus.problem_count() == 1);

  const fs::path renamed = log.temp / "other";
  fs::rename(log.file, renamed);
  parts[0] = {renamed, log.writer->size()};
  log.next_file("another");
  log.append(issue(2, "new"));
  parts.push_back({log.file, log.writer->size()});
  CHECK(corpus.update().mutations == 2);
  CHECK(title_of(corpus.view(), 1) == "three");
  CHECK(title_of(corpus.view(), 2) == "new");
  CHECK(corpus.problems()[0].file == renamed);
  corpus.save(options.snapshot);

  // The last again under another name, and longer: a snapshot does not mind.
  log.append(issue(2, "newer"));
  fs::rename(log.file, log.temp / "third");
  parts[1] = {log.temp / "third", log.writer->size()};
  const Corpus again([&] { return parts; }, options);
  CHECK(again.snapshot_refused() == "");
  CHECK(title_of(again.view(), 2) == "newer");
  CHECK(again.problems()[0].file == renamed);

  parts.pop_back();
  CHECK_THROWS_AS(corpus.update(), LogChanged);
  CHECK_THROWS_AS(Corpus([]() -> std::vector<LogPart> { throw LogChanged("no parts"); }), LogChanged);
}

TEST_CASE("metas that lead in a circle make nothing of it") {
  Log log;
  log.append(gerrit(kA, raw_commit("x\n"), "refs/changes/01/1/1"));
  log.append(gerrit(kB, raw_commit("y\n\nStatus: merged\n", kC)));
  log.append(gerrit(kC, raw_commit("z\n", kB), "refs/changes/01/1/meta"));
  const Corpus corpus(log.directory);
  CHECK_FALSE(corpus.view().gerrit().projects()[0].change(1));
  CHECK(corpus.view().commit(kB)->has_ancestor(*corpus.view().commit(kB)));
}

TEST_CASE("readers see one view or the other, whole, while the log grows") {
  Log log;
  constexpr int kUpdates = 10'000;
  log.append(issue(1, "0", 1, "0"));
  Corpus corpus(log.directory, {.threads = 1, .compat = false, .snapshot = {}});
  std::atomic<bool> over{false};
  std::atomic<int> wrong{0};
  std::vector<std::set<std::uint64_t>> seen(4);
  std::vector<std::thread> readers;
  for (std::set<std::uint64_t>& versions : seen) {
    readers.emplace_back([&] {
      std::uint64_t last = 0;
      while (!over) {
        const View view = corpus.view();
        const Issue issue = *view.github().repos()[0].issue(1);
        const auto comments = issue.comments();
        // The title, the number of comments and the last one go together.
        const std::string number = std::to_string(comments.size() - 1);
        if (issue.title() != number || comments.back().body != number || view.version() < last) ++wrong;
        last = view.version();
        versions.insert(last);
      }
    });
  }
  for (int i = 1; i <= kUpdates; ++i) {
    const std::string text = std::to_string(i);
    log.append(issue(1, text, i + 1, text));
    CHECK(corpus.update().mutations == 1);
  }
  over = true;
  for (std::thread& reader : readers) reader.join();
  CHECK(wrong == 0);
  std::set<std::uint64_t> all;
  for (const std::set<std::uint64_t>& versions : seen) all.insert(versions.begin(), versions.end());
  MESSAGE("views seen: ", all.size(), " of ", kUpdates);
  CHECK(all.size() > 1);
}

// A thread of which the kernel knows that it is not allowed to call it.
#ifndef __SANITIZE_THREAD__
TEST_CASE("who takes the newest view and asks it makes no system call") {
  Log log;
  const pid_t child = ::fork();
  if (child == 0) {
    log.append(gerrit(kA, raw_commit("a\n"), "refs/heads/master"));
    log.append(issue(1, "0", 1, "0"));
    Corpus corpus(log.directory, {.threads = 1, .compat = false, .snapshot = {}});
    std::atomic<int> views{0};
    constexpr int kViews = 20;
    std::thread reader([&] {
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
      for (std::uint64_t last = 0; views < kViews;) {
        const View view = corpus.view();
        if (view.version() == last) continue;
        last = view.version();
        const auto found = view.github().repo("golang", "go")->issue(1);
        std::size_t bytes = view.commit(kA)->message().size() + view.github().user(2)->login().size();
        for (const Comment& comment : found->comments()) bytes += comment.body.size();
        if (bytes > 0) ++views;
      }
      ::syscall(SYS_exit, 0);
    });
    // Views come and go meanwhile. Had the reader been killed, it would never be ready.
    for (int i = 1; i < 200'000 && views < kViews; ++i) {
      log.append(issue(1, std::to_string(i), 1, "x"));
      corpus.update();
    }
    ::_exit(views < kViews ? 1 : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
#endif
