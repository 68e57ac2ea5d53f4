// How it works: the indexes say which rows may be meant. Of those that all of a question's parts name, each is looked
// at.
#include <maintner/query.h>

#include <algorithm>
#include <iterator>
#include <span>
#include <utility>

#include "find.h"
#include "indexes.h"
#include "person.h"

namespace maintner {

namespace {

using Rows = std::span<const std::uint32_t>;

/// Rows that are in all of several lists.
class Candidates {
 public:
  void among(Rows rows) { lists_.push_back(rows); }
  void among_any(std::vector<std::uint32_t> rows) {
    own_.push_back(std::move(rows));
    lists_.emplace_back(own_.back());
  }
  bool are_known() const noexcept { return !lists_.empty(); }
  /// Only those that were there when the table had `size` rows.
  std::vector<std::uint32_t> rows(std::uint32_t size) {
    std::sort(lists_.begin(), lists_.end(), [](Rows a, Rows b) { return a.size() < b.size(); });
    std::vector<std::uint32_t> both(lists_.front().begin(), lists_.front().end());
    for (std::size_t i = 1; i < lists_.size(); ++i) {
      std::vector<std::uint32_t> fewer;
      Rows rest = lists_[i];
      for (const std::uint32_t row : both) {
        rest = rest.subspan(static_cast<std::size_t>(std::lower_bound(rest.begin(), rest.end(), row) - rest.begin()));
        if (!rest.empty() && rest.front() == row) fewer.push_back(row);
      }
      both = std::move(fewer);
    }
    both.erase(std::lower_bound(both.begin(), both.end(), size), both.end());
    return both;
  }

