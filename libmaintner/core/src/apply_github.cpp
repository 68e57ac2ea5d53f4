#include "apply_github.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <exception>
#include <optional>
#include <tuple>
#include <utility>

#include "prefetch.h"

namespace maintner {

namespace {

StoredTime stored(const Timestamp& time) noexcept { return StoredTime::of(time.seconds, time.nanos); }

void take(StoredTime& into, const std::optional<Timestamp>& time) {
  if (time) into = stored(*time);
}

void take_status(StoredTime& into, const std::optional<GithubIssueSyncStatus>& status) {
  if (status && status->server_date) into = stored(*status->server_date);
}

template <class Row>
bool comes_before(const Row& a, const Row& b) {
  return a.created == b.created ? a.id < b.id : a.created < b.created;
}

/// Puts a row that is not there yet where it belongs.
template <class Row>
void put_in_order(Lists<Row>& lists, List& list, const Row& row) {
  const std::span<const Row> items = std::as_const(lists)[list];
  std::size_t at = items.size();
  if (!items.empty() && comes_before(row, items.back()))
    at = static_cast<std::size_t>(std::upper_bound(items.begin(), items.end(), row, comes_before<Row>) - items.begin());
  lists.insert(list, static_cast<std::uint32_t>(at), row);
}

template <class Row>
std::optional<std::uint32_t> place_of(const Lists<Row>& lists, const List& list, std::int64_t id) {
  const std::span<const Row> items = lists[list];
  for (std::size_t i = items.size(); i-- > 0;)
    if (items[i].id == id) return static_cast<std::uint32_t>(i);
  return std::nullopt;
}

bool holds(std::span<const std::uint32_t> numbers, std::uint32_t number) {
  return std::find(numbers.begin(), numbers.end(), number) != numbers.end();
}

}  // namespace

void GithubApplier::begin_batch(bool first) {
  first_ = first;
  std::apply([&](auto&... table) { (table.begin_batch(state_.batch), ...); },
             std::tie(github_.users, github_.teams, github_.labels, github_.milestones, github_.repos, github_.issues));
  std::apply([&](auto&... lists) { (lists.begin_batch(first), ...); },
             std::tie(github_.numbers, github_.comments, github_.events, github_.reviews));
}

// How it works: an issue and users are found by an index, and lie anywhere in memory. So a mutation is decoded before
// its turn, and what it is about is asked for while those before it are applied: first the places in the indexes, then
// the rows.
void GithubApplier::apply(const std::vector<GithubStep>& steps, std::vector<Digest::Fault>& faults) {
  struct Decoded {
    explicit Decoded(std::string_view payload) : mutation(decode_mutation(payload)) {}
    Mutation mutation;
  };
  constexpr std::size_t kStages = 3;
  std::array<std::optional<Decoded>, kStages> decoded;
  for (std::size_t i = 0; i < steps.size() + kStages - 1; ++i) {
    std::optional<Decoded>& newest = decoded[i % kStages];
    newest.reset();
    try {
      if (i < steps.size()) ask_for_places(newest.emplace(steps[i].payload).mutation);
    } catch (const MutationError& error) {
      faults.push_back({steps[i].record, error.what()});
    }
    if (const auto& older = decoded[(i + 2) % kStages]) ask_for_rows(older->mutation);
    if (const auto& oldest = decoded[(i + 1) % kStages]) apply(oldest->mutation);
  }
}

namespace {

bool names_issue(const GithubIssueMutation& mutation) {
  return !mutation.owner.empty() && !mutation.repo.empty() && mutation.number != 0;
}

template <class Each>
void for_each_user(const GithubIssueMutation& issue, const Each& each) {
  if (issue.user) each(issue.user->id);
  for (const GithubIssueCommentMutation& comment : issue.comment)
    if (comment.user) each(comment.user->id);
  for (const GithubIssueEvent& event : issue.event) each(event.actor_id);
  for (const GithubReview& review : issue.review) each(review.actor_id);
}

std::uint64_t hash_of_user(std::int64_t id) { return mixed(static_cast<std::uint64_t>(id)); }

}  // namespace

std::optional<std::uint64_t> GithubApplier::hash_of_issue(const Mutation& mutation) const {
  if (!mutation.github_issue) return std::nullopt;
  const GithubIssueMutation& issue = *mutation.github_issue;
  if (!names_issue(issue)) return std::nullopt;
  const std::optional<std::uint32_t> repo = find_repo(state_, issue.owner, issue.repo);
  if (!repo) return std::nullopt;
  return hash_of(*repo, static_cast<std::uint32_t>(issue.number));
}

void GithubApplier::ask_for_places(const Mutation& mutation) const {
  const auto issue = hash_of_issue(mutation);
  if (!issue) return;
  github_.issue_index.prefetch(*issue);
  for_each_user(*mutation.github_issue, [&](std::int64_t id) { github_.user_index.prefetch(hash_of_user(id)); });
}

void GithubApplier::ask_for_rows(const Mutation& mutation) const {
  const auto issue = hash_of_issue(mutation);
  if (!issue) return;
  if (const auto number = github_.issue_index.guess(*issue, github_.issues.size())) prefetch(&github_.issues[*number]);
  for_each_user(*mutation.github_issue, [&](std::int64_t id) {
    if (const auto number = github_.user_index.guess(hash_of_user(id), github_.users.size()))
      prefetch(&github_.users[*number]);
  });
}

void GithubApplier::apply(const Mutation& mutation) {
  if (mutation.github_issue) apply(*mutation.github_issue);
  if (mutation.github) apply(*mutation.github);
}

// ---- things that are known by an id

std::uint32_t GithubApplier::repo(std::string_view owner, std::string_view name) {
  if (const auto found = find_repo(state_, owner, name)) return *found;
  RepoRow row{};
  row.owner = ref_of(owner);
  row.name = ref_of(name);
  const std::uint32_t number = github_.repos.append(row);
  github_.repo_index.add(hash_of(owner, name), number);
  return number;
}

std::uint32_t GithubApplier::user(std::int64_t id) {
  if (const auto found = find_user(github_, id)) return *found;
  const std::uint32_t number = github_.users.append({id, {}});
  github_.user_index.add(hash_of_user(id), number);
  return number;
}

std::uint32_t GithubApplier::user(const GithubUser& user) {
  const std::uint32_t number = this->user(user.id);
  if (!user.login.empty() && !is(github_.users[number].login, user.login))
    github_.users.edit(number).login = ref_of(user.login);
  return number;
}

void GithubApplier::see_team(const GithubTeam& team) {
  const std::uint64_t hash = mixed(static_cast<std::uint64_t>(team.id));
  const auto found = github_.team_index.find(hash, github_.teams.size(),
                                             [&](std::uint32_t i) { return github_.teams[i].id == team.id; });
  if (found) {
    if (!team.slug.empty() && !is(github_.teams[*found].slug, team.slug))
      github_.teams.edit(*found).slug = ref_of(team.slug);
    return;
  }
  github_.team_index.add(hash, github_.teams.append({team.id, ref_of(team.slug)}));
}

std::uint32_t GithubApplier::label(std::uint32_t repo, const GithubLabel& label) {
  const std::uint64_t hash = hash_of(repo, static_cast<std::uint64_t>(label.id));
  const auto found = github_.label_index.find(hash, github_.labels.size(), [&](std::uint32_t i) {
    return github_.labels[i].id == label.id && github_.labels[i].repo == repo;
  });
  if (found) {
    if (!label.name.empty() && !is(github_.labels[*found].name, label.name))
      github_.labels.edit(*found).name = ref_of(label.name);
    return *found;
  }
  const std::uint32_t number = github_.labels.append({label.id, ref_of(label.name), repo, 0});
  github_.label_index.add(hash, number);
  github_.numbers.append(github_.repos.edit(repo).labels, number);
  return number;
}

std::uint32_t GithubApplier::milestone(std::uint32_t repo, std::int64_t id) {
  const std::uint64_t hash = hash_of(repo, static_cast<std::uint64_t>(id));
  const auto found = github_.milestone_index.find(hash, github_.milestones.size(), [&](std::uint32_t i) {
    return github_.milestones[i].id == id && github_.milestones[i].repo == repo;
  });
  if (found) return *found;
  MilestoneRow row{};
  row.id = id;
  row.repo = repo;
  const std::uint32_t number = github_.milestones.append(row);
  github_.milestone_index.add(hash, number);
  github_.numbers.append(github_.repos.edit(repo).milestones, number);
  return number;
}

std::uint32_t GithubApplier::issue(std::uint32_t repo, const GithubIssueMutation& mutation) {
  if (const auto found = find_issue(github_, repo, mutation.number)) return *found;
  IssueRow row;
  row.id = mutation.id;
  row.number = mutation.number;
  row.repo = repo;
  if (mutation.created) row.created = stored(*mutation.created);
  // As the original of 2026.
  else if (compat_ && !mutation.not_exist)
    row.created = StoredTime::of(0, 0);
  if (mutation.not_exist) row.created = StoredTime();
  const std::uint32_t number = github_.issues.append(row);
  github_.issue_index.add(hash_of(repo, static_cast<std::uint32_t>(mutation.number)), number);
  List& issues = github_.repos.edit(repo).issues;
  const auto items = std::as_const(github_.numbers)[issues];
  std::size_t at = items.size();
  const auto number_of = [&](std::uint32_t i) { return github_.issues[i].number; };
  if (!items.empty() && number_of(items.back()) > mutation.number) {
    at = static_cast<std::size_t>(std::upper_bound(items.begin(), items.end(), mutation.number,
                                                   [&](std::int32_t n, std::uint32_t i) { return n < number_of(i); }) -
                                  items.begin());
  }
  github_.numbers.insert(issues, static_cast<std::uint32_t>(at), number);
  return number;
}

// ---- mutations

void GithubApplier::apply(const GithubMutation& mutation) {
  if (mutation.owner.empty() || mutation.repo.empty()) return;
  const std::uint32_t repo = this->repo(mutation.owner, mutation.repo);
  for (const GithubLabel& each : mutation.labels) label(repo, each);
  for (const GithubMilestone& each : mutation.milestones) {
    MilestoneRow& row = github_.milestones.edit(milestone(repo, each.id));
    if (!each.title.empty()) row.title = ref_of(each.title);
    if (each.closed) row.closed = each.closed->val ? 1 : 0;
    if (each.number != 0) row.number = each.number;
  }
}

void GithubApplier::apply(const GithubIssueMutation& mutation) {
  if (!names_issue(mutation)) return;
  const std::uint32_t repo = this->repo(mutation.owner, mutation.repo);
  IssueRow& issue = github_.issues.edit(this->issue(repo, mutation));
  issue.set(IssueRow::not_exist, mutation.not_exist);
  if (mutation.not_exist) return;
  if (!compat_) {
    // It may have been seen as one that does not exist before it did.
    if (!issue.created.is_set()) take(issue.created, mutation.created);
    if (issue.id == 0) issue.id = mutation.id;
  }
  apply_fields(issue, mutation);
  apply_assignees(issue, mutation);
  apply_labels(issue, mutation);
  for (const GithubIssueCommentMutation& comment : mutation.comment) apply(issue, comment);
  take_status(issue.comments_as_of, mutation.comment_status);
  for (const GithubIssueEvent& event : mutation.event) apply(issue, event);
  take_status(issue.events_as_of, mutation.event_status);
  for (const GithubReview& review : mutation.review) apply(issue, review);
  take_status(issue.reviews_as_of, mutation.review_status);
}

void GithubApplier::apply_fields(IssueRow& issue, const GithubIssueMutation& mutation) {
  take(issue.updated, mutation.updated);
  take(issue.closed_at, mutation.closed_at);
  if (mutation.user) issue.user = user(*mutation.user);
  if (mutation.no_milestone) {
    issue.milestone_known = IssueRow::MilestoneKnown::none;
    issue.milestone = kNone;
  } else if (mutation.milestone_id != 0) {
    issue.milestone_known = IssueRow::MilestoneKnown::one;
    issue.milestone = milestone(issue.repo, mutation.milestone_id);
    MilestoneRow& row = github_.milestones.edit(issue.milestone);
    if (mutation.milestone_num != 0) row.number = mutation.milestone_num;
    if (!mutation.milestone_title.empty()) row.title = ref_of(mutation.milestone_title);
  }
  if (mutation.closed_by) issue.closed_by = user(*mutation.closed_by);
  if (mutation.closed) issue.set(IssueRow::closed, mutation.closed->val);
  if (mutation.locked) issue.set(IssueRow::locked, mutation.locked->val);
  if (mutation.pull_request) issue.set(IssueRow::pull_request, true);
  if (!mutation.body.empty()) issue.body = ref_of(mutation.body);
  if (mutation.body_change) issue.body = ref_of(mutation.body_change->val);
  if (!mutation.title.empty()) issue.title = ref_of(mutation.title);
}

void GithubApplier::apply_assignees(IssueRow& issue, const GithubIssueMutation& mutation) {
  for (const GithubUser& each : mutation.assignees) {
    const std::uint32_t number = user(each);
    if (!holds(std::as_const(github_.numbers)[issue.assignees], number))
      github_.numbers.append(issue.assignees, number);
  }
  for (const std::int64_t id : mutation.deleted_assignees) {
    const auto items = std::as_const(github_.numbers)[issue.assignees];
    for (std::uint32_t i = 0; i < items.size(); ++i) {
      if (github_.users[items[i]].id != id) continue;
      github_.numbers.erase(issue.assignees, i);
      break;
    }
  }
}

void GithubApplier::apply_labels(IssueRow& issue, const GithubIssueMutation& mutation) {
  for (const std::int64_t id : mutation.remove_label) {
    const auto items = std::as_const(github_.numbers)[issue.labels];
    for (std::uint32_t i = 0; i < items.size(); ++i) {
      if (github_.labels[items[i]].id != id) continue;
      github_.numbers.erase(issue.labels, i);
      break;
    }
  }
  for (const GithubLabel& each : mutation.add_label) {
    const std::uint32_t number = label(issue.repo, each);
    if (!holds(std::as_const(github_.numbers)[issue.labels], number)) github_.numbers.append(issue.labels, number);
  }
}

void GithubApplier::apply(IssueRow& issue, const GithubIssueCommentMutation& comment) {
  if (comment.id == 0) return;
  const auto place =
      comment.id > issue.largest_comment ? std::nullopt : place_of(github_.comments, issue.comments, comment.id);
  CommentRow row = place ? std::as_const(github_.comments)[issue.comments][*place] : CommentRow{};
  const StoredTime before = row.created;
  row.id = comment.id;
  if (comment.user) row.user = user(*comment.user);
  take(row.created, comment.created);
  take(row.updated, comment.updated);
  if (!comment.body.empty()) row.body = ref_of(comment.body);
  if (place && row.created == before) {
    github_.comments.edit(issue.comments)[*place] = row;
    return;
  }
  if (place) github_.comments.erase(issue.comments, *place);
  put_in_order(github_.comments, issue.comments, row);
  issue.largest_comment = std::max(issue.largest_comment, comment.id);
}

template <class Row>
void GithubApplier::replace(Lists<Row>& lists, List& list, std::int64_t& largest, const Row& row) {
  if (row.id <= largest)
    if (const auto place = place_of(lists, list, row.id)) lists.erase(list, *place);
  put_in_order(lists, list, row);
  largest = std::max(largest, row.id);
}

void GithubApplier::apply(IssueRow& issue, const GithubIssueEvent& event) {
  if (event.id == 0) return;
  EventRow row;
  row.id = event.id;
  row.message = ref_of(event.bytes);
  take(row.created, event.created);
  for (const std::int64_t id :
       {event.actor_id, event.assignee_id, event.assigner_id, event.reviewer_id, event.review_requester_id})
    if (id != 0) user(id);
  if (event.team_reviewer) see_team(*event.team_reviewer);
  replace(github_.events, issue.events, issue.largest_event, row);
  issue.events_until = std::max(issue.events_until, row.created);
}

void GithubApplier::apply(IssueRow& issue, const GithubReview& review) {
  if (review.id == 0) return;
  ReviewRow row;
  row.id = review.id;
  row.message = ref_of(review.bytes);
  take(row.created, review.created);
  if (review.actor_id != 0) user(review.actor_id);
  replace(github_.reviews, issue.reviews, issue.largest_review, row);
  issue.events_until = std::max(issue.events_until, row.created);
}

}  // namespace maintner
