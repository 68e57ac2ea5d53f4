// What a corpus knows, to be asked: a View, and the small objects that it hands out.
//
// A View is a corpus at one moment. It is a value, cheap to copy, and keeps what it sees as it is, whatever is added to
// the corpus meanwhile. All other objects here, and every string_view that they return, are good as long as some View
// of that moment lives; they are as large as a pointer and a number or two, to be copied, too.
//
// Any number of threads may ask, each its own View or all the same one. Asking takes no lock and makes no system call,
// but for the memory that a function needs for a vector or string that it returns, and for the pages of the log that
// are not in memory. Nothing here throws, but for lack of memory and where it is said.
//
// The rules, where they are not plain, are those of the Go project's maintner.
#pragma once

#include <maintner/commit_text.h>
#include <maintner/meta_text.h>
#include <maintner/mutation.h>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace maintner {

struct Find;
struct State;
struct PinnedState;

/// What a question cannot be answered for. what() says it.
struct QueryError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Seconds since 1970 in UTC, and billionths of a second: as they stand in the log, which may have times that no
/// calendar has.
struct Time {
  std::int64_t seconds = 0;
  std::int32_t nanos = 0;
  friend auto operator<=>(const Time&, const Time&) = default;
};
/// RFC 3339 with the digits that it needs, "2021-02-01T13:00:00Z"; "@" and the seconds where no calendar has it.
std::string to_string(Time time);
/// Of RFC 3339, in any zone, "2021-02-01T14:00:00.5+01:00", or of a date, "2021-02-01": when it begins in UTC. Nothing
/// if it is neither.
std::optional<Time> time_from(std::string_view text);

/// Items in a row, made when they are looked at.
template <class Item>
class Range {
 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Item;
    using difference_type = std::ptrdiff_t;
    using reference = Item;
    using pointer = void;

    Iterator() = default;
    Item operator*() const { return Item::at(*state_, place_); }
    Iterator& operator++() noexcept {
      ++place_;
      return *this;
    }
    Iterator operator++(int) noexcept {
      Iterator before = *this;
      ++place_;
      return before;
    }
    friend bool operator==(const Iterator& a, const Iterator& b) noexcept { return a.place_ == b.place_; }

   private:
    friend class Range;
    Iterator(const State* state, std::uint32_t place) : state_(state), place_(place) {}
    const State* state_ = nullptr;
    std::uint32_t place_ = 0;
  };

  /// Not for use from outside.
  Range(const State& state, std::uint32_t begin, std::uint32_t size) : state_(&state), begin_(begin), size_(size) {}

  Iterator begin() const noexcept { return {state_, begin_}; }
  Iterator end() const noexcept { return {state_, begin_ + size_}; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  /// `index` is less than size().
  Item operator[](std::size_t index) const { return Item::at(*state_, begin_ + static_cast<std::uint32_t>(index)); }
  Item front() const { return (*this)[0]; }
  Item back() const { return (*this)[size_ - 1]; }

 private:
  const State* state_;
  std::uint32_t begin_, size_;
};

/// What all things are: a row of a table.
class Thing {
 public:
  /// Whether both are the same thing, of the same moment.
  friend bool operator==(const Thing&, const Thing&) = default;

 protected:
  Thing(const State& state, std::uint32_t number) : state_(&state), number_(number) {}
  const State& state() const noexcept { return *state_; }
  std::uint32_t number_in_table() const noexcept { return number_; }

 private:
  friend struct Find;
  const State* state_;
  std::uint32_t number_;
};

// ---- git

/// A file that a commit changed, as "git diff-tree --numstat" says it. What is renamed is one file gone and one come;
/// names with other characters than ASCII's are in quotes.
struct File {
  std::string_view name;
  std::int64_t added = 0, deleted = 0;  ///< lines
  bool binary = false;
  friend bool operator==(const File&, const File&) = default;
};

class Commit : public Thing {
 public:
  std::string_view hash() const;  ///< 20 bytes
  std::string hex() const;
  /// It is a parent of one that is known, and has not been seen itself: then all below is empty.
  bool is_placeholder() const;
  /// As "git cat-file commit" prints it.
  std::string_view raw() const;
  /// With its last newline.
  std::string_view message() const;
  std::string_view summary() const { return summary_of(message()); }
  /// All of its head.
  CommitText text() const;
  PersonAndTime author() const { return text().author; }
  PersonAndTime committer() const { return text().committer; }
  /// What the first line "Reviewer: " of the message says, as a person; nothing if it has none.
  std::optional<std::string_view> reviewer() const;
  std::vector<Commit> parents() const;
  /// By name. Merges and first commits have none.
  std::vector<File> files() const;
  /// Whether the same files were changed by as much.
  bool same_diff_stat(const Commit& other) const { return files() == other.files(); }
  /// Whether `other` is one of its parents, or of theirs, and so on. Takes as long as that history.
  bool has_ancestor(const Commit& other) const;

