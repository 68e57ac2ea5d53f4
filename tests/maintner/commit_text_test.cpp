#include <maintner/commit_text.h>

#include <doctest/doctest.h>

#include <cctype>
#include <string>
#include <string_view>
#include <vector>

using namespace maintner;
using namespace std::string_literals;

namespace {

const std::string kHash(40, 'a');

std::string commit(const std::string& head, const std::string& message = "m\n") { return head + "\n" + message; }

std::string fault_of(const std::string& raw) {
  try {
    parse_commit(raw);
  } catch (const CommitError& error) {
    return error.what();
  }
  return "none";
}

std::string references(std::string_view message, bool own = true) {
  const IssueReference go{"golang", "go", 0};
  std::string text;
  for (const IssueReference& each : issue_references(message, own ? &go : nullptr))
    text += (text.empty() ? "" : " ") + each.owner + "/" + each.repo + "#" + std::to_string(each.number);
  return text;
}

}  // namespace

TEST_CASE("a person's line gives the person, the time and the zone") {
  const PersonAndTime found = parse_person(" A B <a@b> 1257894000 -0800");
  CHECK(found.person == "A B <a@b>");
  CHECK(found.seconds == 1257894000);
  CHECK(found.zone == "-0800");
  CHECK(zone_offset(found.zone) == -28800);
  CHECK(parse_person("A <a> -5 +0000").seconds == -5);
  CHECK(parse_person("1 2 +0000").person == "1");
  for (const char* bad :
       {"", "A", "A <a>", "A <a> x +0000", "A <a> 1 +000", "A <a> 1 ", "A <a> 99999999999999999999 +0000", " 1 +0000"})
    CHECK_THROWS_AS(parse_person(bad), CommitError);
}

TEST_CASE("zones are hours and minutes, and what is no number is none of them") {
  CHECK(zone_offset("+0545") == 20700);
  CHECK(zone_offset("-0330") == -12600);
  CHECK(zone_offset("+x530") == 1800);
  CHECK(zone_offset("+05x0") == 18000);
  CHECK(zone_offset("00000") == 0);
  CHECK(zone_offset("") == 0);
  CHECK(zone_offset("-99") == -99 * 3600);
}

TEST_CASE("a person's name and address") {
  CHECK(person_name("A B <a@b>") == "A B");
  CHECK(person_email("A B <a@b>") == "a@b");
  CHECK(person_name("nobody") == "nobody");
  CHECK(person_email("nobody").empty());
  CHECK(person_email("> A <a").empty());
  CHECK(person_email("<>").empty());
}

TEST_CASE("a commit's head is taken apart, and its message is left as it stands") {
  const std::string raw =
      commit("tree " + kHash + "\nparent " + kHash + "\nauthor A <a> 1 +0100\ncommitter B <b> 2 -0200\n" +
                 "encoding ISO-8859-1\ngpgsig -----BEGIN\n parent nonsense\n -----END\nHG:extra x\n" + "golang-hg " +
                 std::string(40, 'b') + "\n",
             "first\n\nsecond\n\nparent x");
  const CommitText parsed = parse_commit(raw);
  CHECK(parsed.tree == kHash);
  CHECK(parsed.parents == std::vector<std::string_view>{kHash});
  CHECK(parsed.author.person == "A <a>");
  CHECK(parsed.committer.seconds == 2);
  CHECK(parsed.hg == std::string(40, 'b'));
  CHECK(parsed.message == "first\n\nsecond\n\nparent x");
}

TEST_CASE("what is no commit says why") {
  CHECK(fault_of("") == "a commit without a blank line behind its head");
  CHECK(fault_of("tree " + kHash + "\n") == "a commit without a blank line behind its head");
  CHECK(fault_of("\n\nmessage") == "a commit without a blank line behind its head");
  CHECK(fault_of(commit("tree x\n")) == "no hash behind \"tree\"");
  CHECK(fault_of(commit("parent " + kHash + "a\n")) == "no hash behind \"parent\"");
  CHECK(fault_of(commit("author me\n")) == "no person, time and zone: \"me\"");
  CHECK(fault_of(commit("author A <a> 1\n")) == "no time: \"A <a> 1\"");
  CHECK(fault_of(commit("x\n")) == "none");
}