 private:
  std::vector<Rows> lists_;
  std::vector<std::vector<std::uint32_t>> own_;
};

bool contains(Rows rows, std::uint32_t row) { return std::find(rows.begin(), rows.end(), row) != rows.end(); }

bool contains_any(Rows rows, const std::vector<std::uint32_t>& any) {
  return std::any_of(any.begin(), any.end(), [&](std::uint32_t row) { return contains(rows, row); });
}

std::vector<std::uint32_t> users_called(const State& state, std::string_view login) {
  std::vector<std::uint32_t> users;
  for (const std::uint32_t user : state.indexes->logins(state).users(login))
    if (user < state.github.users.size() && state.text(state.github.users[user].login) == login) users.push_back(user);
  return users;
}

/// What an IssueQuery asks for, as rows. Several labels of a repository may have one name, and several users one login.
struct IssueKeys {
  std::vector<std::vector<std::uint32_t>> labels;
  std::optional<std::vector<std::uint32_t>> milestones, assignees, authors;
};

IssueKeys keys_of(const State& state, const RepoRow& repo, const IssueQuery& query) {
  IssueKeys keys;
  const GithubState& github = state.github;
  for (const std::string& name : query.labels) {
    std::vector<std::uint32_t>& rows = keys.labels.emplace_back();
    for (const std::uint32_t label : github.numbers[repo.labels])
      if (state.text(github.labels[label].name) == name) rows.push_back(label);
  }
  if (!query.milestone.empty()) {
    keys.milestones.emplace();
    for (const std::uint32_t milestone : github.numbers[repo.milestones])
      if (state.text(github.milestones[milestone].title) == query.milestone) keys.milestones->push_back(milestone);
  }
  if (!query.assignee.empty()) keys.assignees = users_called(state, query.assignee);
  if (!query.author.empty()) keys.authors = users_called(state, query.author);
  return keys;
}

bool fits(const State& state, const IssueRow& issue, const IssueQuery& query, const IssueKeys& keys) {
  if (issue.is(IssueRow::not_exist)) return false;
  if (query.closed && *query.closed != issue.is(IssueRow::closed)) return false;
  if (query.pull_request && *query.pull_request != issue.is(IssueRow::pull_request)) return false;
  if (keys.milestones && !contains(*keys.milestones, issue.milestone)) return false;
  if (keys.authors && !contains(*keys.authors, issue.user)) return false;
  const Rows labels = state.github.numbers[issue.labels];
  for (const auto& any : keys.labels)
    if (!contains_any(labels, any)) return false;
  return !keys.assignees || contains_any(state.github.numbers[issue.assignees], *keys.assignees);
}

bool fits(const Change& change, const ChangeQuery& query) {
  if (change.is_private() && !query.with_private) return false;
  if (query.status && *query.status != change.status()) return false;
  if (!query.branch.empty() && change.branch() != query.branch) return false;
  if (!query.hashtag.empty()) {
    const auto tags = split_hashtags(change.hashtags());
    if (std::find(tags.begin(), tags.end(), query.hashtag) == tags.end()) return false;
  }
  if (!query.reviewer.empty()) {
    const auto all = reviewers_of(change);
    if (std::none_of(all.begin(), all.end(), [&](std::string_view who) { return is_called(who, query.reviewer); }))
      return false;
  }
  if (query.owner.empty()) return true;
  const auto owner = change.owner();
  return (owner && is_called(owner->person, query.owner)) ||
         is_called(change.metas().front().commit().author().person, query.owner);
}

/// The first second that is not before `time`.
std::int64_t second_from(Time time) { return time.nanos > 0 ? time.seconds + 1 : time.seconds; }

bool changes_path(const Commit& commit, std::string_view path) {
  const auto files = commit.files();
  return std::any_of(files.begin(), files.end(), [&](const File& file) {
    return path.ends_with('/') ? file.name.starts_with(path) : file.name == path;
  });
}

bool fits(const Commit& commit, const CommitQuery& query) {
  return !commit.is_placeholder() && (query.author.empty() || is_called(commit.author().person, query.author)) &&
         (query.path.empty() || changes_path(commit, query.path));
}

std::vector<Issue> issues_of(const State& state, std::uint32_t repo_row, const IssueQuery& query) {
  const RepoRow& repo = state.github.repos[repo_row];
  const IssueKeys keys = keys_of(state, repo, query);
  const bool open = query.closed && !*query.closed;
  Candidates candidates;
  const auto among = [&](const std::vector<std::uint32_t>& any, IssueIndex::By by) {
    const IssueIndex& index = state.indexes->issues(state);
    if (any.size() == 1) return candidates.among(index.issues(repo_row, by, any.front(), open));
    std::vector<std::uint32_t> all;
    for (const std::uint32_t each : any) {
      const Rows rows = index.issues(repo_row, by, each, open);
      all.insert(all.end(), rows.begin(), rows.end());
    }
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    candidates.among_any(std::move(all));
  };
  for (const auto& any : keys.labels) among(any, IssueIndex::By::label);
  if (keys.milestones) among(*keys.milestones, IssueIndex::By::milestone);
  if (keys.assignees) among(*keys.assignees, IssueIndex::By::assignee);
  if (keys.authors) among(*keys.authors, IssueIndex::By::author);

  std::vector<Issue> found;
  if (!candidates.are_known()) {
    for (const std::uint32_t row : state.github.numbers[repo.issues])
      if (fits(state, state.github.issues[row], query, keys)) found.emplace_back(state, row);
    return found;
  }
  std::vector<std::pair<std::int32_t, std::uint32_t>> rows;  // by number
  for (const std::uint32_t row : candidates.rows(state.github.issues.size())) {
    const IssueRow& issue = state.github.issues[row];
    if (fits(state, issue, query, keys)) rows.emplace_back(issue.number, row);
  }
  std::sort(rows.begin(), rows.end());
  found.reserve(rows.size());
  for (const auto& [number, row] : rows) found.emplace_back(state, row);
  return found;
}

std::vector<Change> changes_of(const State& state, std::uint32_t project, const ChangeQuery& query) {
  using By = ChangeIndex::By;
  Candidates candidates;
  const auto among = [&](By by, std::string_view name) {
    if (!name.empty()) candidates.among(state.indexes->changes(state).changes(project, by, name));
  };
  if (query.status) among(By::status, name_of(*query.status));
  among(By::owner, query.owner);
  among(By::branch, query.branch);
  among(By::hashtag, query.hashtag);
  among(By::reviewer, query.reviewer);
  if (!candidates.are_known()) {
    const Rows all = state.git.numbers[state.git.projects[project].changes];
    std::vector<std::uint32_t> sorted(all.begin(), all.end());
    std::sort(sorted.begin(), sorted.end());
    candidates.among_any(std::move(sorted));
  }
  std::vector<Change> found;
  for (const std::uint32_t row : candidates.rows(state.git.changes.size())) {
    const Change change(state, row);
    if (state.git.changes[row].is_complete() && fits(change, query)) found.push_back(change);
  }
  std::sort(found.begin(), found.end(), [](const Change& a, const Change& b) { return a.number() < b.number(); });
  return found;
}

std::vector<Commit> commits_of(const State& state, const CommitQuery& query) {
  const std::int64_t until = query.until ? second_from(*query.until) : INT64_MAX;
  const std::int64_t from = query.from ? second_from(*query.from) : INT64_MIN;
  const CommitIndex& index = state.indexes->commits(state);
  const std::uint32_t size = state.git.commits.size();
  std::vector<Commit> found;
  if (query.limit == 0) return found;
  const auto take = [&](std::uint32_t row) {
    if (row >= size) return true;
    if (index.time(row) < from) return false;
    const Commit commit(state, row);
    if (fits(commit, query)) found.push_back(commit);
    return found.size() < query.limit;
  };
  Candidates candidates;
  if (!query.author.empty()) candidates.among(index.commits(query.author));
  if (query.path.ends_with('/'))
    candidates.among_any(state.indexes->paths(state).commits_below(state, query.path));
  else if (!query.path.empty())
    candidates.among(state.indexes->paths(state).commits(query.path));
  if (!candidates.are_known()) {
    index.newest_first(until, take);
    return found;
  }
  // The newest of all are taken first, by a heap: mostly not all are wanted.
  struct Timed {
    std::int64_t seconds;
    std::uint32_t row;
    bool operator<(const Timed& other) const {
      return seconds != other.seconds ? seconds < other.seconds : row > other.row;
    }
  };
  std::vector<Timed> heap;
  for (const std::uint32_t row : candidates.rows(size))
    if (const std::int64_t seconds = index.time(row); seconds < until) heap.push_back({seconds, row});
  std::make_heap(heap.begin(), heap.end());
  while (!heap.empty() && take(heap.front().row)) {
    std::pop_heap(heap.begin(), heap.end());
    heap.pop_back();
  }
  return found;
}

}  // namespace

std::vector<Issue> find_issues(const Repo& repo, const IssueQuery& query) {
  return issues_of(Find::state_of(repo), Find::row_of(repo), query);
}

std::vector<Change> find_changes(const Project& project, const ChangeQuery& query) {
  return changes_of(Find::state_of(project), Find::row_of(project), query);
}

std::vector<Commit> find_commits(const View& view, const CommitQuery& query) {
  return commits_of(Find::state_of(view), query);
}

std::optional<User> find_user(const View& view, std::string_view login) {
  const State& state = Find::state_of(view);
  const std::vector<std::uint32_t> users = users_called(state, login);
  return users.empty() ? std::nullopt : std::optional(User(state, users.back()));
}

std::vector<std::string_view> reviewers_of(const Change& change) {
  std::vector<std::string_view> all;
  const auto lines = [](std::string_view text, std::string_view key, const auto& each) {
    for (auto line = line_value(text, key); line; line = line_value(line->rest, key)) each(line->value);
  };
  const auto add = [&](std::string_view who) {
    if (std::find(all.begin(), all.end(), who) == all.end()) all.push_back(who);
  };
  for (const Meta& meta : change.metas()) {
    const std::string_view footer = meta.footer();
    lines(footer, "Reviewer: ", add);
    for (const std::string_view key : {"Removed: ", "CC: "})
      lines(footer, key, [&](std::string_view who) { std::erase(all, who); });
  }
  lines(change.commit().message(), "Reviewed-by: ", add);
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace maintner