  /// Not for use from outside.
  Commit(const State& state, std::uint32_t number) : Thing(state, number) {}
  static Commit at(const State& state, std::uint32_t number) { return {state, number}; }
};

// ---- GitHub

class User : public Thing {
 public:
  std::int64_t id() const;
  /// That seen last; empty if none was.
  std::string_view login() const;

  /// Not for use from outside.
  User(const State& state, std::uint32_t number) : Thing(state, number) {}
  static User at(const State& state, std::uint32_t number) { return {state, number}; }
};

class Team : public Thing {
 public:
  std::int64_t id() const;
  std::string_view slug() const;

  /// Not for use from outside.
  Team(const State& state, std::uint32_t number) : Thing(state, number) {}
  static Team at(const State& state, std::uint32_t number) { return {state, number}; }
};

class Label : public Thing {
 public:
  std::int64_t id() const;
  std::string_view name() const;

  /// Not for use from outside. `place` is in a list of labels.
  Label(const State& state, std::uint32_t number) : Thing(state, number) {}
  static Label at(const State& state, std::uint32_t place);
};

class Milestone : public Thing {
 public:
  std::int64_t id() const;
  std::int64_t number() const;  ///< 0 if it was never said
  std::string_view title() const;
  bool closed() const;

  /// Not for use from outside. `place` is in a list of milestones.
  Milestone(const State& state, std::uint32_t number) : Thing(state, number) {}
  static Milestone at(const State& state, std::uint32_t place);
};

struct Comment {
  std::int64_t id = 0;
  std::optional<User> user;
  std::optional<Time> created, updated;
  std::string_view body;

  /// Not for use from outside.
  static Comment at(const State& state, std::uint32_t place);
};

/// What happened to an issue.
class Event {
 public:
  std::int64_t id() const noexcept { return fields_.id; }
  std::string_view type() const noexcept { return fields_.event_type; }
  std::optional<Time> created() const;
  std::optional<User> actor() const { return user(fields_.actor_id); }
  std::optional<User> assignee() const { return user(fields_.assignee_id); }
  std::optional<User> assigner() const { return user(fields_.assigner_id); }
  std::optional<User> reviewer() const { return user(fields_.reviewer_id); }
  std::optional<User> review_requester() const { return user(fields_.review_requester_id); }
  std::optional<Team> team_reviewer() const;
  std::string_view label() const { return fields_.label ? fields_.label->name : std::string_view(); }
  std::string_view milestone() const { return fields_.milestone ? fields_.milestone->title : std::string_view(); }
  std::string_view commit_id() const { return fields_.commit ? fields_.commit->commit_id : std::string_view(); }
  /// Empty if owner and repo are not known.
  std::string commit_url() const;
  std::string_view from() const noexcept { return fields_.rename_from; }
  std::string_view to() const noexcept { return fields_.rename_to; }
  /// All of it as the log has it.
  const GithubIssueEvent& fields() const noexcept { return fields_; }

  /// Not for use from outside.
  static Event at(const State& state, std::uint32_t place);

 private:
  Event(const State& state, std::string_view bytes) : state_(&state), fields_(decode_event(bytes)) {}
  std::optional<User> user(std::int64_t id) const;

  const State* state_;
  GithubIssueEvent fields_;
};

class Review {
 public:
  std::int64_t id() const noexcept { return fields_.id; }
  std::optional<User> actor() const;
  std::optional<Time> created() const;
  std::string_view body() const noexcept { return fields_.body; }
  std::string_view review_state() const noexcept { return fields_.state; }
  std::string_view commit_id() const noexcept { return fields_.commit_id; }
  std::string_view actor_association() const noexcept { return fields_.actor_association; }
  std::string_view other_json() const noexcept { return fields_.other_json; }

  /// Not for use from outside.
  static Review at(const State& state, std::uint32_t place);

 private:
  Review(const State& state, std::string_view bytes) : state_(&state), fields_(decode_review(bytes)) {}

  const State* state_;
  GithubReview fields_;
};

class Repo;

/// An issue or a pull request.
class Issue : public Thing {
 public:
  enum class MilestoneKnown : std::uint8_t { unknown, none, one };

