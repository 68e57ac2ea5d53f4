#include "questions.h"

#include <maintner/as_of.h>

#include <algorithm>
#include <charconv>
#include <span>
#include <tuple>
#include <utility>

namespace maintq {

using namespace maintner;

namespace {

using Operands = std::vector<std::string>;
using Cell = std::variant<std::monostate, std::int64_t, std::string>;

/// Rows of one form.
class Rows {
 public:
  Rows(Printer& printer, std::vector<std::string> names) : printer_(printer), names_(std::move(names)) {}
  ~Rows() = default;
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

  void add(const std::vector<Cell>& cells) {
    std::vector<SqlValue> values;
    for (const Cell& cell : cells) {
      if (const auto* const text = std::get_if<std::string>(&cell))
        values.emplace_back(std::string_view(*text));
      else if (const auto* const number = std::get_if<std::int64_t>(&cell))
        values.emplace_back(*number);
      else
        values.emplace_back();
    }
    printer_.row(names_, values);
  }
  void end() { printer_.end(names_); }

 private:
  Printer& printer_;
  std::vector<std::string> names_;
};

Cell text(std::string_view value) { return std::string(value); }
Cell time(const std::optional<Time>& value) { return value ? Cell(to_string(*value)) : Cell(); }
Cell login(const std::optional<User>& value) { return value ? text(value->login()) : Cell(); }
Cell name(std::string_view person) { return text(person_name(person)); }
Cell count(std::size_t value) { return static_cast<std::int64_t>(value); }

template <class Items, class TextOf>
std::string joined(const Items& items, const TextOf& text_of) {
  std::string all;
  for (const auto& item : items) all += (all.empty() ? "" : ", ") + std::string(text_of(item));
  return all;
}

Time time_given(const std::string& flag, const std::string& value) {
  if (const auto time = time_from(value)) return *time;
  throw UsageError("-" + flag + ": \"" + value + "\" is no time: 2021-02-01 and 2021-02-01T13:00:00Z are");
}

Repo repo_named(const View& view, const std::string& id) {
  const std::size_t slash = id.find('/');
  if (slash != std::string::npos)
    if (const auto repo = view.github().repo(id.substr(0, slash), id.substr(slash + 1))) return *repo;
  throw std::runtime_error("there is no repository " + id);
}

Project project_named(const View& view, const std::string& id) {
  const std::size_t slash = id.find('/');
  const auto project = slash == std::string::npos ? view.gerrit().project("go.googlesource.com", id)
                                                  : view.gerrit().project(id.substr(0, slash), id.substr(slash + 1));
  if (!project) throw std::runtime_error("there is no project " + id);
  return *project;
}

bool is_enough(const Wanted& wanted, std::int64_t rows) { return wanted.limit > 0 && rows >= wanted.limit; }

// ---- the questions

void ask_repos(const View& view, const Operands& /*operands*/, const Wanted& /*wanted*/, Printer& printer) {
  Rows rows(printer, {"name", "kind", "open", "all"});
  for (const Repo& repo : view.github().repos())
    rows.add({repo.id(), text("issues"), count(find_issues(repo, {}).size()),
              count(find_issues(repo, {.closed = std::nullopt}).size())});
  for (const Project& project : view.gerrit().projects())
    rows.add({text(project.full_name()), text("changes"), count(find_changes(project, {}).size()),
              count(find_changes(project, {.status = std::nullopt}).size())});
  rows.end();
}

void ask_issues(const View& view, const Operands& operands, const Wanted& wanted, Printer& printer) {
  IssueQuery query{.closed = std::nullopt,
                   .labels = wanted.labels,
                   .milestone = wanted.milestone,
                   .assignee = wanted.assignee,
                   .author = wanted.author};
  if (wanted.state != "all") query.closed = wanted.state == "closed";
  Rows rows(printer, {"repo", "number", "state", "title", "labels", "milestone", "assignees", "author", "created",
                      "updated", "comments"});
  std::int64_t printed = 0;
  const auto repos = operands.empty() ? view.github().repos() : std::vector<Repo>{repo_named(view, operands[0])};
  for (const Repo& repo : repos) {
    const auto found = find_issues(repo, query);
    for (const Issue& issue : found) {
      if (is_enough(wanted, printed++)) break;
      const auto milestone = issue.milestone();
      rows.add({repo.id(), std::int64_t{issue.number()}, text(issue.closed() ? "closed" : "open"), text(issue.title()),
                joined(issue.labels(), [](const Label& label) { return label.name(); }),
                milestone ? text(milestone->title()) : Cell(),
                joined(issue.assignees(), [](const User& user) { return user.login(); }), login(issue.user()),
                time(issue.created()), time(issue.updated()), count(issue.comments().size())});
    }
  }
  rows.end();
}

Issue issue_numbered(const View& view, const Operands& operands) {
  std::int32_t number = 0;
  const std::string& digits = operands[1];
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size())
    throw UsageError("\"" + digits + "\" is no issue's number");
  const auto issue = repo_named(view, operands[0]).issue(number);
  if (!issue || issue->not_exist()) throw std::runtime_error("there is no issue " + operands[0] + "#" + digits);
  return *issue;
}

void print_as_of(const View& view, const Issue& issue, Time when, Printer& printer) {
  const auto then = as_of(issue, when);
  if (!then) throw std::runtime_error("the issue was not there yet at that time");
  Rows rows(printer, {"state", "title", "labels", "milestone", "assignees", "complete"});
  const auto same = [](std::string_view value) { return value; };
  const auto login_of = [&](std::int64_t id) {
    const auto user = view.github().user(id);
    return user ? std::string(user->login()) : std::to_string(id);
  };
  rows.add({text(then->closed ? "closed" : "open"), text(then->title), joined(then->labels, same),
            then->milestone ? text(*then->milestone) : Cell(), joined(then->assignees, login_of),
            text(then->complete ? "yes" : "no")});
  rows.end();
}

/// What an event did, in a few words.
std::string deed_of(const Event& event) {
  std::string deed(event.type());
  const auto add = [&](std::string_view what) {
    if (!what.empty()) deed += " " + std::string(what);
  };
  add(event.label());
  add(event.milestone());
  if (const auto user = event.assignee()) add(user->login());
  if (const auto user = event.reviewer()) add(user->login());
  add(std::string_view(event.commit_id()).substr(0, 12));
  return deed;
}

void ask_issue(const View& view, const Operands& operands, const Wanted& wanted, Printer& printer) {
  const Issue issue = issue_numbered(view, operands);
  if (!wanted.as_of.empty()) return print_as_of(view, issue, time_given("as-of", wanted.as_of), printer);
  struct Moment {
    std::optional<Time> time;
    std::vector<Cell> cells;
  };
  std::vector<Moment> moments;
  const auto add = [&](const std::optional<Time>& when, const std::optional<User>& who, std::string what,
                       std::string_view said) {
    moments.push_back({when, {time(when), login(who), std::move(what), text(said)}});
  };
  for (const Comment& comment : issue.comments()) add(comment.created, comment.user, "commented", comment.body);
  for (const Event& event : issue.events()) add(event.created(), event.actor(), deed_of(event), event.to());
  for (const Review& review : issue.reviews())
    add(review.created(), review.actor(), "reviewed: " + std::string(review.review_state()), review.body());
  std::stable_sort(moments.begin(), moments.end(), [](const Moment& a, const Moment& b) { return a.time < b.time; });
  Rows rows(printer, {"time", "who", "what", "text"});
  rows.add({time(issue.created()), login(issue.user()), text("opened"),
            std::string(issue.title()) + "\n\n" + std::string(issue.body())});
  for (const Moment& moment : moments) rows.add(moment.cells);
  rows.end();
}

void ask_changes(const View& view, const Operands& operands, const Wanted& wanted, Printer& printer) {
  ChangeQuery query{.status = std::nullopt,
                    .owner = wanted.owner,
                    .branch = wanted.branch,
                    .hashtag = wanted.hashtag,
                    .reviewer = wanted.reviewer};
  for (const ChangeStatus status :
       {ChangeStatus::merged, ChangeStatus::abandoned, ChangeStatus::draft, ChangeStatus::new_})
    if (wanted.status == name_of(status)) query.status = status;
  Rows rows(printer, {"project", "number", "status", "branch", "subject", "owner", "created", "patch_sets", "reviewers",
                      "hashtags"});
  std::int64_t printed = 0;
  const auto projects =
      operands.empty() ? view.gerrit().projects() : std::vector<Project>{project_named(view, operands[0])};
  for (const Project& project : projects) {
    const auto found = find_changes(project, query);
    for (const Change& change : found) {
      if (is_enough(wanted, printed++)) break;
      const auto owner = change.owner();
      rows.add({text(project.full_name()), std::int64_t{change.number()}, text(name_of(change.status())),
                text(change.branch()), change.subject(), owner ? name(owner->person) : Cell(),
                time(Time{change.created().seconds, 0}), std::int64_t{change.version()},
                joined(reviewers_of(change), person_name), text(change.hashtags())});
    }
  }
  rows.end();
}

void ask_commits(const View& view, const Operands& /*operands*/, const Wanted& wanted, Printer& printer) {
  CommitQuery query{.author = wanted.author, .path = wanted.path};
  if (!wanted.since.empty()) query.from = time_given("since", wanted.since);
  if (!wanted.until.empty()) query.until = time_given("until", wanted.until);
  if (wanted.limit > 0) query.limit = static_cast<std::size_t>(wanted.limit);
  Rows rows(printer, {"commit", "committed", "author", "subject"});
  const auto found = find_commits(view, query);
  for (const Commit& commit : found)
    rows.add({commit.hex(), time(Time{commit.committer().seconds, 0}), name(commit.author().person),
              text(commit.summary())});
  rows.end();
}

std::string place_of(const TextHit& hit) {
  if (const auto* const issue = std::get_if<Issue>(&hit.thing))
    return issue->repo().id() + "#" + std::to_string(issue->number());
  if (const auto* const change = std::get_if<Change>(&hit.thing))
    return std::string(change->project().full_name()) + "/" + std::to_string(change->number());
  return std::get<Commit>(hit.thing).hex();
}

/// The line in which it was found.
std::string_view line_of(const TextHit& hit) {
  const std::size_t before = hit.text.substr(0, hit.at).rfind('\n');
  const std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
  const std::string_view rest = hit.text.substr(begin);
  return rest.substr(0, rest.find_first_of("\r\n"));
}

void ask_search(const View& view, const Operands& operands, const Wanted& wanted, Printer& printer) {
  TextQuery query{.text = operands[0], .words = wanted.words};
  if (wanted.limit > 0) query.limit = static_cast<std::size_t>(wanted.limit);
  for (const TextKind kind :
       {TextKind::title, TextKind::body, TextKind::comment, TextKind::review, TextKind::message, TextKind::commit})
    if (std::find(wanted.kinds.begin(), wanted.kinds.end(), name_of(kind)) != wanted.kinds.end())
      query.kinds.push_back(kind);
  if (query.kinds.size() < wanted.kinds.size())
    throw UsageError("-kind: there are title, body, comment, review, message and commit");
  Rows rows(printer, {"kind", "where", "time", "line"});
  const TextHits found = search(view, query);
  for (const TextHit& hit : found.hits)
    rows.add({text(name_of(hit.kind)), place_of(hit), time(hit.time), text(line_of(hit))});
  rows.end();
}

}  // namespace

const std::vector<Question>& questions() {
  static const std::vector<Question> all{
      {"repos", "", {}, ask_repos},
      {"issues", "[REPO]", {"state", "label", "milestone", "assignee", "author", "limit"}, ask_issues},
      {"issue", "REPO NUMBER", {"as-of"}, ask_issue},
      {"changes", "[PROJECT]", {"status", "owner", "branch", "hashtag", "reviewer", "limit"}, ask_changes},
      {"commits", "", {"author", "path", "since", "until", "limit"}, ask_commits},
      {"search", "TEXT", {"kind", "words", "limit"}, ask_search},
  };
  return all;
}

}  // namespace maintq
