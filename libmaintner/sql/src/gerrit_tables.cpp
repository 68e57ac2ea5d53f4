#include <maintner/commit_text.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "table.h"

namespace maintner {

namespace {

Time time_of(const PersonAndTime& person) { return {person.seconds, 0}; }

void name_or_null(Out& out, const std::optional<PersonAndTime>& person) {
  person ? out.text(person_name(person->person)) : out.null();
}

/// Those that may be meant. A project's name is compared by SQLite once more.
std::vector<Project> projects(const View& view, const Keys& keys) {
  if (!keys.name) return view.gerrit().projects();
  const std::size_t slash = keys.name->find('/');
  if (slash == std::string::npos) return {};
  const auto project = view.gerrit().project(keys.name->substr(0, slash), keys.name->substr(slash + 1));
  return project ? std::vector<Project>{*project} : std::vector<Project>{};
}

struct ChangeRow {
  std::string_view project;
  Change change;
};

Generator<ChangeRow> changes(View view, Keys keys) {
  for (const Project& project : projects(view, keys)) {
    if (keys.number) {
      if (*keys.number < 0 || *keys.number > std::numeric_limits<std::int32_t>::max()) continue;
      if (const auto change = project.change(static_cast<std::int32_t>(*keys.number)))
        co_yield ChangeRow{project.full_name(), *change};
      continue;
    }
    for (const Change& change : project.changes()) co_yield ChangeRow{project.full_name(), change};
  }
}

void change_column(const ChangeRow& row, int index, Out& out) {
  const Change& change = row.change;
  switch (index) {
    case 0:
      return out.text(row.project);
    case 1:
      return out.integer(change.number());
    case 2:
      return out.text(name_of(change.status()));
    case 3:
      return out.text(change.branch());
    case 4:
      return out.copy(change.subject());
    case 5:
      return name_or_null(out, change.owner());
    case 6: {
      const std::int64_t owner = change.owner_id();
      return owner < 0 ? out.null() : out.integer(owner);
    }
    case 7:
      return out.time(time_of(change.created()));
    case 8:
      return out.integer(change.version());
    case 9:
      return out.copy(change.commit().hex());
    case 10:
      return out.text(change.change_id());
    case 11:
      return out.text(change.hashtags());
    case 12:
      return out.integer(change.is_private());
    default:
      return out.integer(change.work_in_progress());
  }
}

/// Something of a change's.
template <class Item>
struct ChangeItem {
  std::string_view project;
  std::int32_t number;
  Item item;
};

template <class Item, class ItemsOf>
Generator<ChangeItem<Item>> change_items(View view, Keys keys, ItemsOf items_of) {
  Generator<ChangeRow> all = changes(std::move(view), std::move(keys));
  while (const ChangeRow* const row = all.next()) {
    const std::int32_t number = row->change.number();
    for (Item& item : items_of(row->change)) {
      const ChangeItem<Item> made{row->project, number, std::move(item)};
      co_yield made;
    }
  }
}

template <class Item>
bool change_key(const ChangeItem<Item>& row, int index, Out& out) {
  if (index == 0) out.text(row.project);
  if (index == 1) out.integer(row.number);
  return index < 2;
}

struct PatchSet {
  std::int32_t number;
  Commit commit;
};

std::vector<PatchSet> patch_sets_of(const Change& change) {
  std::vector<PatchSet> all;
  for (std::int32_t number = 1; number <= change.version(); ++number)
    if (const auto commit = change.commit_at(number)) all.push_back({number, *commit});
  return all;
}

void patch_set_column(const ChangeItem<PatchSet>& row, int index, Out& out) {
  if (change_key(row, index, out)) return;
  const Commit& commit = row.item.commit;
  switch (index) {
    case 2:
      return out.integer(row.item.number);
    case 3:
      return out.copy(commit.hex());
    case 4:
      return out.text(person_name(commit.author().person));
    case 5:
      return out.time(time_of(commit.committer()));
    default:
      return out.text(commit.message());
  }
}

void message_column(const ChangeItem<Message>& row, int index, Out& out) {
  if (change_key(row, index, out)) return;
  switch (index) {
    case 2:
      return out.integer(row.item.patch_set);
    case 3:
      return out.text(person_name(row.item.author.person));
    case 4:
      return out.time(time_of(row.item.author));
    default:
      return out.text(row.item.text);
  }
}

struct Vote {
  std::string label, voter;
  std::int8_t value;
};

std::vector<Vote> votes_of(const Change& change) {
  std::vector<Vote> all;
  Votes votes;
  try {
    votes = change.meta().label_votes();
  } catch (const QueryError&) {
    return all;  // it names a patch set that is not known
  }
  for (const auto& [label, voters] : votes)
    for (const auto& [voter, value] : voters) all.push_back({label, voter, value});
  return all;
}

void vote_column(const ChangeItem<Vote>& row, int index, Out& out) {
  if (change_key(row, index, out)) return;
  if (index == 2) return out.copy(row.item.label);
  return index == 3 ? out.copy(row.item.voter) : out.integer(row.item.value);
}

void reference_column(const ChangeItem<IssueReference>& row, int index, Out& out) {
  if (change_key(row, index, out)) return;
  index == 2 ? out.copy(row.item.owner + "/" + row.item.repo) : out.integer(row.item.number);
}

struct RefRow {
  std::string_view project;
  NamedCommit ref;
};

Generator<RefRow> refs(View view, Keys keys) {
  for (const Project& project : projects(view, keys))
    for (const NamedCommit& ref : project.refs()) co_yield RefRow{project.full_name(), ref};
}

void ref_column(const RefRow& row, int index, Out& out) {
  if (index == 0) return out.text(row.project);
  index == 1 ? out.text(row.ref.name) : out.copy(row.ref.commit.hex());
}

/// With `keys`, the one of that hash.
Generator<Commit> commits(View view, Keys keys) {
  if (keys.name) {
    if (const auto commit = view.commit(*keys.name); commit && !commit->is_placeholder()) co_yield *commit;
    co_return;
  }
  for (const Commit& commit : view.commits())
    if (!commit.is_placeholder()) co_yield commit;
}

void commit_column(const Commit& commit, int index, Out& out) {
  switch (index) {
    case 0:
      return out.copy(commit.hex());
    case 1:
      return out.text(person_name(commit.author().person));
    case 2:
      return out.text(person_email(commit.author().person));
    case 3:
      return out.time(time_of(commit.author()));
    case 4:
      return out.text(person_name(commit.committer().person));
    case 5:
      return out.time(time_of(commit.committer()));
    case 6:
      return out.text(commit.summary());
    case 7:
      return out.text(commit.message());
    default:
      return out.integer(static_cast<std::int64_t>(commit.parents().size()));
  }
}

struct FileRow {
  Commit commit;
  File file;
};

Generator<FileRow> files(View view, Keys keys) {
  Generator<Commit> all = commits(std::move(view), std::move(keys));
  while (const Commit* const commit = all.next())
    for (const File& file : commit->files()) co_yield FileRow{*commit, file};
}

void file_column(const FileRow& row, int index, Out& out) {
  switch (index) {
    case 0:
      return out.copy(row.commit.hex());
    case 1:
      return out.text(row.file.name);
    case 2:
      return out.integer(row.file.added);
    case 3:
      return out.integer(row.file.deleted);
    default:
      return out.integer(row.file.binary);
  }
}

}  // namespace

std::vector<Table> gerrit_tables() {
  return {
      {"changes",
       "project TEXT, number INTEGER, status TEXT, branch TEXT, subject TEXT, owner TEXT, owner_id INTEGER, created "
       "TEXT, patch_sets INTEGER, \"commit\" TEXT, change_id TEXT, hashtags TEXT, private INTEGER, work_in_progress "
       "INTEGER",
       true, true, 1e5,
       [](const View& view, const Keys& keys) { return cursor_of(changes(view, keys), change_column); }},
      {"patch_sets",
       "project TEXT, number INTEGER, patch_set INTEGER, \"commit\" TEXT, author TEXT, committed TEXT, message TEXT",
       true, true, 3e5,
       [](const View& view, const Keys& keys) {
         return cursor_of(change_items<PatchSet>(view, keys, patch_sets_of), patch_set_column);
       }},
      {"messages", "project TEXT, number INTEGER, patch_set INTEGER, author TEXT, created TEXT, message TEXT", true,
       true, 3e5,
       [](const View& view, const Keys& keys) {
         return cursor_of(change_items<Message>(view, keys, [](const Change& change) { return change.messages(); }),
                          message_column);
       }},
      {"votes", "project TEXT, number INTEGER, label TEXT, voter TEXT, value INTEGER", true, true, 3e5,
       [](const View& view, const Keys& keys) {
         return cursor_of(change_items<Vote>(view, keys, votes_of), vote_column);
       }},
      {"references", "project TEXT, number INTEGER, repo TEXT, issue INTEGER", true, true, 1e5,
       [](const View& view, const Keys& keys) {
         return cursor_of(
             change_items<IssueReference>(view, keys, [](const Change& change) { return change.issues(); }),
             reference_column);
       }},
      {"refs", "project TEXT, name TEXT, \"commit\" TEXT", true, false, 1e3,
       [](const View& view, const Keys& keys) { return cursor_of(refs(view, keys), ref_column); }},
      {"commits",
       "\"commit\" TEXT, author TEXT, author_email TEXT, authored TEXT, committer TEXT, committed TEXT, subject TEXT, "
       "message TEXT, parents INTEGER",
       true, false, 1e6,
       [](const View& view, const Keys& keys) { return cursor_of(commits(view, keys), commit_column); }},
      {"files", "\"commit\" TEXT, name TEXT, added INTEGER, deleted INTEGER, binary INTEGER", true, false, 3e6,
       [](const View& view, const Keys& keys) { return cursor_of(files(view, keys), file_column); }},
  };
}

}  // namespace maintner
