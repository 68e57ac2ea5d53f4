// How it works: each row, and each list that a row has, is copied to where nothing is between them.
#include "compact.h"

#include "sections.h"

namespace maintner {

namespace {

/// The rows of a table, with their lists moved by `move`.
template <class Row, class Move>
Table<Row> copied(const Table<Row>& from, const Move& move) {
  Table<Row> to;
  to.begin_batch(0);
  for (std::uint32_t i = 0; i < from.size(); ++i) {
    Row row = from[i];
    move(row);
    to.append(row);
  }
  return to;
}

template <class Item>
auto mover(const Lists<Item>& from, Lists<Item>& to) {
  return [&from, &to](List& list) {
    const List before = list;
    to.assign(list, from[before]);
  };
}

/// Whether more is wasted than half of what is used; a little does not count.
template <class Part>
bool is_wasteful(const Part& part) {
  constexpr std::uint32_t kLittle = 4096;
  if constexpr (requires { part.rows_used(); }) return part.wasted() > part.size() / 2 + kLittle;
  if constexpr (requires { part.items_used(); })
    return part.wasted() > (part.items_used() - part.wasted()) / 2 + kLittle;
  return false;
}

constexpr auto kNothing = [](auto&) {};

GithubState compacted(const GithubState& from) {
  GithubState to = from;  // the indexes stay
  to.numbers = {};
  to.comments = {};
  to.events = {};
  to.reviews = {};
  const auto numbers = mover(from.numbers, to.numbers);
  const auto comments = mover(from.comments, to.comments);
  const auto events = mover(from.events, to.events);
  const auto reviews = mover(from.reviews, to.reviews);
  to.users = copied(from.users, kNothing);
  to.teams = copied(from.teams, kNothing);
  to.labels = copied(from.labels, kNothing);
  to.milestones = copied(from.milestones, kNothing);
  to.repos = copied(from.repos, [&](RepoRow& row) {
    numbers(row.issues);
    numbers(row.labels);
    numbers(row.milestones);
  });
  to.issues = copied(from.issues, [&](IssueRow& row) {
    numbers(row.assignees);
    numbers(row.labels);
    comments(row.comments);
    events(row.events);
    reviews(row.reviews);
  });
  return to;
}

GitState compacted(const GitState& from) {
  GitState to = from;
  to.numbers = {};
  to.parents = {};
  to.refs = {};
  to.patch_sets = {};
  to.issue_refs = {};
  const auto numbers = mover(from.numbers, to.numbers);
  const auto refs = mover(from.refs, to.refs);
  const auto patch_sets = mover(from.patch_sets, to.patch_sets);
  const auto issue_refs = mover(from.issue_refs, to.issue_refs);
  to.commits = copied(from.commits, [&](CommitRow& row) {
    if (row.parent == kNone || (row.parent & CommitRow::kMore) == 0) return;
    List all;
    to.parents.append(all, 0);
    for_each_parent(from, row, [&](std::uint32_t parent) { to.parents.append(all, parent); });
    to.parents.edit(all)[0] = all.size - 1;
    row.parent = CommitRow::kMore | all.begin;
  });
  to.hg = copied(from.hg, kNothing);
  to.projects = copied(from.projects, [&](ProjectRow& row) {
    refs(row.refs);
    numbers(row.changes);
  });
  to.changes = copied(from.changes, [&](ChangeRow& row) {
    patch_sets(row.patch_sets);
    numbers(row.metas);
    issue_refs(row.issues);
  });
  to.also_in = copied(from.also_in, kNothing);
  return to;
}

bool is_wasteful(const GithubState& state) {
  bool found = false;
  visit_github(state, [&](const char*, const auto& part) { found = found || is_wasteful(part); });
  return found;
}
bool is_wasteful(const GitState& state) {
  bool found = false;
  visit_git(state, [&](const char*, const auto& part) { found = found || is_wasteful(part); });
  return found;
}

}  // namespace

bool is_wasteful(const State& state) { return is_wasteful(state.github) || is_wasteful(state.git); }

void tidy(State& state) {
  if (is_wasteful(state.github)) state.github = compacted(state.github);
  if (is_wasteful(state.git)) state.git = compacted(state.git);
}

State compacted(const State& state) {
  State result = state;
  result.github = compacted(state.github);
  result.git = compacted(state.git);
  return result;
}

}  // namespace maintner
