// What a corpus knows, as tables of rows. Texts stay in the log: a row has where they lie there.
#pragma once

#include <maintner/meta_text.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_set>

#include "hash_index.h"
#include "log_space.h"
#include "table.h"

namespace maintner {

/// Bytes in a LogSpace: where, in the lower 36 bits, and how many.
struct Ref {
  static constexpr std::uint64_t kMaxSize = (std::uint64_t{1} << 28) - 1;
  std::uint64_t bits = 0;

  std::uint64_t position() const noexcept { return bits & (LogSpace::kCapacity - 1); }
  std::size_t size() const noexcept { return bits >> 36U; }
  static Ref of(std::uint64_t position, std::size_t size) noexcept {
    return {position | static_cast<std::uint64_t>(size) << 36U};
  }
};
static_assert(LogSpace::kCapacity == std::uint64_t{1} << 36);

/// A time, or none, in 12 bytes.
struct StoredTime {
  std::array<std::uint32_t, 3> words{0, std::uint32_t{1} << 31U, 0};

  bool is_set() const noexcept { return seconds() != std::numeric_limits<std::int64_t>::min(); }
  std::int64_t seconds() const noexcept { return static_cast<std::int64_t>(std::uint64_t{words[1]} << 32U | words[0]); }
  std::int32_t nanos() const noexcept { return static_cast<std::int32_t>(words[2]); }
  static StoredTime of(std::int64_t seconds, std::int32_t nanos) noexcept {
    const auto bits = static_cast<std::uint64_t>(seconds);
    return {
        {static_cast<std::uint32_t>(bits), static_cast<std::uint32_t>(bits >> 32U), static_cast<std::uint32_t>(nanos)}};
  }
  friend bool operator<(const StoredTime& a, const StoredTime& b) noexcept {
    return a.seconds() != b.seconds() ? a.seconds() < b.seconds() : a.nanos() < b.nanos();
  }
  friend bool operator==(const StoredTime& a, const StoredTime& b) noexcept { return a.words == b.words; }
};

inline constexpr std::uint32_t kNone = UINT32_MAX;

// ---- GitHub

struct UserRow {
  std::int64_t id;
  Ref login;
};
struct TeamRow {
  std::int64_t id;
  Ref slug;
};
struct LabelRow {
  std::int64_t id;
  Ref name;
  std::uint32_t repo, unused;
};
struct MilestoneRow {
  std::int64_t id, number;
  Ref title;
  std::uint32_t repo, closed;
};
struct RepoRow {
  Ref owner, name;
  List issues;              ///< of numbers of rows, sorted by the issues' numbers
  List labels, milestones;  ///< of numbers of rows
  std::uint32_t unused;
};
struct IssueRow {
  enum Flag : std::uint8_t { not_exist = 1, closed = 2, locked = 4, pull_request = 8 };
  enum class MilestoneKnown : std::uint8_t { unknown, none, one };

  std::int64_t id = 0;
  Ref title, body;
  std::int32_t number = 0;
  std::uint32_t repo = 0;
  std::uint32_t user = kNone, closed_by = kNone, milestone = kNone;
  List assignees, labels;  ///< of numbers of rows
  List comments, events, reviews;
  StoredTime created, updated, closed_at, events_until;
  StoredTime comments_as_of, events_as_of, reviews_as_of;
  std::uint8_t flags = 0;
  MilestoneKnown milestone_known = MilestoneKnown::unknown;
  std::uint16_t unused = 0;
  /// Ids over these are new.
  std::int64_t largest_comment = 0, largest_event = 0, largest_review = 0;

