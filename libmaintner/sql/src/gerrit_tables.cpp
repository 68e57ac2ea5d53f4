#include <maintner/commit_text.h>
#include <maintner/query.h>

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
std::vector<Project> projects(const View& view, const Asked& asked) {
  const auto name = asked.text(0);
  if (!name) return view.gerrit().projects();
  const std::size_t slash = name->find('/');
  if (slash == std::string::npos) return {};
  const auto project = view.gerrit().project(name->substr(0, slash), name->substr(slash + 1));
  return project ? std::vector<Project>{*project} : std::vector<Project>{};
}

struct ChangeRow {
  std::string_view project;
  Change change;
};

/// Those of one number, or that `query` finds if it asks for something.
Generator<ChangeRow> changes(View view, Asked asked, ChangeQuery query) {
  const auto number = asked.number(1);
  const bool by_index = query.status || !query.owner.empty() || !query.branch.empty() || !query.hashtag.empty() ||
                        !query.reviewer.empty();
  for (const Project& project : projects(view, asked)) {
    if (number) {
      if (*number < 0 || *number > std::numeric_limits<std::int32_t>::max()) continue;
      if (const auto change = project.change(static_cast<std::int32_t>(*number)))
        co_yield ChangeRow{project.full_name(), *change};
      continue;
    }
    const std::vector<Change> found = by_index ? find_changes(project, query) : project.changes();
    for (const Change& change : found) co_yield ChangeRow{project.full_name(), change};
  }
}

constexpr int kStatus = 2, kBranch = 3, kOwner = 5, kOwnerId = 6;

/// Asks for nothing.
ChangeQuery any_change() { return {.status = std::nullopt, .with_private = true}; }