TEST_CASE("hashes are 40 hexadecimal digits") {
  const std::string hex = "00ff" + std::string(36, 'A');
  REQUIRE(hash_from_hex(hex));
  CHECK(hash_to_hex(*hash_from_hex(hex)) == "00ff" + std::string(36, 'a'));
  for (const std::string& bad : {""s, "ff"s, std::string(39, 'a'), std::string(41, 'a'), std::string(39, 'a') + "g",
                                 std::string(39, 'a') + "@", std::string(39, 'a') + "`"})
    CHECK_FALSE(hash_from_hex(bad));
}

TEST_CASE("each digit of a hash counts, and nothing else is one") {
  const std::string hex = "0123456789abcdefABCDEF9876543210fedcba98";
  for (std::size_t at = 0; at < hex.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = hex;
      changed[at] = static_cast<char>(byte);
      CAPTURE(at);
      CAPTURE(byte);
      const auto hash = hash_from_hex(changed);
      CHECK(hash.has_value() == (std::isxdigit(byte) != 0));
      if (!hash) continue;
      std::string lower = changed;
      for (char& c : lower) c = static_cast<char>(std::tolower(c));
      CHECK(hash_to_hex(*hash) == lower);
    }
  }
}

TEST_CASE("white space is Unicode's") {
  CHECK(trimmed("\u00a0\t \u3000x y\u2028\r\n") == "x y");
  CHECK(trimmed("\u200b") == "\u200b");
  CHECK(trimmed(" \n").empty());
}

TEST_CASE("a line's value is what follows its key in the first line that begins with that") {
  const auto found = line_value("notfoo: x\nfoo:  v\n", "foo:");
  REQUIRE(found);
  CHECK(found->value == "v");
  CHECK(found->rest.empty());
  const auto label = line_value("Foo: a\nLabel: Vote=+1\nLabel: Vote=+2\n", "Label: ");
  REQUIRE(label);
  CHECK(label->value == "Vote=+1");
  CHECK(label->rest == "Label: Vote=+2\n");
  CHECK(line_value("a\rfoo: 1", "foo:")->value == "1");
  CHECK(line_value("foo:", "foo:")->value.empty());
  CHECK(line_value("foo: 1\r\nb", "foo:")->value == "1");
  CHECK_FALSE(line_value("xfoo: 1\n foo: 2", "foo:"));
  CHECK_FALSE(line_value("", "foo:"));
}

TEST_CASE("footers, summaries and subjects") {
  CHECK(footer_of("a\n\nb\n\nc: 1\n") == "c: 1\n");
  CHECK(footer_of("a\n").empty());
  CHECK(summary_of(" one \ntwo") == "one");
  CHECK(subject_of("one\ntwo\n\nthree\n") == "one two");
  CHECK(subject_of("one\n") == "one ");
  CHECK(change_id_of("m\n\nChange-Id: I" + kHash + "\n") == "I" + kHash);
  CHECK(change_id_of("m\n\nChange-Id: Ishort\n").empty());
  CHECK(change_id_of("m\n\nChange-Id: X" + kHash + "\n").empty());
}

TEST_CASE("issues that a message names") {
  CHECK(references("Fixes golang/go#9.") == "golang/go#9");
  CHECK(references("Fixes #9") == "golang/go#9");
  CHECK(references("x#12abc") == "");
  CHECK(references("x#12") == "golang/go#12");
  CHECK(references("Fixes #9", false) == "");
  CHECK(references("Fixes Golang/OAuth2#7", false) == "golang/oauth2#7");
  CHECK(references("#1, #2 and #1") == "golang/go#1 golang/go#2");
  CHECK(references("a/b/c#3") == "b/c#3");
  CHECK(references("--a-b/-c-#3") == "a-b/-c-#3");
  CHECK(references("-/c#3") == "golang/go#3");
  CHECK(references("/c#3") == "golang/go#3");
  CHECK(references("a/#3") == "golang/go#3");
  CHECK(references("#1/x#2") == "golang/go#1 golang/go#2");
  CHECK(references("#2147483647 #2147483648") == "golang/go#2147483647");
  CHECK(references("# #x ##4") == "golang/go#4");
  CHECK(references("#5_ #6-") == "golang/go#6");
  CHECK(references("\u00e9/b#7") == "golang/go#7");
}
