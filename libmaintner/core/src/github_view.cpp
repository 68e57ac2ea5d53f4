#include <maintner/view.h>

#include <algorithm>

#include "state.h"

namespace maintner {

namespace {

std::optional<Time> time_of(const StoredTime& time) {
  return time.is_set() ? std::optional(Time{time.seconds(), time.nanos()}) : std::nullopt;
}

std::optional<Time> time_of(const std::optional<Timestamp>& time) {
  return time ? std::optional(Time{time->seconds, time->nanos}) : std::nullopt;
}

std::optional<User> user_at(const State& state, std::uint32_t number) {
  return number == kNone ? std::nullopt : std::optional(User(state, number));
}

std::optional<User> user_with(const State& state, std::int64_t id) {
  const auto number = id == 0 ? std::nullopt : find_user(state.github, id);
  return number ? std::optional(User(state, *number)) : std::nullopt;
}

/// What is in a list of numbers.
std::uint32_t number_in(const State& state, std::uint32_t place) { return state.github.numbers[List{place, 1, 1}][0]; }

template <class Item>
Range<Item> range_of(const State& state, const List& list) {
  return {state, list.begin, list.size};
}

const IssueRow& issue_row(const State& state, std::uint32_t number) { return state.github.issues[number]; }

}  // namespace

std::int64_t User::id() const { return state().github.users[number_in_table()].id; }
std::string_view User::login() const { return state().text(state().github.users[number_in_table()].login); }

std::int64_t Team::id() const { return state().github.teams[number_in_table()].id; }
std::string_view Team::slug() const { return state().text(state().github.teams[number_in_table()].slug); }

std::int64_t Label::id() const { return state().github.labels[number_in_table()].id; }
std::string_view Label::name() const { return state().text(state().github.labels[number_in_table()].name); }
Label Label::at(const State& state, std::uint32_t place) { return {state, number_in(state, place)}; }

std::int64_t Milestone::id() const { return state().github.milestones[number_in_table()].id; }
std::int64_t Milestone::number() const { return state().github.milestones[number_in_table()].number; }
std::string_view Milestone::title() const { return state().text(state().github.milestones[number_in_table()].title); }
bool Milestone::closed() const { return state().github.milestones[number_in_table()].closed != 0; }
Milestone Milestone::at(const State& state, std::uint32_t place) { return {state, number_in(state, place)}; }

Comment Comment::at(const State& state, std::uint32_t place) {
  const CommentRow& row = state.github.comments[List{place, 1, 1}][0];
  return {row.id, user_at(state, row.user), time_of(row.created), time_of(row.updated), state.text(row.body)};
}

// ---- Event

Event Event::at(const State& state, std::uint32_t place) {
  return {state, state.text(state.github.events[List{place, 1, 1}][0].message)};
}

std::optional<Time> Event::created() const { return time_of(fields_.created); }
std::optional<User> Event::user(std::int64_t id) const { return user_with(*state_, id); }

std::optional<Team> Event::team_reviewer() const {
  if (!fields_.team_reviewer) return std::nullopt;
  const GithubState& github = state_->github;
  const std::int64_t id = fields_.team_reviewer->id;
  const auto number = github.team_index.find(mixed(static_cast<std::uint64_t>(id)), github.teams.size(),
                                             [&](std::uint32_t i) { return github.teams[i].id == id; });
  return number ? std::optional(Team(*state_, *number)) : std::nullopt;
}

std::string Event::commit_url() const {
  if (!fields_.commit || fields_.commit->owner.empty() || fields_.commit->repo.empty()) return {};
  std::string url = "https://api.github.com/repos/";
  return url.append(fields_.commit->owner)
      .append("/")
      .append(fields_.commit->repo)
      .append("/commits/")
      .append(fields_.commit->commit_id);
}

// ---- Review

Review Review::at(const State& state, std::uint32_t place) {
  return {state, state.text(state.github.reviews[List{place, 1, 1}][0].message)};
}

std::optional<User> Review::actor() const { return user_with(*state_, fields_.actor_id); }
std::optional<Time> Review::created() const { return time_of(fields_.created); }

// ---- Issue

Issue Issue::at(const State& state, std::uint32_t place) { return {state, number_in(state, place)}; }

Repo Issue::repo() const { return {state(), issue_row(state(), number_in_table()).repo}; }
std::int32_t Issue::number() const { return issue_row(state(), number_in_table()).number; }
std::int64_t Issue::id() const { return issue_row(state(), number_in_table()).id; }
bool Issue::not_exist() const { return issue_row(state(), number_in_table()).is(IssueRow::not_exist); }
bool Issue::closed() const { return issue_row(state(), number_in_table()).is(IssueRow::closed); }
bool Issue::locked() const { return issue_row(state(), number_in_table()).is(IssueRow::locked); }
bool Issue::pull_request() const { return issue_row(state(), number_in_table()).is(IssueRow::pull_request); }
std::string_view Issue::title() const { return state().text(issue_row(state(), number_in_table()).title); }
std::string_view Issue::body() const { return state().text(issue_row(state(), number_in_table()).body); }
std::optional<User> Issue::user() const { return user_at(state(), issue_row(state(), number_in_table()).user); }
std::optional<User> Issue::closed_by() const {
  return user_at(state(), issue_row(state(), number_in_table()).closed_by);
}
std::optional<Time> Issue::created() const { return time_of(issue_row(state(), number_in_table()).created); }
std::optional<Time> Issue::updated() const { return time_of(issue_row(state(), number_in_table()).updated); }
std::optional<Time> Issue::closed_at() const { return time_of(issue_row(state(), number_in_table()).closed_at); }

std::vector<User> Issue::assignees() const {
  std::vector<User> all;
  for (const std::uint32_t user : state().github.numbers[issue_row(state(), number_in_table()).assignees])
    all.emplace_back(state(), user);
  return all;
}

Range<Label> Issue::labels() const { return range_of<Label>(state(), issue_row(state(), number_in_table()).labels); }

std::optional<Milestone> Issue::milestone() const {
  const std::uint32_t number = issue_row(state(), number_in_table()).milestone;
  return number == kNone ? std::nullopt : std::optional(Milestone(state(), number));
}

Issue::MilestoneKnown Issue::milestone_known() const {
  return static_cast<MilestoneKnown>(issue_row(state(), number_in_table()).milestone_known);
}

Range<Comment> Issue::comments() const {
  return range_of<Comment>(state(), issue_row(state(), number_in_table()).comments);
}
Range<Event> Issue::events() const { return range_of<Event>(state(), issue_row(state(), number_in_table()).events); }
Range<Review> Issue::reviews() const {
  return range_of<Review>(state(), pull_request() ? issue_row(state(), number_in_table()).reviews : List{});
}
std::size_t Issue::reviews_stored() const { return issue_row(state(), number_in_table()).reviews.size; }

bool Issue::has_event(std::string_view type) const {
  const auto all = events();
  return std::any_of(all.begin(), all.end(), [&](const Event& event) { return event.type() == type; });
}

bool Issue::has_label(std::string_view name) const {
  const auto all = labels();
  return std::any_of(all.begin(), all.end(), [&](const Label& label) { return label.name() == name; });
}

bool Issue::has_label(std::int64_t id) const {
  const auto all = labels();
  return std::any_of(all.begin(), all.end(), [&](const Label& label) { return label.id() == id; });
}

std::optional<Time> Issue::last_modified() const {
  const IssueRow& row = issue_row(state(), number_in_table());
  return time_of(std::max(row.updated, row.events_until));
}
std::optional<Time> Issue::last_event() const { return time_of(issue_row(state(), number_in_table()).events_until); }
std::optional<Time> Issue::comments_synced_as_of() const {
  return time_of(issue_row(state(), number_in_table()).comments_as_of);
}
std::optional<Time> Issue::events_synced_as_of() const {
  return time_of(issue_row(state(), number_in_table()).events_as_of);
}
std::optional<Time> Issue::reviews_synced_as_of() const {
  return time_of(issue_row(state(), number_in_table()).reviews_as_of);
}

// ---- Repo and GitHub

std::string_view Repo::owner() const { return state().text(state().github.repos[number_in_table()].owner); }
std::string_view Repo::name() const { return state().text(state().github.repos[number_in_table()].name); }

std::optional<Issue> Repo::issue(std::int32_t number) const {
  const auto found = find_issue(state().github, number_in_table(), number);
  return found ? std::optional(Issue(state(), *found)) : std::nullopt;
}

Range<Issue> Repo::issues() const { return range_of<Issue>(state(), state().github.repos[number_in_table()].issues); }
Range<Label> Repo::labels() const { return range_of<Label>(state(), state().github.repos[number_in_table()].labels); }
Range<Milestone> Repo::milestones() const {
  return range_of<Milestone>(state(), state().github.repos[number_in_table()].milestones);
}

std::optional<Repo> GitHub::repo(std::string_view owner, std::string_view name) const {
  const auto found = find_repo(*state_, owner, name);
  return found ? std::optional(Repo(*state_, *found)) : std::nullopt;
}

std::vector<Repo> GitHub::repos() const {
  std::vector<Repo> all;
  for (std::uint32_t i = 0; i < state_->github.repos.size(); ++i) all.emplace_back(*state_, i);
  std::sort(all.begin(), all.end(), [](const Repo& a, const Repo& b) {
    return std::pair(a.owner(), a.name()) < std::pair(b.owner(), b.name());
  });
  return all;
}

std::optional<User> GitHub::user(std::int64_t id) const {
  const auto found = find_user(state_->github, id);
  return found ? std::optional(User(*state_, *found)) : std::nullopt;
}

Range<User> GitHub::users() const { return {*state_, 0, state_->github.users.size()}; }
Range<Team> GitHub::teams() const { return {*state_, 0, state_->github.teams.size()}; }

}  // namespace maintner
