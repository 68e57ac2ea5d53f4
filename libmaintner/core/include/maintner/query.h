// Finds issues, changes and commits by what they are, and texts by what they say.
//
//   const maintner::View view = corpus.view();
//   const auto repo = view.github().repo("golang", "go");
//   for (const maintner::Issue& issue : find_issues(*repo, {.labels = {"NeedsFix"}, .milestone = "Go1.17"})) ...
//
// find_*() go by indexes. The first question of a kind makes its index, of all that the view has; for the views that
// follow it is brought up to date by the next question, with what has changed since. So a question that is asked again
// takes as long as its answer is long, or the rarest thing in it: an issue by label and milestone takes as long as the
// open issues that have one of the two. Who does not ask pays nothing. search() reads every text that it is asked for.
//
// Any number of threads may ask, of views of any age. They wait for each other only while an index is made or brought
// up to date. Things and texts that are returned live as long as the view does. Names are compared byte for byte.
#pragma once

#include <maintner/view.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace maintner {

/// In all of these, what is not said does not matter.
struct IssueQuery {
  std::optional<bool> closed = false;
  std::vector<std::string> labels = {};  ///< it has all of them
  std::string milestone = {};            ///< its title
  std::string assignee = {};             ///< a login, as `author`
  std::string author = {};
  std::optional<bool> pull_request = {};
};
/// By number; without those that do not exist.
std::vector<Issue> find_issues(const Repo& repo, const IssueQuery& query);

/// A person is given as a name, an e-mail address, or the number of an account.
struct ChangeQuery {
  std::optional<ChangeStatus> status = ChangeStatus::new_;
  std::string owner = {};
  std::string branch = {};
  std::string hashtag = {};
  std::string reviewer = {};  ///< one of reviewers_of()
  bool with_private = false;
};
/// By number; without those of which too little is known.
std::vector<Change> find_changes(const Project& project, const ChangeQuery& query);

/// Whom the change's history made a reviewer and did not remove, and whom the latest patch set's message says to have
/// reviewed it: "NAME <MAIL>", by that text, each once.
std::vector<std::string_view> reviewers_of(const Change& change);

struct CommitQuery {
  std::string author = {};  ///< a person, as in ChangeQuery
  std::string path = {};    ///< of a file that was changed, with "/" at its end of a directory with such a file
  /// When it was committed: at `from`, or later, and before `until`.
  std::optional<Time> from = {}, until = {};
  std::size_t limit = SIZE_MAX;
};
/// The newest first. Also those of which changes' histories consist, if they fit: Gerrit commits them.
std::vector<Commit> find_commits(const View& view, const CommitQuery& query);

/// By its login.
std::optional<User> find_user(const View& view, std::string_view login);

/// What is searched.
enum class TextKind : std::uint8_t { title, body, comment, review, message, commit };
/// "title", "body", "comment", "review", "message", "commit".
std::string_view name_of(TextKind kind) noexcept;

struct TextQuery {
  static constexpr std::size_t kMaxText = 1000;  ///< bytes

  std::string text = {};
  /// Texts that have all these words, in any order, each not within another word; otherwise those that have `text`.
  /// Either way ASCII's capital letters and small ones are the same.
  bool words = false;
  std::vector<TextKind> kinds = {};  ///< empty: all
  std::size_t limit = 100;
};
struct TextHit {
  TextKind kind = TextKind::title;
  /// Which has it: an issue its title, body, comments and reviews, a change its messages.
  std::variant<Issue, Change, Commit> thing;
  std::int64_t id = 0;  ///< the comment's or review's; which of the messages, from 0
  std::optional<Time> time = {};
  std::string_view text = {};
  std::size_t at = 0;  ///< where in it the first of what was looked for begins
};
struct TextHits {
  std::vector<TextHit> hits;  ///< the newest first
  std::uint64_t total = 0;    ///< without the limit
};
/// In `threads` threads; 0: as many as there are processors. Commits of changes' histories are not searched, but as
/// messages, nor are patch sets but the latest. Throws QueryError if the text is empty, has more than kMaxText bytes,
/// or is to be words and has none.
TextHits search(const View& view, const TextQuery& query, unsigned threads = 0);

}  // namespace maintner
