// What stands in a git commit: its head, and the lines of its message that tools put there.
//
// All of it is pure; what is returned are views of what was given. "Line" is meant as the original means it, where that
// matters: see line_value().
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace maintner {

/// What is no commit. what() says why.
struct CommitError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Who did it, and when.
struct PersonAndTime {
  std::string_view person;   ///< "Name <email>"
  std::int64_t seconds = 0;  ///< since 1970, in UTC
  std::string_view zone;     ///< as it stands there, "-0800"
};

/// Seconds east of Greenwich. What is no number in it counts as 0.
int zone_offset(std::string_view zone) noexcept;
/// What stands before the first "<", without white space around it; all of it if there is none.
std::string_view person_name(std::string_view person) noexcept;
/// What stands between the first "<" and the first ">"; empty if that is nothing.
std::string_view person_email(std::string_view person) noexcept;

/// A commit as "git cat-file commit" prints it.
struct CommitText {
  std::string_view tree;  ///< 40 hexadecimal digits
  std::vector<std::string_view> parents;
  PersonAndTime author, committer;
  std::string_view hg;       ///< the hash that it had in Mercurial; mostly empty
  std::string_view message;  ///< with its last newline
};

/// Lines that are not known are passed over. Throws CommitError: no blank line behind the head, or a line in it that is
/// known and wrong.
CommitText parse_commit(std::string_view raw);
/// "A <a@b> 1257894000 -0800". Throws CommitError.
PersonAndTime parse_person(std::string_view line);

/// Of the 20 bytes that they mean; nothing if these are not 40 hexadecimal digits, of either case.
std::optional<std::string> hash_from_hex(std::string_view hex);
std::string hash_to_hex(std::string_view hash);

/// Without white space around it, as Unicode knows it.
std::string_view trimmed(std::string_view text) noexcept;

struct LineValue {
  std::string_view value;  ///< without white space around it
  std::string_view rest;   ///< what follows that line
};
/// What follows `prefix` in the first line that begins with it. A line begins behind "\n" or "\r" and ends with "\n".
std::optional<LineValue> line_value(std::string_view text, std::string_view prefix) noexcept;

/// What stands behind the last blank line; empty if there is none.
std::string_view footer_of(std::string_view message) noexcept;
/// The first line, without white space around it.
std::string_view summary_of(std::string_view message) noexcept;
/// Up to the first blank line, with each newline made a space: as the original gives a change's subject.
std::string subject_of(std::string_view message);
/// That of the first "Change-Id:" line if it looks like one, else empty.
std::string_view change_id_of(std::string_view message) noexcept;

/// An issue or a pull request of GitHub's.
struct IssueReference {
  std::string owner, repo;
  std::int32_t number = 0;
  friend bool operator==(const IssueReference&, const IssueReference&) = default;
};

/// Those that a message names: "owner/repo#1", or "#1" where `own_repo` says whose that is. In their order, each once,
/// owner and repo in lower case; numbers over 31 bits are none.
std::vector<IssueReference> issue_references(std::string_view message, const IssueReference* own_repo);

}  // namespace maintner
