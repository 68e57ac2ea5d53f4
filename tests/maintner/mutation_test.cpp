#include <maintner/mutation.h>

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using namespace maintner;
using namespace std::string_literals;

namespace {

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return bytes;
}

/// A field that holds a message or a string.
std::string piece(char number, const std::string& content) {
  REQUIRE(content.size() < 128);
  return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(content.size())} + content;
}

std::string again(const std::string& bytes) { return encode(decode_mutation(bytes)); }

/// What decoding says of them.
std::string fault_of(const std::string& bytes) {
  try {
    decode_mutation(bytes);
  } catch (const MutationError& error) {
    return error.what();
  }
  return "none";
}

}  // namespace

TEST_CASE("mutations are on the wire as the original's are") {
  Mutation labels;
  labels.github.emplace();
  labels.github->owner = "golang";
  labels.github->repo = "go";
  CHECK(encode(labels) == from_hex("1a0c0a06676f6c616e671202676f"));
  Mutation tombstone;
  auto& issue = tombstone.github_issue.emplace();
  issue.owner = "golang";
  issue.repo = "go";
  issue.number = 3;
  issue.not_exist = true;
  CHECK(encode(tombstone) == from_hex("0a100a06676f6c616e671202676f18036801"));
  CHECK(encode(Mutation()).empty());
}

TEST_CASE("strings are views of what was decoded") {
  const std::string bytes = piece(4, piece(1, "host/name") + piece(4, "refs/heads/x"));
  const Mutation mutation = decode_mutation(bytes);
  REQUIRE(mutation.gerrit);
  CHECK(mutation.gerrit->project == "host/name");
  CHECK(mutation.gerrit->project.data() == bytes.data() + 4);
  REQUIRE(mutation.gerrit->deleted_refs.size() == 1);
  CHECK(mutation.gerrit->deleted_refs[0] == "refs/heads/x");
}

TEST_CASE("that an empty message is there is kept") {
  // closed := false, milestone of a label that says nothing
  const std::string bytes = piece(1, piece(1, "o") + from_hex("9a0100") + from_hex("fa0100"));
  const Mutation mutation = decode_mutation(bytes);
  REQUIRE(mutation.github_issue->closed);
  CHECK_FALSE(mutation.github_issue->closed->val);
  REQUIRE(mutation.github_issue->body_change);
  CHECK_FALSE(mutation.github_issue->locked);
  CHECK(encode(mutation) == bytes);
  const std::string empty = piece(2, "");
  REQUIRE(decode_mutation(empty).git);
  CHECK(again(empty) == empty);
}

TEST_CASE("numbers may be negative, and as large as they get") {
  Mutation mutation;
  auto& issue = mutation.github_issue.emplace();
  issue.number = -5;
  issue.id = INT64_MIN;
  issue.milestone_id = INT64_MAX;
  issue.created.emplace().seconds = -62135596801;
  issue.created->nanos = -1;
  issue.deleted_assignees = {0, -1, INT64_MAX};
  const std::string bytes = encode(mutation);
  const Mutation decoded = decode_mutation(bytes);
  CHECK(decoded.github_issue->number == -5);
  CHECK(decoded.github_issue->id == INT64_MIN);
  CHECK(decoded.github_issue->milestone_id == INT64_MAX);
  CHECK(decoded.github_issue->created->seconds == -62135596801);
  CHECK(decoded.github_issue->created->nanos == -1);
  CHECK(decoded.github_issue->deleted_assignees == std::vector<std::int64_t>{0, -1, INT64_MAX});
  CHECK(encode(decoded) == bytes);
}

TEST_CASE("a list of numbers is read packed or not, and both together") {
  const std::string bytes = piece(1, from_hex("5805") + from_hex("5a020607") + from_hex("5808"));
  CHECK(decode_mutation(bytes).github_issue->deleted_assignees == std::vector<std::int64_t>{5, 6, 7, 8});
}

TEST_CASE("a field that comes twice: the last scalar counts, messages are merged") {
  const std::string bytes = piece(3, piece(1, "a") + piece(1, "b")) + piece(3, piece(2, "r"));
  const Mutation mutation = decode_mutation(bytes);
  CHECK(mutation.github->owner == "b");
  CHECK(mutation.github->repo == "r");
}

TEST_CASE("unknown fields are kept, at every depth, of every kind") {
  const std::string fields = from_hex("980601") + from_hex("9d0601020304") + from_hex("990601020304050607ff") +
                             from_hex("9a0602") + "hi" + from_hex("9b06") + from_hex("0801") + from_hex("9c06");
  CHECK(again(fields) == fields);
  const std::string deep = piece(3, piece(1, "o") + piece(3, from_hex("0807") + fields) + fields);
  CHECK(again(deep) == deep);
  // A known number of another kind is as good as unknown.
  const std::string other = piece(3, from_hex("0801") + from_hex("2008"));
  CHECK(decode_mutation(other).github->owner.empty());
  CHECK(again(other) == other);
}

TEST_CASE("what is no mutation says where it stops making sense") {
  CHECK(fault_of(from_hex("0a")) == "no Mutation: end of buffer exception, at byte 0 of 1");
  CHECK(fault_of(from_hex("0a050a")) == "no Mutation: end of buffer exception, at byte 0 of 3");
  CHECK(fault_of(piece(1, from_hex("0801") + from_hex("18ff"))) ==
        "no GithubIssueMutation: end of buffer exception, at byte 4 of 6");
  CHECK(fault_of(from_hex("00")) == "no Mutation: invalid tag exception, at byte 0 of 1");
  CHECK(fault_of(from_hex("0e")) == "no Mutation: unknown pbf field type exception, at byte 0 of 1");
  CHECK(fault_of(from_hex("18ffffffffffffffffffff01")) == "no Mutation: varint too long exception, at byte 0 of 12");
  const std::string endless = "no Mutation: a group that does not end, or too many of them, at byte 0 of ";
  CHECK(fault_of(from_hex("9b06a306")).starts_with("no Mutation: end of buffer"));
  CHECK(fault_of(from_hex("9b06a406")) == endless + "4");
  std::string groups;
  for (int i = 0; i < 1000; ++i) groups += from_hex("9b06");
  CHECK(fault_of(groups) == endless + "2000");
  CHECK(fault_of(from_hex("9c06")) == "no Mutation: unknown pbf field type exception, at byte 0 of 2");
}

TEST_CASE("strings are taken as bytes, of whatever kind they are") {
  const std::string bytes = piece(3, piece(1, "\xff\xfe\0"s));
  CHECK(decode_mutation(bytes).github->owner == "\xff\xfe\0"s);
  CHECK(again(bytes) == bytes);
}
