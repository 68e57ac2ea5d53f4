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
std::vector<InRepo> repos(const View& view, const Keys& keys) {
  std::vector<InRepo> found;
  if (!keys.name) {
    for (const Repo& repo : view.github().repos()) found.push_back({repo, repo.id()});
    return found;
  }
  const std::size_t slash = keys.name->find('/');
  if (slash == std::string::npos) return found;
  if (const auto repo = view.github().repo(keys.name->substr(0, slash), keys.name->substr(slash + 1)))
    found.push_back({*repo, repo->id()});
  return found;
}

struct IssueRow {
  const std::string* repo;
  Issue issue;
};

Generator<IssueRow> issues(View view, Keys keys) {
  for (const InRepo& in : repos(view, keys)) {
    if (keys.number) {
      if (*keys.number < 0 || *keys.number > std::numeric_limits<std::int32_t>::max()) continue;
      const auto issue = in.repo.issue(static_cast<std::int32_t>(*keys.number));
      if (issue && !issue->not_exist()) co_yield IssueRow{&in.id, *issue};
      continue;
    }
    for (const Issue& issue : in.repo.issues())
      if (!issue.not_exist()) co_yield IssueRow{&in.id, issue};
  }
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
Generator<ItemRow<Item>> items(View view, Keys keys, ItemsOf items_of) {
  Generator<IssueRow> all = issues(std::move(view), std::move(keys));
  while (const IssueRow* const row = all.next()) {
    const std::int32_t number = row->issue.number();
    for (const Item& item : items_of(row->issue)) co_yield ItemRow<Item>{row->repo, number, item};
  }
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

Generator<RepoRow<Label>> labels(View view, Keys keys) {
  for (const InRepo& in : repos(view, keys))
    for (const Label& label : in.repo.labels()) co_yield RepoRow<Label>{&in.id, label};
}

void label_column(const RepoRow<Label>& row, int index, Out& out) {
  if (index == 0) return out.copy(*row.repo);
  return index == 1 ? out.integer(row.item.id()) : out.text(row.item.name());
}

Generator<RepoRow<Milestone>> milestones(View view, Keys keys) {
  for (const InRepo& in : repos(view, keys))
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

Generator<User> users(View view, Keys /*keys*/) {
  for (const User& user : view.github().users()) co_yield user;
}

void user_column(const User& user, int index, Out& out) {
  index == 0 ? out.text(user.login()) : out.integer(user.id());
}

}  // namespace

std::vector<Table> github_tables() {
  return {
      {"issues",
       "repo TEXT, number INTEGER, state TEXT, title TEXT, body TEXT, user TEXT, created TEXT, updated TEXT, closed_at "
       "TEXT, closed_by TEXT, milestone TEXT, pull_request INTEGER, locked INTEGER, comments INTEGER, id INTEGER",
       true, true, 1e5, [](const View& view, const Keys& keys) { return cursor_of(issues(view, keys), issue_column); }},
      {"comments", "repo TEXT, number INTEGER, id INTEGER, user TEXT, created TEXT, updated TEXT, body TEXT", true,
       true, 4e5,
       [](const View& view, const Keys& keys) {
         return cursor_of(items<Comment>(view, keys, [](const Issue& issue) { return issue.comments(); }),
                          comment_column);
       }},
      {"events",
       "repo TEXT, number INTEGER, id INTEGER, type TEXT, actor TEXT, created TEXT, label TEXT, milestone TEXT, "
       "assignee TEXT, reviewer TEXT, \"from\" TEXT, \"to\" TEXT, \"commit\" TEXT",
       true, true, 4e5,
       [](const View& view, const Keys& keys) {
         return cursor_of(items<Event>(view, keys, [](const Issue& issue) { return issue.events(); }), event_column);
       }},
      {"reviews",
       "repo TEXT, number INTEGER, id INTEGER, actor TEXT, created TEXT, state TEXT, body TEXT, \"commit\" TEXT", true,
       true, 1e4,
       [](const View& view, const Keys& keys) {
         return cursor_of(items<Review>(view, keys, [](const Issue& issue) { return issue.reviews(); }), review_column);
       }},
      {"issue_labels", "repo TEXT, number INTEGER, label TEXT", true, true, 2e5,
       [](const View& view, const Keys& keys) {
         return cursor_of(items<Label>(view, keys, [](const Issue& issue) { return issue.labels(); }),
                          issue_label_column);
       }},
      {"issue_assignees", "repo TEXT, number INTEGER, user TEXT", true, true, 1e5,
       [](const View& view, const Keys& keys) {
         return cursor_of(items<User>(view, keys, [](const Issue& issue) { return issue.assignees(); }),
                          assignee_column);
       }},
      {"labels", "repo TEXT, id INTEGER, name TEXT", true, false, 1e3,
       [](const View& view, const Keys& keys) { return cursor_of(labels(view, keys), label_column); }},
      {"milestones", "repo TEXT, id INTEGER, number INTEGER, title TEXT, state TEXT", true, false, 1e3,
       [](const View& view, const Keys& keys) { return cursor_of(milestones(view, keys), milestone_column); }},
      {"users", "login TEXT, id INTEGER", false, false, 2e4,
       [](const View& view, const Keys& keys) { return cursor_of(users(view, keys), user_column); }},
  };
}

}  // namespace maintner