  Repo repo() const;
  std::int32_t number() const;
  std::int64_t id() const;
  /// GitHub says that there is none of this number. What else is known of it is to be ignored.
  bool not_exist() const;
  bool closed() const;
  bool locked() const;
  bool pull_request() const;
  std::string_view title() const;
  std::string_view body() const;
  std::optional<User> user() const;
  std::optional<User> closed_by() const;
  std::optional<Time> created() const;
  std::optional<Time> updated() const;
  std::optional<Time> closed_at() const;
  /// In the order in which they were assigned.
  std::vector<User> assignees() const;
  /// In the order in which they came.
  Range<Label> labels() const;
  std::optional<Milestone> milestone() const;
  MilestoneKnown milestone_known() const;
  /// By time, then id; these and the events.
  Range<Comment> comments() const;
  Range<Event> events() const;
  /// By time; none if it is no pull request.
  Range<Review> reviews() const;
  /// Reviews that were logged, also if it is none.
  std::size_t reviews_stored() const;

  bool has_event(std::string_view type) const;
  bool has_label(std::string_view name) const;
  bool has_label(std::int64_t id) const;
  /// The latest of updated() and its events' and reviews' times.
  std::optional<Time> last_modified() const;
  std::optional<Time> last_event() const;
  /// Up to what time of GitHub's clock these are all there.
  std::optional<Time> comments_synced_as_of() const;
  std::optional<Time> events_synced_as_of() const;
  std::optional<Time> reviews_synced_as_of() const;

  /// Not for use from outside. `place` is in a list of issues.
  Issue(const State& state, std::uint32_t number) : Thing(state, number) {}
  static Issue at(const State& state, std::uint32_t place);
};

class Repo : public Thing {
 public:
  std::string_view owner() const;
  std::string_view name() const;
  std::string id() const { return std::string(owner()) + "/" + std::string(name()); }
  /// May be one that does not exist.
  std::optional<Issue> issue(std::int32_t number) const;
  /// By number; with pull requests, and with those that do not exist.
  Range<Issue> issues() const;
  /// In the order in which they were seen.
  Range<Label> labels() const;
  Range<Milestone> milestones() const;

  /// Not for use from outside.
  Repo(const State& state, std::uint32_t number) : Thing(state, number) {}
  static Repo at(const State& state, std::uint32_t number) { return {state, number}; }
};

class GitHub {
 public:
  /// As it is written, capital letters and all.
  std::optional<Repo> repo(std::string_view owner, std::string_view name) const;
  /// By owner, then name.
  std::vector<Repo> repos() const;
  std::optional<User> user(std::int64_t id) const;
  /// In the order in which they were seen.
  Range<User> users() const;
  Range<Team> teams() const;

  /// Not for use from outside.
  explicit GitHub(const State& state) : state_(&state) {}

 private:
  const State* state_;
};

// ---- Gerrit

class Change;
class Project;

/// From a label to who voted, by e-mail address, and how.
using Votes = std::map<std::string, std::map<std::string, std::int8_t>>;

/// Something that was done to a change: a commit of its "meta" branch.
class Meta {
 public:
  Commit commit() const { return commit_; }
  std::string_view footer() const { return footer_of(commit_.message()); }
  /// Empty if it has none. Says what program did it, and what it did.
  std::string_view action_tag() const { return action_tag_of(commit_.message()); }
  /// Which the change has from here on.
  std::string_view hashtags() const;
  std::optional<HashtagEdits> hashtag_edits() const { return hashtag_edits_in(commit_.message()); }
  /// Up to here. It is an approximation: what a project has configured is not known. Throws QueryError if it names a
  /// patch set that is not known.
  Votes label_votes() const;
  Change change() const;

  /// Not for use from outside.
  Meta(const Commit& commit, const State& state, std::uint32_t change, std::uint32_t index)
      : commit_(commit), state_(&state), change_(change), index_(index) {}

 private:
  Commit commit_;
  const State* state_;
  std::uint32_t change_, index_;
};

/// What somebody said about a patch set.
struct Message {
  Commit meta;
  std::int32_t patch_set = 0;
  std::string_view text;
  PersonAndTime author;  ///< and when it was said: the time of the commit
};

/// All hashtags, separated by commas, as separate ones.
std::vector<std::string_view> split_hashtags(std::string_view hashtags);

