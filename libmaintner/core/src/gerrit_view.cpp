#include <maintner/view.h>

#include <algorithm>
#include <iterator>

#include "state.h"

namespace maintner {

namespace {

const ChangeRow& change_row(const State& state, std::uint32_t number) { return state.git.changes[number]; }

std::span<const std::uint32_t> metas_of(const State& state, std::uint32_t change) {
  return state.git.numbers[change_row(state, change).metas];
}

}  // namespace

// ---- Meta

std::string_view Meta::hashtags() const {
  const auto metas = metas_of(*state_, change_);
  for (std::size_t i = index_ + 1; i-- > 0;)
    if (const auto tags = hashtags_in(Commit(*state_, metas[i]).message())) return *tags;
  return {};
}

Change Meta::change() const { return {*state_, change_}; }

Votes Meta::label_votes() const {
  Votes votes;
  std::optional<Commit> patch_set;
  const auto metas = metas_of(*state_, change_);
  for (std::size_t i = 0; i <= index_; ++i) {
    const Commit meta(*state_, metas[i]);
    const std::string_view message = meta.message();
    if (const auto hex = new_patch_set_in(message)) {
      std::optional<Commit> next;
      try {
        next = change().project().commit(*hex);
      } catch (const QueryError& error) {
        throw QueryError("LabelVotes: invalid Commit in footer on CL " + std::to_string(change().number()) +
                         ", meta-CL " + meta.hex() + ": " + error.what());
      }
      if (patch_set && !next->same_diff_stat(*patch_set)) {
        votes.erase("Run-TryBot");
        votes.erase("TryBot-Result");
      }
      patch_set = next;
    }
    const std::string_view author = person_email(meta.author().person);
    for_each_label(message, [&](const LabelLine& line) {
      const std::string voter(line.voter.empty() ? author : line.voter);
      if (!line.removed) {
        votes[std::string(line.label)][voter] = line.value;
        return;
      }
      const auto of_label = votes.find(std::string(line.label));
      if (of_label == votes.end()) return;
      of_label->second.erase(voter);
      if (of_label->second.empty()) votes.erase(of_label);
    });
  }
  return votes;
}

std::vector<std::string_view> split_hashtags(std::string_view hashtags) {
  std::vector<std::string_view> tags;
  while (!hashtags.empty()) {
    const std::size_t comma = std::min(hashtags.find(','), hashtags.size());
    tags.push_back(trimmed(hashtags.substr(0, comma)));
    hashtags.remove_prefix(comma);
    if (hashtags == ",") tags.emplace_back();
    if (!hashtags.empty()) hashtags.remove_prefix(1);
  }
  return tags;
}

// ---- Change

Project Change::project() const { return {state(), change_row(state(), number_in_table()).project}; }
std::int32_t Change::number() const { return change_row(state(), number_in_table()).number; }
std::int32_t Change::version() const { return change_row(state(), number_in_table()).version; }
Commit Change::commit() const { return {state(), change_row(state(), number_in_table()).commit}; }

std::optional<Commit> Change::commit_at(std::int32_t version) const {
  const ChangeRow& row = change_row(state(), number_in_table());
  if (version < 1 || version > row.version) return std::nullopt;
  for (const PatchSetRow& patch_set : state().git.patch_sets[row.patch_sets])
    if (patch_set.version == version) return Commit(state(), patch_set.commit);
  return std::nullopt;
}

std::vector<Meta> Change::metas() const {
  std::vector<Meta> all;
  const auto metas = metas_of(state(), number_in_table());
  for (std::size_t i = 0; i < metas.size(); ++i)
    all.emplace_back(Commit(state(), metas[i]), state(), number_in_table(), static_cast<std::uint32_t>(i));
  return all;
}

ChangeStatus Change::status() const { return static_cast<ChangeStatus>(change_row(state(), number_in_table()).status); }
bool Change::is_private() const { return change_row(state(), number_in_table()).is_private; }

bool Change::work_in_progress() const {
  const auto metas = metas_of(state(), number_in_table());
  for (std::size_t i = metas.size(); i-- > 0;)
    if (const auto said = work_in_progress_in(Commit(state(), metas[i]).message())) return *said;
  return false;
}

PersonAndTime Change::created() const { return Commit(state(), metas_of(state(), number_in_table())[0]).committer(); }

std::string_view Change::branch() const {
  const auto metas = metas_of(state(), number_in_table());
  for (std::size_t i = metas.size(); i-- > 0;)
    if (const std::string_view branch = branch_in(Commit(state(), metas[i]).message()); !branch.empty()) return branch;
  return {};
}

std::string_view Change::footer(std::string_view key) const {
  const auto line = line_value(commit().message(), key);
  return line ? line->value : std::string_view();
}

std::optional<PersonAndTime> Change::owner() const {
  const auto first = commit_at(1);
  return first && !first->is_placeholder() ? std::optional(first->author()) : std::nullopt;
}

std::int64_t Change::owner_id() const {
  const Commit first(state(), metas_of(state(), number_in_table())[0]);
  return account_id_of(person_email(first.author().person));
}

std::vector<Message> Change::messages() const {
  std::vector<Message> all;
  for (const std::uint32_t number : metas_of(state(), number_in_table())) {
    const Commit meta(state(), number);
    const auto said = review_message_in(meta.message());
    if (!said) continue;
    const CommitText text = meta.text();
    all.push_back(
        {meta, said->patch_set, said->text, {text.author.person, text.committer.seconds, text.committer.zone}});
  }
  return all;
}

std::vector<IssueReference> Change::issues() const {
  std::vector<IssueReference> all;
  for (const IssueRefRow& row : state().git.issue_refs[change_row(state(), number_in_table()).issues])
    all.push_back({std::string(state().text(row.owner)), std::string(state().text(row.repo)), row.number});
  return all;
}

bool Change::references(std::string_view owner, std::string_view repo, std::int32_t number) const {
  const auto rows = state().git.issue_refs[change_row(state(), number_in_table()).issues];
  return std::any_of(rows.begin(), rows.end(), [&](const IssueRefRow& row) {
    return row.number == number && state().text(row.owner) == owner && state().text(row.repo) == repo;
  });
}

// ---- Project

NamedCommit NamedCommit::at(const State& state, std::uint32_t place) {
  const RefRow& row = state.git.refs[List{place, 1, 1}][0];
  return {state.text(row.name), Commit(state, row.commit)};
}

std::string_view Project::full_name() const { return state().text(state().git.projects[number_in_table()].name); }

std::string_view Project::server() const {
  const std::string_view name = full_name();
  return name.substr(0, name.find('/'));
}

std::string_view Project::name() const {
  const std::string_view name = full_name();
  const std::size_t slash = name.find('/');
  return slash == name.npos ? std::string_view() : name.substr(slash + 1);
}

Range<NamedCommit> Project::refs() const {
  const List& list = state().git.projects[number_in_table()].refs;
  return {state(), list.begin, list.size};
}

std::optional<Commit> Project::ref(std::string_view name) const {
  const auto rows = state().git.refs[state().git.projects[number_in_table()].refs];
  const auto at = std::lower_bound(rows.begin(), rows.end(), name, [&](const RefRow& row, std::string_view text) {
    return state().text(row.name) < text;
  });
  if (at == rows.end() || state().text(at->name) != name) return std::nullopt;
  return Commit(state(), at->commit);
}

std::optional<Change> Project::change(std::int32_t number) const {
  const auto found = find_change(state().git, number_in_table(), number);
  if (!found || !change_row(state(), *found).is_complete()) return std::nullopt;
  return Change(state(), *found);
}

std::vector<Change> Project::changes() const {
  std::vector<Change> all;
  for (const std::uint32_t number : state().git.numbers[state().git.projects[number_in_table()].changes])
    if (change_row(state(), number).is_complete()) all.emplace_back(state(), number);
  return all;
}

std::vector<Change> Project::open_changes() const {
  std::vector<Change> open = changes();
  std::erase_if(open,
                [](const Change& change) { return change.status() != ChangeStatus::new_ || change.is_private(); });
  return open;
}

std::size_t Project::changes_seen() const { return state().git.projects[number_in_table()].changes.size; }

Commit Project::commit(std::string_view hex) const {
  if (hex.size() != 40) throw QueryError("git hash \"" + std::string(hex) + "\" is not 40 characters");
  const std::optional<Hash> hash = hash_from(hex);
  if (!hash) throw QueryError("git hash \"" + std::string(hex) + "\" is not a valid hex string");
  const auto found = find_commit(state().git, *hash);
  if (!found || !project_has(state().git, number_in_table(), *found))
    throw QueryError("git commit " + std::string(hex) + " not found in project");
  return {state(), *found};
}

std::size_t Project::commits_seen() const { return state().git.projects[number_in_table()].commits; }

std::size_t Project::commits_needed() const {
  const auto& needed = state().git.needed.all();
  return static_cast<std::size_t>(
      std::count_if(needed.begin(), needed.end(), [&](std::uint64_t key) { return key >> 32U == number_in_table(); }));
}

std::uint64_t Project::label_changes() const { return state().git.projects[number_in_table()].label_changes; }

// ---- Gerrit

std::string normalized_server(std::string_view server) {
  if (const std::size_t scheme = server.find("://"); scheme != server.npos) server.remove_prefix(scheme + 3);
  server = server.substr(0, server.find('/'));
  constexpr std::string_view kReview = "-review.googlesource.com";
  if (!server.ends_with(kReview)) return std::string(server);
  return std::string(server.substr(0, server.size() - kReview.size())) + ".googlesource.com";
}

std::optional<Project> Gerrit::project(std::string_view server, std::string_view name) const {
  const auto found = find_project(*state_, normalized_server(server) + "/" + std::string(name));
  return found ? std::optional(Project(*state_, *found)) : std::nullopt;
}

std::vector<Project> Gerrit::projects() const {
  std::vector<Project> all;
  for (std::uint32_t i = 0; i < state_->git.projects.size(); ++i) all.emplace_back(*state_, i);
  std::sort(all.begin(), all.end(), [](const Project& a, const Project& b) { return a.full_name() < b.full_name(); });
  return all;
}

}  // namespace maintner