ChangeQuery changes_asked(const Asked& asked) {
  ChangeQuery query = any_change();
  query.owner = asked.name(kOwner);
  query.branch = asked.name(kBranch);
  const auto status = asked.text(kStatus);
  for (const ChangeStatus each :
       {ChangeStatus::merged, ChangeStatus::abandoned, ChangeStatus::draft, ChangeStatus::new_})
    if (status && *status == name_of(each)) query.status = each;
  if (const auto owner = asked.number(kOwnerId); owner && query.owner.empty()) query.owner = std::to_string(*owner);
  return query;
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
Generator<ChangeItem<Item>> change_items(View view, Asked asked, ChangeQuery query, ItemsOf items_of) {
  Generator<ChangeRow> all = changes(std::move(view), std::move(asked), std::move(query));
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

constexpr int kMessage = 5;

Generator<ChangeItem<Message>> messages(View view, Asked asked) {
  const auto like = asked.like(kMessage);
  const auto of = [](const Change& change) { return change.messages(); };
  Generator<ChangeItem<Message>> all = change_items<Message>(std::move(view), std::move(asked), any_change(), of);
  while (const ChangeItem<Message>* const row = all.next())
    if (fits(like, row->item.text)) co_yield *row;
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

Generator<RefRow> refs(View view, Asked asked) {
  for (const Project& project : projects(view, asked))
    for (const NamedCommit& ref : project.refs()) co_yield RefRow{project.full_name(), ref};
}

void ref_column(const RefRow& row, int index, Out& out) {
  if (index == 0) return out.text(row.project);
  index == 1 ? out.text(row.ref.name) : out.copy(row.ref.commit.hex());
}

constexpr int kAuthor = 1, kAuthorEmail = 2, kCommitted = 5, kCommitMessage = 7;

/// Those that `query` finds, or all if it asks for nothing.
Generator<Commit> found_commits(View view, CommitQuery query) {
  if (query.author.empty() && query.path.empty() && !query.from && !query.until) {
    for (const Commit& commit : view.commits())
      if (!commit.is_placeholder()) co_yield commit;
    co_return;
  }
  const std::vector<Commit> found = find_commits(view, query);
  for (const Commit& commit : found) co_yield commit;
  if (!query.from) co_return;
  // As texts, times that no calendar has come after all others, also those before all.
  query.from.reset();
  query.until = Time{-62'167'219'200, 0};
  const std::vector<Commit> before = find_commits(view, query);
  for (const Commit& commit : before) co_yield commit;
}

Generator<Commit> commits(View view, Asked asked) {
  if (const auto hash = asked.text(0)) {
    if (const auto commit = view.commit(*hash); commit && !commit->is_placeholder()) co_yield *commit;
    co_return;
  }
  const auto like = asked.like(kCommitMessage);
  CommitQuery query{.author = asked.name(kAuthor), .from = asked.from(kCommitted), .until = asked.until(kCommitted)};
  if (query.author.empty()) query.author = asked.name(kAuthorEmail);
  Generator<Commit> all = found_commits(std::move(view), std::move(query));
  while (const Commit* const commit = all.next())
    if (fits(like, commit->message())) co_yield *commit;
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

/// Those of one commit, or those of commits with a file of that name.
Generator<FileRow> files(View view, Asked asked) {
  const std::string name = asked.name(1);
  Asked of_commit;
  if (const auto hash = asked.text(0)) of_commit.add({0, Asked::Op::equal, *hash});
  Generator<Commit> all = asked.text(0) ? commits(std::move(view), std::move(of_commit))
                                        : found_commits(std::move(view), CommitQuery{.path = name});
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

std::vector<std::string_view> hashtags_of(const Change& change) { return split_hashtags(change.hashtags()); }

void hashtag_column(const ChangeItem<std::string_view>& row, int index, Out& out) {
  if (!change_key(row, index, out)) out.text(row.item);
}

void reviewer_column(const ChangeItem<std::string_view>& row, int index, Out& out) {
  if (change_key(row, index, out)) return;
  out.text(index == 2 ? person_name(row.item) : person_email(row.item));
}

using As = AskedColumn::As;

constexpr AskedColumn kByProject{0, As::text, 10}, kByChange{1, As::number, 1e4}, kByCommit{0, As::text, 1e6};
constexpr double kRareOne = 500, kSeldomLike = 20;

}  // namespace

std::vector<Table> gerrit_tables() {
  return {
      {"changes",
       "project TEXT, number INTEGER, status TEXT, branch TEXT, subject TEXT, owner TEXT, owner_id INTEGER, created "
       "TEXT, patch_sets INTEGER, \"commit\" TEXT, change_id TEXT, hashtags TEXT, private INTEGER, work_in_progress "
       "INTEGER",
       {kByProject,
        kByChange,
        {kStatus, As::text, 3},
        {kBranch, As::text, 3},
        {kOwner, As::text, kRareOne},
        {kOwnerId, As::number, kRareOne}},
       1e5,
       [](const View& view, const Asked& asked) {
         return cursor_of(changes(view, asked, changes_asked(asked)), change_column);
       }},
      {"patch_sets",
       "project TEXT, number INTEGER, patch_set INTEGER, \"commit\" TEXT, author TEXT, committed TEXT, message TEXT",
       {kByProject, kByChange},
       3e5,
       [](const View& view, const Asked& asked) {
         return cursor_of(change_items<PatchSet>(view, asked, any_change(), patch_sets_of), patch_set_column);
       }},
      {"messages",
       "project TEXT, number INTEGER, patch_set INTEGER, author TEXT, created TEXT, message TEXT",
       {kByProject, kByChange, {kMessage, As::like, kSeldomLike}},
       3e5,
       [](const View& view, const Asked& asked) { return cursor_of(messages(view, asked), message_column); }},
      {"votes",
       "project TEXT, number INTEGER, label TEXT, voter TEXT, value INTEGER",
       {kByProject, kByChange},
       3e5,
       [](const View& view, const Asked& asked) {
         return cursor_of(change_items<Vote>(view, asked, any_change(), votes_of), vote_column);
       }},
      {"change_hashtags",
       "project TEXT, number INTEGER, hashtag TEXT",
       {kByProject, kByChange, {2, As::text, kRareOne}},
       1e4,
       [](const View& view, const Asked& asked) {
         ChangeQuery query = any_change();
         query.hashtag = asked.name(2);
         return cursor_of(change_items<std::string_view>(view, asked, query, hashtags_of), hashtag_column);
       }},
      {"reviewers",
       "project TEXT, number INTEGER, name TEXT, email TEXT",
       {kByProject, kByChange, {2, As::text, kRareOne}, {3, As::text, kRareOne}},
       2e5,
       [](const View& view, const Asked& asked) {
         ChangeQuery query = any_change();
         query.reviewer = asked.name(2).empty() ? asked.name(3) : asked.name(2);
         return cursor_of(change_items<std::string_view>(view, asked, query, reviewers_of), reviewer_column);
       }},
      {"references",
       "project TEXT, number INTEGER, repo TEXT, issue INTEGER",
       {kByProject, kByChange},
       1e5,
       [](const View& view, const Asked& asked) {
         return cursor_of(change_items<IssueReference>(view, asked, any_change(),
                                                       [](const Change& change) { return change.issues(); }),
                          reference_column);
       }},
      {"refs",
       "project TEXT, name TEXT, \"commit\" TEXT",
       {kByProject},
       1e3,
       [](const View& view, const Asked& asked) { return cursor_of(refs(view, asked), ref_column); }},
      {"commits",
       "\"commit\" TEXT, author TEXT, author_email TEXT, authored TEXT, committer TEXT, committed TEXT, subject TEXT, "
       "message TEXT, parents INTEGER",
       {kByCommit,
        {kAuthor, As::text, kRareOne},
        {kAuthorEmail, As::text, kRareOne},
        {kCommitted, As::time, 4},
        {kCommitMessage, As::like, kSeldomLike}},
       1e6,
       [](const View& view, const Asked& asked) { return cursor_of(commits(view, asked), commit_column); }},
      {"files",
       "\"commit\" TEXT, name TEXT, added INTEGER, deleted INTEGER, binary INTEGER",
       {kByCommit, {1, As::text, 1e4}},
       3e6,
       [](const View& view, const Asked& asked) { return cursor_of(files(view, asked), file_column); }},
  };
}

}  // namespace maintner
