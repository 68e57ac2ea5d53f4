// What the original found in real commits, and in made-up ones: maintner-small's and every one of maintner-sync's.
#include <build/base/digest.h>
#include <maintner/commit_text.h>
#include <maintner/meta_text.h>
#include <maintner/mutation.h>
#include <maintner/reclog.h>

#include <doctest/doctest.h>
#include <rapidjson/document.h>

#include <algorithm>
#include <ctime>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "golden_logs.h"
#include "support/support.h"

using namespace maintner;
using build::base::sha1_hex;
using testing::unzipped;

namespace {

/// The last commit of each hash that can be read, whose bytes the logs hold.
std::map<std::string, CommitText> commits_of(const std::vector<std::string>& logs) {
  std::map<std::string, CommitText> commits;
  const auto take = [&commits](const GitCommit& commit) {
    if (!hash_from_hex(commit.sha1)) return;
    try {
      commits[std::string(commit.sha1)] = parse_commit(commit.raw);
    } catch (const CommitError&) {
    }
  };
  for (const std::string& log : logs) {
    RecordReader reader(log);
    while (const auto record = reader.next()) {
      const Mutation mutation = decode_mutation(record->payload);
      if (mutation.git && mutation.git->commit) take(*mutation.git->commit);
      if (!mutation.gerrit) continue;
      for (const GitCommit& commit : mutation.gerrit->commits) take(commit);
    }
  }
  return commits;
}

/// As the golden data writes it.
std::string time_text(const PersonAndTime& when) {
  const std::time_t local = when.seconds + zone_offset(when.zone);
  std::tm parts{};
  ::gmtime_r(&local, &parts);
  char text[64];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  return text + std::string(when.zone);
}

std::string joined(const std::vector<std::string_view>& texts) {
  std::string all;
  for (const std::string_view text : texts) all.append(all.empty() ? "" : ",").append(text);
  return all.empty() ? "-" : all;
}

std::string reviewer_of(const CommitText& commit) {
  const auto line = line_value(commit.message, "Reviewer: ");
  return line ? std::string(line->value) : "-";
}

std::string text_of(const rapidjson::Value& object, const char* name) {
  return object.HasMember(name) && object[name].IsString() ? object[name].GetString() : "-";
}

/// As Go writes it as JSON: a byte that is no part of UTF-8 becomes U+FFFD.
std::string in_json(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto first = static_cast<unsigned char>(text.front());
    std::size_t size = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    if (size > text.size()) size = 0;
    for (std::size_t i = 1; i < size; ++i)
      if ((static_cast<unsigned char>(text[i]) & 0xc0U) != 0x80) size = 0;
    out += size == 0 ? "\ufffd" : text.substr(0, size);
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return out;
}

void check_commit(const CommitText& ours, const rapidjson::Value& theirs) {
  CHECK(ours.author.person == text_of(theirs, "author"));
  CHECK(person_name(ours.author.person) == text_of(theirs, "authorName"));
  CHECK(person_email(ours.author.person) == text_of(theirs, "authorEmail"));
  CHECK(time_text(ours.author) == text_of(theirs, "authorTime"));
  CHECK(ours.committer.person == text_of(theirs, "committer"));
  CHECK(time_text(ours.committer) == text_of(theirs, "commitTime"));
  CHECK(ours.message.size() == theirs["msg"]["len"].GetUint64());
  CHECK(sha1_hex(ours.message) == theirs["msg"]["sha1"].GetString());
  CHECK(ours.tree == text_of(theirs, "tree"));
  CHECK(reviewer_of(ours) == text_of(theirs, "reviewer"));
  CHECK(in_json(summary_of(ours.message)) == text_of(theirs, "summary"));
  std::vector<std::string_view> parents;
  for (const auto& parent : theirs["parents"].GetArray()) parents.emplace_back(parent.GetString());
  CHECK(ours.parents == parents);
}

void check_meta(const CommitText& ours, const rapidjson::Value& theirs) {
  CHECK(action_tag_of(ours.message) == text_of(theirs, "actionTag"));
  CHECK(footer_of(ours.message).size() == theirs["footer"]["len"].GetUint64());
  CHECK(sha1_hex(footer_of(ours.message)) == theirs["footer"]["sha1"].GetString());
  const auto edits = hashtag_edits_in(ours.message);
  CHECK((edits ? edits->added : "-") == text_of(theirs, "hashtagsAdded"));
  CHECK((edits ? edits->removed : "-") == text_of(theirs, "hashtagsRemoved"));
}

void check_change(const std::map<std::string, CommitText>& commits, std::string_view project,
                  const rapidjson::Value& theirs) {
  const std::string_view message = commits.at(text_of(theirs, "commit")).message;
  CHECK(change_id_of(message) == text_of(theirs, "changeID"));
  CHECK(subject_of(message) == text_of(theirs, "subject"));
  const IssueReference go{"golang", "go", 0};
  std::vector<IssueReference> references =
      issue_references(message, project == "go.googlesource.com/go" ? &go : nullptr);
  const auto& listed = theirs["githubIssueRefs"].GetArray();
  REQUIRE(references.size() == listed.Size());
  for (rapidjson::SizeType i = 0; i < listed.Size(); ++i)
    CHECK(references[i].owner + "/" + references[i].repo + "#" + std::to_string(references[i].number) ==
          listed[i].GetString());
  std::string messages, expected;
  for (const auto& meta : theirs["metas"].GetArray()) {
    const CommitText& ours = commits.at(text_of(meta, "hash"));
    check_meta(ours, meta);
    if (const auto said = review_message_in(ours.message))
      messages += std::to_string(said->patch_set) + " " + std::string(said->text) + "\n";
  }
  for (const auto& said : theirs["messages"].GetArray())
    expected += std::to_string(said["version"].GetInt()) + " " + said["message"].GetString() + "\n";
  CHECK(messages == expected);
  const CommitText& first = commits.at(text_of(theirs["metas"][0], "hash"));
  CHECK(account_id_of(person_email(first.author.person)) == theirs["ownerID"].GetInt64());
}

}  // namespace