  bool is(Flag flag) const noexcept { return (flags & flag) != 0; }
  void set(Flag flag, bool value) noexcept { flags = static_cast<std::uint8_t>(value ? flags | flag : flags & ~flag); }
};
/// In their issue's list in the order of `created`, then `id`; so are the two below.
struct CommentRow {
  std::int64_t id = 0;
  Ref body;
  StoredTime created, updated;
  std::uint32_t user = kNone, unused = 0;
};
struct EventRow {
  std::int64_t id = 0;
  Ref message;  ///< a GithubIssueEvent
  StoredTime created;
  std::uint32_t unused = 0;
};
struct ReviewRow {
  std::int64_t id = 0;
  Ref message;  ///< a GithubReview
  StoredTime created;
  std::uint32_t unused = 0;
};

// ---- git and Gerrit

/// What loading found in a commit's message, in case it is one of a change's "meta" branch.
struct MetaMark {
  static constexpr std::uint8_t kStatus = 7;  ///< 0: none, else ChangeStatus and 1
  static constexpr std::uint8_t kPrivate = 8, kNotPrivate = 16, kLabels = 32;
};
using Hash = std::array<char, 20>;
inline std::string_view view_of(const Hash& hash) noexcept { return {hash.data(), hash.size()}; }
inline std::uint64_t bits_of(const Hash& hash) noexcept {
  std::uint64_t bits = 0;
  std::memcpy(&bits, hash.data() + 8, sizeof bits);
  return bits;
}

struct CommitRow {
  static constexpr std::uint32_t kMore = std::uint32_t{1} << 31U;
  static constexpr std::uint16_t kOtherProjects = UINT16_MAX;

  Hash hash{};
  /// The only parent; or kMore and the place of a list of parents: their count, then their numbers.
  std::uint32_t parent = kNone;
  Ref raw;                    ///< empty: not seen yet, only named as a parent
  Ref diff;                   ///< a GitDiffTree
  std::uint32_t message = 0;  ///< where in `raw` it begins
  std::uint16_t project = 0;  ///< that has it, and 1, or kOtherProjects; others that do are in GitState::also_in
  std::uint8_t meta = 0;      ///< of MetaMark
  std::uint8_t files_unsorted = 0;

  bool is_placeholder() const noexcept { return raw.size() == 0; }
};
struct HgRow {
  Ref hg;
  std::uint32_t commit, unused;
};
struct ProjectRow {
  Ref name;      ///< host/name
  List refs;     ///< sorted by name
  List changes;  ///< of numbers of rows, sorted by the changes' numbers
  std::uint32_t commits = 0, unused = 0;
  std::uint64_t label_changes = 0;
};
struct RefRow {
  Ref name;
  std::uint32_t commit, unused;
};
struct PatchSetRow {
  std::int32_t version;
  std::uint32_t commit;
};
struct IssueRefRow {
  Ref owner, repo;
  std::int32_t number, unused;
};
struct ChangeRow {
  std::int32_t number = 0, version = 0;
  std::uint32_t project = 0;
  std::uint32_t commit = kNone, meta = kNone;
  List patch_sets;  ///< sorted by version
  List metas;       ///< of numbers of commits, from the oldest
  List issues;
  std::uint32_t labels = 0;  ///< of metas that have some
  std::uint8_t status = static_cast<std::uint8_t>(ChangeStatus::new_);
  bool is_private = false, waits = false;  ///< waits: its metas are to be looked at
  std::uint8_t unused = 0;

  bool is_complete() const noexcept { return meta != kNone && metas.size > 0 && commit != kNone; }
};
/// Of a project and a commit.
struct PairRow {
  std::uint32_t project, commit;
  std::uint64_t key() const noexcept { return std::uint64_t{project} << 32U | commit; }
};

/// A set that copies share until one of them changes.
class SharedSet {
 public:
  std::size_t size() const noexcept { return set_ ? set_->size() : 0; }
  bool contains(std::uint64_t key) const { return set_ && set_->contains(key); }
  void begin_batch() noexcept { own_ = false; }
  void insert(std::uint64_t key) {
    if (!contains(key)) changed().insert(key);
  }
  void erase(std::uint64_t key) {
    if (contains(key)) changed().erase(key);
  }
  const std::unordered_set<std::uint64_t>& all() const {
    static const std::unordered_set<std::uint64_t> nothing;
    return set_ ? *set_ : nothing;
  }

