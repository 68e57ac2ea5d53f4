#include "indexes.h"

#include <maintner/query.h>
#include <maintner/view.h>

#include <limits>

#include "person.h"

namespace maintner {

namespace {

constexpr std::int64_t kNoTime = std::numeric_limits<std::int64_t>::min();
constexpr std::size_t kMostFresh = 4096;  ///< commits that are copied for each state with new ones

std::uint64_t key_of(std::uint32_t owner, std::uint8_t by, std::uint64_t what) {
  return hash_of(std::uint64_t{owner} << 8U | by, what);
}

}  // namespace

std::shared_ptr<Indexes> no_indexes() { return std::make_shared<Indexes>(); }
std::shared_ptr<IndexSlots> no_slots() { return std::make_shared<IndexSlots>(); }

// ---- users

void LoginIndex::add(const State& state, std::uint32_t user) {
  logins_.add(hash_of(state.text(state.github.users[user].login)), user);
}

// ---- issues

void IssueIndex::begin_batch(std::uint64_t batch, bool alone) {
  all_.begin_batch(batch, alone);
  open_.begin_batch(batch, alone);
}

void IssueIndex::add(const State& state, std::uint32_t issue) {
  const IssueRow& row = state.github.issues[issue];
  if (row.is(IssueRow::not_exist)) return;
  const auto add = [&](By by, std::uint32_t what) {
    const std::uint64_t key = key_of(row.repo, static_cast<std::uint8_t>(by), what);
    all_.add(key, issue);
    if (!row.is(IssueRow::closed)) open_.add(key, issue);
  };
  for (const std::uint32_t label : state.github.numbers[row.labels]) add(By::label, label);
  for (const std::uint32_t user : state.github.numbers[row.assignees]) add(By::assignee, user);
  if (row.milestone != kNone) add(By::milestone, row.milestone);
  if (row.user != kNone) add(By::author, row.user);
}

std::span<const std::uint32_t> IssueIndex::issues(std::uint32_t repo, By by, std::uint32_t what, bool open) const {
  return (open ? open_ : all_).rows_of(key_of(repo, static_cast<std::uint8_t>(by), what));
}

// ---- changes

void ChangeIndex::add(std::uint32_t project, By by, std::string_view name, std::uint32_t change) {
  postings_.add(key_of(project, static_cast<std::uint8_t>(by), hash_of(name)), change);
}

void ChangeIndex::add(const State& state, std::uint32_t number) {
  const ChangeRow& row = state.git.changes[number];
  if (!row.is_complete()) return;
  const Change change(state, number);
  add(row.project, By::status, name_of(change.status()), number);
  add(row.project, By::branch, change.branch(), number);
  for (const std::string_view tag : split_hashtags(change.hashtags())) add(row.project, By::hashtag, tag, number);
  const auto add_person = [&](By by, std::string_view person) {
    for_each_name(person, [&](std::string_view name) { add(row.project, by, name, number); });
  };
  for (const std::string_view person : reviewers_of(change)) add_person(By::reviewer, person);
  if (const auto owner = change.owner()) add_person(By::owner, owner->person);
  add_person(By::owner, Commit(state, state.git.numbers[row.metas][0]).author().person);
}

std::span<const std::uint32_t> ChangeIndex::changes(std::uint32_t project, By by, std::string_view name) const {
  return postings_.rows_of(key_of(project, static_cast<std::uint8_t>(by), hash_of(name)));
}

// ---- commits

void CommitIndex::begin_batch(std::uint64_t batch, bool alone) {
  authors_.begin_batch(batch, alone);
  times_.begin_batch(batch);
}

void CommitIndex::add(const State& state, std::uint32_t number) {
  while (times_.size() <= number) times_.append({kNoTime});
  if (times_[number].seconds != kNoTime || state.git.commits[number].is_placeholder()) return;
  const CommitText text = Commit(state, number).text();
  // kNoTime is the time of none.
  const std::int64_t seconds = std::max(text.committer.seconds, kNoTime + 1);
  times_.edit(number).seconds = seconds;
  added_.push_back({seconds, number});
  for_each_name(text.author.person, [&](std::string_view name) { authors_.add(hash_of(name), number); });
}

void CommitIndex::end_batch() {
  std::sort(added_.begin(), added_.end());
  std::vector<Timed> merged;
  merged.reserve(fresh_.size() + added_.size());
  std::merge(fresh_.begin(), fresh_.end(), added_.begin(), added_.end(), std::back_inserter(merged));
  fresh_ = std::move(merged);
  added_ = {};
  if (fresh_.size() <= kMostFresh) return;
  const auto all = std::make_shared<std::vector<Timed>>();
  all->reserve(old_->size() + fresh_.size());
  std::merge(old_->begin(), old_->end(), fresh_.begin(), fresh_.end(), std::back_inserter(*all));
  old_ = all;
  fresh_ = {};
}

// ---- paths

void PathIndex::begin_batch(std::uint64_t batch, bool alone) {
  paths_.begin_batch(batch, alone);
  names_.begin_batch(batch);
}

void PathIndex::add(const State& state, std::uint32_t number) {
  for (const File& file : Commit(state, number).files()) {
    const std::uint32_t list = paths_.list_of(hash_of(file.name));
    if (list == names_.size()) names_.append({state.ref_of(file.name)});
    paths_.add_to(list, number);
  }
}

std::vector<std::uint32_t> PathIndex::commits_below(const State& state, std::string_view directory) const {
  std::vector<bool> below(state.git.commits.size());
  for (std::uint32_t list = 0; list < paths_.lists(); ++list) {
    if (!state.text(names_[list].name).starts_with(directory)) continue;
    for (const std::uint32_t commit : paths_[list])
      if (commit < below.size()) below[commit] = true;
  }
  std::vector<std::uint32_t> all;
  for (std::uint32_t commit = 0; commit < below.size(); ++commit)
    if (below[commit]) all.push_back(commit);
  return all;
}

}  // namespace maintner
