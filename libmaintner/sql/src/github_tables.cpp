#include <maintner/query.h>

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "table.h"

namespace maintner {

namespace {

struct InRepo {
  Repo repo;
  std::string id;
};

/// Those that may be meant. A repository's name is compared by SQLite once more.
std::vector<InRepo> repos(const View& view, const Asked& asked) {
  std::vector<InRepo> found;
  const auto name = asked.text(0);
  if (!name) {
    for (const Repo& repo : view.github().repos()) found.push_back({repo, repo.id()});
    return found;
  }
  const std::size_t slash = name->find('/');
  if (slash == std::string::npos) return found;
  if (const auto repo = view.github().repo(name->substr(0, slash), name->substr(slash + 1)))
    found.push_back({*repo, repo->id()});
  return found;
}

struct IssueRow {
  const std::string* repo;
  Issue issue;
};

bool by_index(const IssueQuery& query) {
  return !query.labels.empty() || !query.milestone.empty() || !query.assignee.empty() || !query.author.empty();
}

/// Those of one number, or that `query` finds.
Generator<IssueRow> issues(View view, Asked asked, IssueQuery query) {
  const auto number = asked.number(1);
  for (const InRepo& in : repos(view, asked)) {
    if (number) {
      if (*number < 0 || *number > std::numeric_limits<std::int32_t>::max()) continue;
      const auto issue = in.repo.issue(static_cast<std::int32_t>(*number));
      if (issue && !issue->not_exist()) co_yield IssueRow{&in.id, *issue};
    } else if (by_index(query)) {
      const std::vector<Issue> found = find_issues(in.repo, query);
      for (const Issue& issue : found) co_yield IssueRow{&in.id, issue};
    } else {
      for (const Issue& issue : in.repo.issues())
        if (!issue.not_exist()) co_yield IssueRow{&in.id, issue};
    }
  }
}

constexpr int kState = 2, kTitle = 3, kBody = 4, kUser = 5, kMilestone = 10;

Generator<IssueRow> asked_issues(View view, Asked asked) {
  IssueQuery query{.closed = std::nullopt, .milestone = asked.name(kMilestone), .author = asked.name(kUser)};
  if (const auto state = asked.text(kState)) query.closed = *state != "open";
  const auto title = asked.like(kTitle), body = asked.like(kBody);
  Generator<IssueRow> all = issues(std::move(view), std::move(asked), std::move(query));
  while (const IssueRow* const row = all.next())
    if (fits(title, row->issue.title()) && fits(body, row->issue.body())) co_yield *row;
}

void issue_column(const IssueRow& row, int index, Out& out) {
  const Issue& issue = row.issue;
  switch (index) {
    case 0:
      return out.copy(*row.repo);
    case 1:
      return out.integer(issue.number());
    case 2:
      return out.text(issue.closed() ? "closed" : "open");
    case 3:
      return out.text(issue.title());
    case 4:
      return out.text(issue.body());
    case 5:
      return out.user(issue.user());
    case 6:
      return out.time(issue.created());
    case 7:
      return out.time(issue.updated());
    case 8:
      return out.time(issue.closed_at());
    case 9:
      return out.user(issue.closed_by());
    case 10: {
      const auto milestone = issue.milestone();
      return milestone ? out.text(milestone->title()) : out.null();
    }
    case 11:
      return out.integer(issue.pull_request());
    case 12:
      return out.integer(issue.locked());
    case 13:
      return out.integer(static_cast<std::int64_t>(issue.comments().size()));
    default:
      return out.integer(issue.id());
  }
}

/// Something of an issue's.
template <class Item>
struct ItemRow {
  const std::string* repo;
  std::int32_t number;
  Item item;
};

template <class Item, class ItemsOf>
Generator<ItemRow<Item>> items(View view, Asked asked, IssueQuery query, ItemsOf items_of) {
  Generator<IssueRow> all = issues(std::move(view), std::move(asked), std::move(query));
  while (const IssueRow* const row = all.next()) {
    const std::int32_t number = row->issue.number();
    for (const Item& item : items_of(row->issue)) co_yield ItemRow<Item>{row->repo, number, item};
  }
}

constexpr int kCommentBody = 6;

Generator<ItemRow<Comment>> comments(View view, Asked asked) {
  const auto body = asked.like(kCommentBody);
  const auto of = [](const Issue& issue) { return issue.comments(); };
  Generator<ItemRow<Comment>> all = items<Comment>(std::move(view), std::move(asked), {}, of);
  while (const ItemRow<Comment>* const row = all.next())
    if (fits(body, row->item.body)) co_yield *row;
}

template <class Item>
bool key_column(const ItemRow<Item>& row, int index, Out& out) {
  if (index == 0) out.copy(*row.repo);
  if (index == 1) out.integer(row.number);
  return index < 2;
}

void comment_column(const ItemRow<Comment>& row, int index, Out& out) {
  if (key_column(row, index, out)) return;
  switch (index) {
    case 2:
      return out.integer(row.item.id);
    case 3:
      return out.user(row.item.user);
    case 4:
      return out.time(row.item.created);
    case 5:
      return out.time(row.item.updated);
    default:
      return out.text(row.item.body);
  }
}

void event_column(const ItemRow<Event>& row, int index, Out& out) {
  if (key_column(row, index, out)) return;
  const Event& event = row.item;
  const auto or_null = [&out](std::string_view text) { text.empty() ? out.null() : out.text(text); };
  switch (index) {
    case 2:
      return out.integer(event.id());
    case 3:
      return out.text(event.type());
    case 4:
      return out.user(event.actor());
    case 5:
      return out.time(event.created());
    case 6:
      return or_null(event.label());
    case 7:
      return or_null(event.milestone());
    case 8:
      return out.user(event.assignee());
    case 9:
      return out.user(event.reviewer());
    case 10:
      return or_null(event.from());
    case 11:
      return or_null(event.to());
    default:
      return or_null(event.commit_id());
  }
}

void review_column(const ItemRow<Review>& row, int index, Out& out) {
  if (key_column(row, index, out)) return;
  switch (index) {
    case 2:
      return out.integer(row.item.id());
    case 3:
      return out.user(row.item.actor());
    case 4:
      return out.time(row.item.created());
    case 5:
      return out.text(row.item.review_state());
    case 6:
      return out.text(row.item.body());
    default:
      return out.text(row.item.commit_id());
  }
}

void issue_label_column(const ItemRow<Label>& row, int index, Out& out) {
  if (!key_column(row, index, out)) out.text(row.item.name());
}

void assignee_column(const ItemRow<User>& row, int index, Out& out) {
  if (!key_column(row, index, out)) out.text(row.item.login());
}

template <class Item>
struct RepoRow {
  const std::string* repo;
  Item item;
};

Generator<RepoRow<Label>> labels(View view, Asked asked) {
  for (const InRepo& in : repos(view, asked))
    for (const Label& label : in.repo.labels()) co_yield RepoRow<Label>{&in.id, label};
}

void label_column(const RepoRow<Label>& row, int index, Out& out) {
  if (index == 0) return out.copy(*row.repo);
  return index == 1 ? out.integer(row.item.id()) : out.text(row.item.name());
}

Generator<RepoRow<Milestone>> milestones(View view, Asked asked) {
  for (const InRepo& in : repos(view, asked))
    for (const Milestone& milestone : in.repo.milestones()) co_yield RepoRow<Milestone>{&in.id, milestone};
}

void milestone_column(const RepoRow<Milestone>& row, int index, Out& out) {
  switch (index) {
    case 0:
      return out.copy(*row.repo);
    case 1:
      return out.integer(row.item.id());
    case 2:
      return out.integer(row.item.number());
    case 3:
      return out.text(row.item.title());
    default:
      return out.text(row.item.closed() ? "closed" : "open");
  }
}

Generator<User> users(View view, Asked /*asked*/) {
  for (const User& user : view.github().users()) co_yield user;
}

void user_column(const User& user, int index, Out& out) {
  index == 0 ? out.text(user.login()) : out.integer(user.id());
}

using As = AskedColumn::As;

constexpr AskedColumn kByRepo{0, As::text, 10}, kByNumber{1, As::number, 1e4};
constexpr double kRare = 500, kLike = 20;

}  // namespace

std::vector<Table> github_tables() {
  return {
      {"issues",
       "repo TEXT, number INTEGER, state TEXT, title TEXT, body TEXT, user TEXT, created TEXT, updated TEXT, closed_at "
       "TEXT, closed_by TEXT, milestone TEXT, pull_request INTEGER, locked INTEGER, comments INTEGER, id INTEGER",
       {kByRepo,
        kByNumber,
        {kState, As::text, 2},
        {kTitle, As::like, kLike},
        {kBody, As::like, kLike},
        {kUser, As::text, kRare},
        {kMilestone, As::text, kRare}},
       1e5,
       [](const View& view, const Asked& asked) { return cursor_of(asked_issues(view, asked), issue_column); }},
      {"comments",
       "repo TEXT, number INTEGER, id INTEGER, user TEXT, created TEXT, updated TEXT, body TEXT",
       {kByRepo, kByNumber, {kCommentBody, As::like, kLike}},
       4e5,
       [](const View& view, const Asked& asked) { return cursor_of(comments(view, asked), comment_column); }},
      {"events",
       "repo TEXT, number INTEGER, id INTEGER, type TEXT, actor TEXT, created TEXT, label TEXT, milestone TEXT, "
       "assignee TEXT, reviewer TEXT, \"from\" TEXT, \"to\" TEXT, \"commit\" TEXT",
       {kByRepo, kByNumber},
       4e5,
       [](const View& view, const Asked& asked) {
         return cursor_of(items<Event>(view, asked, {}, [](const Issue& issue) { return issue.events(); }),
                          event_column);
       }},
      {"reviews",
       "repo TEXT, number INTEGER, id INTEGER, actor TEXT, created TEXT, state TEXT, body TEXT, \"commit\" TEXT",
       {kByRepo, kByNumber},
       1e4,
       [](const View& view, const Asked& asked) {
         return cursor_of(items<Review>(view, asked, {}, [](const Issue& issue) { return issue.reviews(); }),
                          review_column);
       }},
      {"issue_labels",
       "repo TEXT, number INTEGER, label TEXT",
       {kByRepo, kByNumber, {2, As::text, kRare}},
       2e5,
       [](const View& view, const Asked& asked) {
         IssueQuery query{.closed = std::nullopt};
         if (const auto label = asked.text(2)) query.labels.push_back(*label);
         return cursor_of(items<Label>(view, asked, query, [](const Issue& issue) { return issue.labels(); }),
                          issue_label_column);
       }},
      {"issue_assignees",
       "repo TEXT, number INTEGER, user TEXT",
       {kByRepo, kByNumber, {2, As::text, kRare}},
       1e5,
       [](const View& view, const Asked& asked) {
         const IssueQuery query{.closed = std::nullopt, .assignee = asked.name(2)};
         return cursor_of(items<User>(view, asked, query, [](const Issue& issue) { return issue.assignees(); }),
                          assignee_column);
       }},
      {"labels",
       "repo TEXT, id INTEGER, name TEXT",
       {kByRepo},
       1e3,
       [](const View& view, const Asked& asked) { return cursor_of(labels(view, asked), label_column); }},
      {"milestones",
       "repo TEXT, id INTEGER, number INTEGER, title TEXT, state TEXT",
       {kByRepo},
       1e3,
       [](const View& view, const Asked& asked) { return cursor_of(milestones(view, asked), milestone_column); }},
      {"users",
       "login TEXT, id INTEGER",
       {},
       2e4,
       [](const View& view, const Asked& asked) { return cursor_of(users(view, asked), user_column); }},
  };
}

}  // namespace maintner