 private:
  std::unordered_set<std::uint64_t>& changed() {
    if (!own_)
      set_ = set_ ? std::make_shared<std::unordered_set<std::uint64_t>>(*set_)
                  : std::make_shared<std::unordered_set<std::uint64_t>>();
    own_ = true;
    return *set_;
  }

  std::shared_ptr<std::unordered_set<std::uint64_t>> set_;
  bool own_ = false;
};

/// What applying GitHub's mutations changes.
struct GithubState {
  Table<UserRow> users;
  Table<TeamRow> teams;
  Table<LabelRow> labels;
  Table<MilestoneRow> milestones;
  Table<RepoRow> repos;
  Table<IssueRow> issues;
  Lists<std::uint32_t> numbers;
  Lists<CommentRow> comments;
  Lists<EventRow> events;
  Lists<ReviewRow> reviews;
  HashIndex user_index, team_index, label_index, milestone_index, repo_index, issue_index;
};

/// What applying git's and Gerrit's changes.
struct GitState {
  Table<CommitRow> commits;
  Table<HgRow> hg;
  Table<ProjectRow> projects;
  Table<ChangeRow> changes;
  Table<PairRow> also_in;
  Lists<std::uint32_t> numbers, parents;
  Lists<RefRow> refs;
  Lists<PatchSetRow> patch_sets;
  Lists<IssueRefRow> issue_refs;
  HashIndex commit_index, project_index, change_index, also_in_index;
  SharedSet needed;  ///< of PairRow::key(): commits that a project's others have as parents, and it has not
};

class Indexes;
struct IndexSlots;
std::shared_ptr<Indexes> no_indexes();
std::shared_ptr<IndexSlots> no_slots();

/// A corpus at one moment. It does not change any more once a View has it.
struct State {
  std::shared_ptr<LogSpace> space = std::make_shared<LogSpace>();
  GithubState github;
  GitState git;
  std::uint64_t mutations = 0;
  std::uint64_t batch = 0;
  std::shared_ptr<Indexes> indexes = no_indexes();  ///< of all states of the corpus
  std::shared_ptr<IndexSlots> slots = no_slots();   ///< of this one

  std::string_view text(Ref ref) const noexcept { return {space->at(ref.position()), ref.size()}; }
  Ref ref_of(std::string_view text) const noexcept {
    return text.empty() ? Ref{} : Ref::of(space->position_of(text.data()), text.size());
  }
};

// ---- keys of the indexes

inline std::uint64_t hash_of(std::uint64_t a, std::uint64_t b) noexcept { return mixed(mixed(a) ^ b); }
std::uint64_t hash_of(std::string_view text) noexcept;
std::uint64_t hash_of(std::string_view a, std::string_view b) noexcept;

std::optional<std::uint32_t> find_user(const GithubState& state, std::int64_t id);
std::optional<std::uint32_t> find_repo(const State& state, std::string_view owner, std::string_view name);
std::optional<std::uint32_t> find_issue(const GithubState& state, std::uint32_t repo, std::int32_t number);
std::optional<std::uint32_t> find_commit(const GitState& state, const Hash& hash);
std::optional<std::uint32_t> find_project(const State& state, std::string_view name);
std::optional<std::uint32_t> find_change(const GitState& state, std::uint32_t project, std::int32_t number);
bool project_has(const GitState& state, std::uint32_t project, std::uint32_t commit);

/// Of 40 hexadecimal digits.
std::optional<Hash> hash_from(std::string_view hex) noexcept;

/// The commits that a commit has as its parents, in order. `each` takes their numbers.
template <class Each>
void for_each_parent(const GitState& state, const CommitRow& commit, const Each& each) {
  if (commit.parent == kNone) return;
  if ((commit.parent & CommitRow::kMore) == 0) return each(commit.parent);
  const std::uint32_t begin = commit.parent & ~CommitRow::kMore;
  const std::uint32_t count = state.parents[List{begin, 1, 1}][0];
  for (const std::uint32_t parent : state.parents[List{begin + 1, count, count}]) each(parent);
}

}  // namespace maintner