/// A change ("CL").
class Change : public Thing {
 public:
  Project project() const;
  std::int32_t number() const;
  /// Of its latest patch set; from 1 on.
  std::int32_t version() const;
  /// That patch set.
  Commit commit() const;
  std::optional<Commit> commit_at(std::int32_t version) const;
  /// The latest.
  Meta meta() const { return metas().back(); }
  /// From the oldest; at least one.
  std::vector<Meta> metas() const;
  ChangeStatus status() const;
  bool is_private() const;
  bool work_in_progress() const;
  PersonAndTime created() const;
  std::string_view branch() const;
  std::string subject() const { return subject_of(commit().message()); }
  std::string_view change_id() const { return change_id_of(commit().message()); }
  /// What the first line "KEY: ..." of the message says, wherever it stands; empty if there is none. `key` ends with
  /// ":".
  std::string_view footer(std::string_view key) const;
  /// The author of patch set 1; nothing if that is not known.
  std::optional<PersonAndTime> owner() const;
  /// The owner's number; -1 if it is not known.
  std::int64_t owner_id() const;
  std::string_view hashtags() const { return meta().hashtags(); }
  /// From the oldest.
  std::vector<Message> messages() const;
  /// Issues that the latest patch set's message names.
  std::vector<IssueReference> issues() const;
  bool references(std::string_view owner, std::string_view repo, std::int32_t number) const;

  /// Not for use from outside.
  Change(const State& state, std::uint32_t number) : Thing(state, number) {}
};

/// A branch, a tag, or another name.
struct NamedCommit {
  std::string_view name;
  Commit commit;

  /// Not for use from outside.
  static NamedCommit at(const State& state, std::uint32_t place);
};

class Project : public Thing {
 public:
  /// "go.googlesource.com/build".
  std::string_view full_name() const;
  std::string_view server() const;
  std::string_view name() const;
  /// Those of changes are not here.
  std::optional<Commit> ref(std::string_view name) const;
  /// By name.
  Range<NamedCommit> refs() const;
  /// Nothing also if too little of it is known: a patch set, or what was done.
  std::optional<Change> change(std::int32_t number) const;
  /// By number; without those of which too little is known.
  std::vector<Change> changes() const;
  /// Of them those that are neither merged nor abandoned nor drafts nor private.
  std::vector<Change> open_changes() const;
  /// With those of which too little is known.
  std::size_t changes_seen() const;
  /// One of this project's. Throws QueryError, which says why, if there is none.
  Commit commit(std::string_view hex) const;
  std::size_t commits_seen() const;
  /// Commits that others have as parents, and that have not been seen.
  std::size_t commits_needed() const;
  /// Of its changes' metas, those with votes.
  std::uint64_t label_changes() const;

  /// Not for use from outside.
  Project(const State& state, std::uint32_t number) : Thing(state, number) {}
};

class Gerrit {
 public:
  /// `server` may be a URL, and that of the review server.
  std::optional<Project> project(std::string_view server, std::string_view name) const;
  /// By name.
  std::vector<Project> projects() const;

  /// Not for use from outside.
  explicit Gerrit(const State& state) : state_(&state) {}

 private:
  const State* state_;
};

/// "go.googlesource.com" of "https://go-review.googlesource.com/".
std::string normalized_server(std::string_view server);

// ---- all of it

class View {
 public:
  View(const View& other) noexcept;
  View(View&& other) noexcept : pinned_(std::exchange(other.pinned_, nullptr)) {}
  View& operator=(View other) noexcept {
    std::swap(pinned_, other.pinned_);
    return *this;
  }
  ~View();

  GitHub github() const { return GitHub(state()); }
  Gerrit gerrit() const { return Gerrit(state()); }
  /// By 40 hexadecimal digits, of either case. May be a placeholder.
  std::optional<Commit> commit(std::string_view hex) const;
  /// In the order in which they were seen, or named as parents.
  Range<Commit> commits() const;
  /// Hashes that commits had in Mercurial, each with its commit.
  std::vector<std::pair<std::string_view, Commit>> mercurial_commits() const;
  /// How many people commits name as authors, committers and reviewers. Reads all commits.
  std::size_t count_people() const;
  /// What is missing for this to be whole, the first thing of it; nothing if it is.
  std::optional<std::string> check() const;
  /// How many mutations it is made of.
  std::uint64_t mutations() const;
  /// A number that is larger for each view with more in it.
  std::uint64_t version() const;

  /// Not for use from outside.
  explicit View(PinnedState* pinned) noexcept : pinned_(pinned) {}

 private:
  friend struct Find;
  const State& state() const noexcept;

  PinnedState* pinned_;
};

}  // namespace maintner
