// The indexes of a corpus. Each is made when somebody asks for it first, for the state that is asked. That for another
// state is a copy of it to which is added what the rows that are not the same have there. What they had elsewhere stays
// in it: an index says which rows may be meant, of each state that it was made for.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "postings.h"
#include "state.h"

namespace maintner {

/// Users by login.
class LoginIndex {
 public:
  static const Table<UserRow>& table(const State& state) { return state.github.users; }
  void begin_batch(std::uint64_t batch, bool alone) { logins_.begin_batch(batch, alone); }
  void add(const State& state, std::uint32_t user);
  std::span<const std::uint32_t> users(std::string_view login) const { return logins_.rows_of(hash_of(login)); }

 private:
  Postings logins_;
};

/// Issues by what they have, those of each repository apart. Labels, milestones and users are numbers of rows: what
/// they are called may change.
class IssueIndex {
 public:
  enum class By : std::uint8_t { label, milestone, assignee, author };

  static const Table<IssueRow>& table(const State& state) { return state.github.issues; }
  void begin_batch(std::uint64_t batch, bool alone);
  void add(const State& state, std::uint32_t issue);
  /// With `open` those that are, otherwise all.
  std::span<const std::uint32_t> issues(std::uint32_t repo, By by, std::uint32_t what, bool open) const;

 private:
  Postings all_, open_;
};

/// Changes by what they have, those of each project apart. A person is there by name, mail and account.
class ChangeIndex {
 public:
  enum class By : std::uint8_t { status, owner, branch, hashtag, reviewer };

  static const Table<ChangeRow>& table(const State& state) { return state.git.changes; }
  void begin_batch(std::uint64_t batch, bool alone) { postings_.begin_batch(batch, alone); }
  void add(const State& state, std::uint32_t change);
  std::span<const std::uint32_t> changes(std::uint32_t project, By by, std::string_view name) const;

 private:
  void add(std::uint32_t project, By by, std::string_view name, std::uint32_t change);

  Postings postings_;
};

/// Commits by author and time.
class CommitIndex {
 public:
  static const Table<CommitRow>& table(const State& state) { return state.git.commits; }
  void begin_batch(std::uint64_t batch, bool alone);
  void add(const State& state, std::uint32_t commit);
  void end_batch();
  std::span<const std::uint32_t> commits(std::string_view author) const { return authors_.rows_of(hash_of(author)); }
  /// When it was committed; of those that are no placeholders.
  std::int64_t time(std::uint32_t commit) const { return times_[commit].seconds; }
  /// Calls `each` with commits, the newest first, from the first that is older than `until`, until it says that it has
  /// enough. Of those of one second, the one seen first comes first.
  template <class Each>
  void newest_first(std::int64_t until, const Each& each) const {
    const auto before = [](const Timed& a, std::int64_t b) { return a.seconds < b; };
    auto old = std::lower_bound(old_->begin(), old_->end(), until, before);
    auto fresh = std::lower_bound(fresh_.begin(), fresh_.end(), until, before);
    while (old != old_->begin() || fresh != fresh_.begin()) {
      const bool take_old = fresh == fresh_.begin() || (old != old_->begin() && *(fresh - 1) < *(old - 1));
      if (!each((take_old ? *--old : *--fresh).commit)) return;
    }
  }

 private:
  struct Timed {
    std::int64_t seconds;
    std::uint32_t commit;
    friend bool operator<(const Timed& a, const Timed& b) noexcept {
      return a.seconds != b.seconds ? a.seconds < b.seconds : a.commit > b.commit;
    }
    friend bool operator==(const Timed&, const Timed&) = default;
  };
  struct TimeRow {
    std::int64_t seconds;
  };

  Postings authors_;
  Table<TimeRow> times_;
  std::shared_ptr<const std::vector<Timed>> old_ = std::make_shared<std::vector<Timed>>();
  std::vector<Timed> fresh_, added_;
};

/// Commits by the files that they changed.
class PathIndex {
 public:
  static const Table<CommitRow>& table(const State& state) { return state.git.commits; }
  void begin_batch(std::uint64_t batch, bool alone);
  void add(const State& state, std::uint32_t commit);
  std::span<const std::uint32_t> commits(std::string_view path) const { return paths_.rows_of(hash_of(path)); }
  /// Those that changed files in a directory, in order.
  std::vector<std::uint32_t> commits_below(const State& state, std::string_view directory) const;

