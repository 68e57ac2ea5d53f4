#include "parse.h"

#include <doctest/doctest.h>

#include "text.h"

using namespace build;
using namespace build::git;

namespace {

const std::string kHash(40, 'a');
using namespace std::string_literals;

std::string record(const std::string& hash, const std::string& time, const std::string& subject) {
  return hash + '\0' + time + '\0' + "name\0email\0"s + subject + '\0';
}

}  // namespace

TEST_CASE("commits are read the same however the bytes are cut") {
  const std::string bytes =
      record(kHash, "1767225600", "one") + record(kHash, "1", std::string(2000, 's')) + record(kHash, "2", "");
  for (std::size_t size = 1; size <= bytes.size(); size += size < 20 ? 1 : 97) {
    CommitParser parser(model::RepositoryName("demo"));
    for (std::size_t at = 0; at < bytes.size(); at += size) parser.feed(std::string_view(bytes).substr(at, size));
    CHECK_FALSE(parser.failed());
    const auto commits = parser.take();
    REQUIRE(commits.size() == 3);
    CHECK(commits[0].subject == "one");
    CHECK(commits[0].author_name == "name");
    CHECK(commits[0].author_email == "email");
    CHECK(commits[0].committed == model::Time(std::chrono::seconds(1767225600)));
    CHECK(commits[1].subject == std::string(1024, 's'));
    CHECK(commits[2].subject.empty());
  }
}

TEST_CASE("a damaged list of commits is noticed") {
  for (const std::string& bytes :
       {"x"s, "\0"s, record("main", "1", "s"), record(kHash, "1", "s") + "tail", kHash + "\0"s,
        record(std::string(41, 'a'), "1", "s"), record(std::string(40, 'A'), "1", "s")}) {
    CAPTURE(bytes);
    CommitParser parser(model::RepositoryName("demo"));
    parser.feed(bytes);
    CHECK(parser.failed());
  }
  CommitParser empty(model::RepositoryName("demo"));
  empty.feed("");
  CHECK_FALSE(empty.failed());
}

TEST_CASE("a date that fits no calendar counts as none") {
  for (const char* time : {"-1", "", "x", "99999999999999999999", "253402300800", "1 +0000"}) {
    CommitParser parser(model::RepositoryName("demo"));
    parser.feed(record(kHash, time, "s"));
    CHECK(parser.take().at(0).committed == model::Time());
  }
}

TEST_CASE("tree entries are read the same however the bytes are cut") {
  const std::string bytes = "100644 blob " + kHash + "     123\ta\tb\nc\0"s + "120000 blob " + kHash +
                            "       3\tlink\0"s + "160000 commit " + kHash + "       -\tsub\0"s + "100755 blob " +
                            kHash + " 12345678901\t"s + std::string(9000, 'p') + "\0"s;
  for (std::size_t size = 1; size <= bytes.size(); size += size < 20 ? 1 : 997) {
    TreeParser parser;
    for (std::size_t at = 0; at < bytes.size(); at += size) parser.feed(std::string_view(bytes).substr(at, size));
    CHECK_FALSE(parser.failed());
    const auto entries = parser.take();
    REQUIRE(entries.size() == 4);
    CHECK(entries[0].path == "a\tb\nc");
    CHECK(entries[0].size == 123);
    CHECK(entries[0].hash == kHash);
    CHECK(entries[1].kind == TreeEntry::Kind::symlink);
    CHECK(entries[2].kind == TreeEntry::Kind::submodule);
    CHECK(entries[2].path == "sub");
    CHECK(entries[3].size == 12345678901);
    CHECK(entries[3].path.size() < 5000);
    CHECK(parser.take().empty());
  }
}

TEST_CASE("a damaged tree is noticed") {
  for (const std::string& bytes :
       {"x"s, "\0"s, "\t\0"s, "100644 blob "s + kHash + "\tname\0"s, "100644 blob x 3\tname\0"s, "100644\t\0"s,
        "100644 blob "s + kHash + " x\tname\0"s, "100644 blob "s + kHash + " -\tname\0"s,
        "100644 blob "s + kHash + " 99999999999999999999\tname\0"s, "100644 blob "s + kHash + "   \tname\0"s}) {
    CAPTURE(bytes);
    TreeParser parser;
    parser.feed(bytes);
    CHECK(parser.failed());
  }
}

TEST_CASE("LFS pointers are found among objects, in damaged output as far as it goes") {
  const std::string pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n";
  const auto object = [](const std::string& content) {
    return kHash + " blob " + std::to_string(content.size()) + "\n" + content + "\n";
  };
  using Found = std::vector<bool>;
  CHECK(find_lfs_pointers("") == Found{});
  CHECK(find_lfs_pointers(object(pointer) + object("text") + object(pointer)) == Found{true, false, true});
  CHECK(find_lfs_pointers(kHash + " missing\n" + object(pointer)) == Found{false, true});
  CHECK(find_lfs_pointers(object("") + object("\n\n")) == Found{false, false});
  // Content that looks like a header is content.
  CHECK(find_lfs_pointers(object("x\n" + object(pointer)) + object("y")) == Found{false, false});
  CHECK(find_lfs_pointers(object(pointer).substr(0, 60)) == Found{});
  CHECK(find_lfs_pointers(kHash + " blob 99999999999999999999\n") == Found{false});
  CHECK(find_lfs_pointers(kHash + " blob 18446744073709551615\nx") == Found{});
  CHECK(find_lfs_pointers("no line end") == Found{});
}

TEST_CASE("text is cut between characters") {
  CHECK(cut_at("abc", 3) == "abc");
  CHECK(cut_at("abcd", 3) == "abc");
  CHECK(cut_at("ab\xc3\xa4", 3) == "ab");
  CHECK(cut_at("a\xe2\x82\xac", 3) == "a");
  CHECK(cut_at("\xf0\x9f\x98\x80", 3) == "");
  CHECK(cut_at("\xc3\xa4\xc3\xa4", 2) == "\xc3\xa4");
  // Not UTF-8: cut anywhere.
  CHECK(cut_at(std::string(10, '\x80'), 5).size() == 5);
  CHECK(cut_at("x", 0) == "");
}

TEST_CASE("of what git says the last lines are kept, on one line") {
  CHECK(last_lines("") == "");
  CHECK(last_lines("\n \n") == "");
  CHECK(last_lines("fatal: no\n") == "fatal: no");
  CHECK(last_lines("one\ntwo\n\nthree\nfour\n") == "two; three; four");
  CHECK(last_lines("Receiving 10%\rReceiving 20%\rdone\x1b[K\n") == "Receiving 10%; Receiving 20%; done?[K");
  CHECK(last_lines(std::string(5000, 'x')).size() < 300);
}