TEST_CASE("commits and changes say what the original found in them") {
  const auto data = testing::golden("maintner-small", "commits");
  if (!data) return;
  rapidjson::Document expected;
  expected.Parse(testing::read_file(*data / "expected.json").c_str());
  std::vector<std::string> logs;
  for (const auto& file : log_files(*data)) logs.push_back(testing::read_file(file));
  const auto commits = commits_of(logs);
  const auto& listed = expected["git"]["commits"].GetArray();
  CHECK(commits.size() == listed.Size());
  for (const auto& theirs : listed) {
    CAPTURE(text_of(theirs, "hash"));
    check_commit(commits.at(text_of(theirs, "hash")), theirs);
  }
  for (const auto& project : expected["gerrit"]["projects"].GetArray()) {
    for (const auto& change : project["cls"].GetArray()) {
      CAPTURE(change["number"].GetInt());
      check_change(commits, text_of(project, "name"), change);
    }
  }
}

TEST_CASE("all commits of a real history are read as the original read them") {
  const auto data = testing::golden("maintner-sync", "rows of commits");
  if (!data) return;
  std::vector<std::string> logs;
  for (const char* name : {"maintner-2026-11-20.mutlog.gz", "maintner-2026-11-21.mutlog.gz"})
    logs.push_back(unzipped(*data / name));
  const auto commits = commits_of(logs);
  std::istringstream rows(unzipped(*data / "commits.tsv.gz"));
  int count = 0;
  for (std::string row; std::getline(rows, row); ++count) {
    std::vector<std::string> cells;
    std::istringstream line(row);
    for (std::string cell; std::getline(line, cell, '\t');) cells.push_back(cell);
    REQUIRE(cells.size() == 15);
    CAPTURE(cells[0]);
    const CommitText& ours = commits.at(cells[0]);
    CHECK(ours.tree == cells[1]);
    CHECK(joined(ours.parents) == cells[2]);
    CHECK(ours.author.person == cells[3]);
    CHECK(time_text(ours.author) == cells[4]);
    CHECK(ours.committer.person == cells[5]);
    CHECK(time_text(ours.committer) == cells[6]);
    CHECK(std::to_string(ours.message.size()) == cells[7]);
    CHECK(sha1_hex(ours.message) == cells[8]);
    CHECK(reviewer_of(ours) == cells[14]);
  }
  CHECK(count == 4921);
  CHECK(commits.size() == 4921);
}