 private:
  struct NameRow {
    Ref name;  ///< of list of this number in paths_
  };
  Postings paths_;
  Table<NameRow> names_;
};

/// Where a state has its own index, once somebody has asked for it.
template <class Index>
struct IndexSlot {
  std::atomic<const Index*> ready{nullptr};
  std::shared_ptr<const Index> owner;
};

/// One index of all states of a corpus.
template <class Index>
class KeptIndex {
 public:
  /// That for `state`, whose `slot` is given.
  const Index& of(const State& state, IndexSlot<Index>& slot) {
    if (const Index* const ready = slot.ready.load(std::memory_order_acquire)) return *ready;
    const std::lock_guard making(making_);
    if (slot.owner == nullptr) slot.owner = make(state);
    slot.ready.store(slot.owner.get(), std::memory_order_release);
    return *slot.owner;
  }
  /// `after` is about to follow `before`.
  void note(const State& before, const State& after) {
    const std::lock_guard lock(noting_);
    if (!wanted_) return;
    Noted& noted = noted_.emplace_back(Noted{after.batch, {}});
    Index::table(after).for_each_changed(Index::table(before), [&](std::uint32_t row) { noted.rows.push_back(row); });
    noted_rows_ += noted.rows.size();
    for (; noted_rows_ > kMostNoted; noted_.pop_front()) noted_rows_ -= noted_.front().rows.size();
  }

 private:
  static constexpr std::size_t kMostNoted = 1 << 18;
  struct Noted {
    std::uint64_t batch;
    std::vector<std::uint32_t> rows;  ///< that changed from the one before to this
  };

  std::shared_ptr<const Index> make(const State& state) {
    const bool is_newer = newest_ == nullptr || state.batch > last_;
    if (const auto changed = changed_from_newest(state.batch)) {
      const auto index = std::make_shared<Index>(*newest_);
      index->begin_batch(++batches_, false);
      add(state, *changed, *index);
      newest_ = index;
      if (is_newer) last_ = state.batch;
      return index;
    }
    std::vector<std::uint32_t> all(Index::table(state).size());
    std::iota(all.begin(), all.end(), 0);
    const auto index = std::make_shared<Index>();
    index->begin_batch(++batches_, true);
    add(state, all, *index);
    if (is_newer) {
      newest_ = index;
      last_ = state.batch;
    }
    return index;
  }

  static void add(const State& state, const std::vector<std::uint32_t>& rows, Index& index) {
    const std::uint32_t size = Index::table(state).size();
    for (const std::uint32_t row : rows)
      if (row < size) index.add(state, row);
    if constexpr (requires { index.end_batch(); }) index.end_batch();
  }

  /// The rows that may be others in the state of that batch than in the one that newest_ was made for last, in order.
  /// Nothing if that is not known.
  std::optional<std::vector<std::uint32_t>> changed_from_newest(std::uint64_t batch) {
    const std::lock_guard lock(noting_);
    wanted_ = true;
    if (newest_ == nullptr) return std::nullopt;
    const std::uint64_t after = std::min(batch, last_), upto = std::max(batch, last_);
    std::vector<std::uint32_t> rows;
    std::uint64_t known = after;
    for (const Noted& noted : noted_) {
      if (noted.batch <= after || noted.batch > upto) continue;
      if (noted.batch != ++known) return std::nullopt;
      rows.insert(rows.end(), noted.rows.begin(), noted.rows.end());
    }
    if (known != upto) return std::nullopt;
    std::sort(rows.begin(), rows.end());
    rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
    return rows;
  }

  std::mutex making_;
  std::shared_ptr<const Index> newest_;
  std::uint64_t last_ = 0;  ///< the batch of the newest state that newest_ is of
  std::uint64_t batches_ = 0;

  std::mutex noting_;  ///< of what is below; never held for long
  bool wanted_ = false;
  std::deque<Noted> noted_;
  std::size_t noted_rows_ = 0;
};

struct IndexSlots {
  IndexSlot<LoginIndex> logins;
  IndexSlot<IssueIndex> issues;
  IndexSlot<ChangeIndex> changes;
  IndexSlot<CommitIndex> commits;
  IndexSlot<PathIndex> paths;
};

/// For any number of threads, but note(), which is for one.
class Indexes {
 public:
  const LoginIndex& logins(const State& state) { return logins_.of(state, state.slots->logins); }
  const IssueIndex& issues(const State& state) { return issues_.of(state, state.slots->issues); }
  const ChangeIndex& changes(const State& state) { return changes_.of(state, state.slots->changes); }
  const CommitIndex& commits(const State& state) { return commits_.of(state, state.slots->commits); }
  const PathIndex& paths(const State& state) { return paths_.of(state, state.slots->paths); }

  void note(const State& before, const State& after) {
    logins_.note(before, after);
    issues_.note(before, after);
    changes_.note(before, after);
    commits_.note(before, after);
    paths_.note(before, after);
  }

 private:
  KeptIndex<LoginIndex> logins_;
  KeptIndex<IssueIndex> issues_;
  KeptIndex<ChangeIndex> changes_;
  KeptIndex<CommitIndex> commits_;
  KeptIndex<PathIndex> paths_;
};

}  // namespace maintner
