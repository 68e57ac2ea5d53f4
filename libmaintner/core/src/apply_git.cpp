#include "apply_git.h"

#include <maintner/commit_text.h>

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

namespace maintner {

namespace {

/// Commits of which the index is asked for ahead, so that memory has the time to answer.
constexpr std::size_t kAhead = 8;

}  // namespace

void GitApplier::begin_batch(bool first) {
  std::apply([&](auto&... table) { (table.begin_batch(state_.batch), ...); },
             std::tie(git_.commits, git_.hg, git_.projects, git_.changes, git_.also_in));
  std::apply([&](auto&... lists) { (lists.begin_batch(first), ...); },
             std::tie(git_.numbers, git_.parents, git_.refs, git_.patch_sets, git_.issue_refs));
  git_.needed.begin_batch();
}

void GitApplier::apply(const Digest& digest) {
  std::uint32_t current = kNone;
  std::size_t ahead = 0;
  for (const GitStep& step : digest.git) {
    if (step.what == GitStep::What::commit) {
      for (; ahead < std::min<std::size_t>(step.index + kAhead, digest.commits.size()); ++ahead) {
        const CommitDigest& commit = digest.commits[ahead];
        git_.commit_index.prefetch(bits_of(commit.hash));
        if (commit.parents_count > 0) git_.commit_index.prefetch(bits_of(digest.hashes[commit.parents_begin]));
      }
    }
    switch (step.what) {
      case GitStep::What::project:
        current = step.text.empty() ? kNone : project(step.text);
        break;
      case GitStep::What::commit:
        take_commit(digest.commits[step.index], digest, current);
        break;
      case GitStep::What::delete_ref:
        delete_ref(current, step.text);
        break;
      case GitStep::What::ref:
        take_ref(current, step.text, digest.hashes[step.index]);
        break;
      case GitStep::What::change_ref:
        take_change_ref(current, digest.change_refs[step.index]);
        break;
    }
  }
}

// ---- things that are known by a name

std::uint32_t GitApplier::commit(const Hash& hash) {
  if (const auto found = find_commit(git_, hash)) return *found;
  CommitRow row;
  row.hash = hash;
  const std::uint32_t number = git_.commits.append(row);
  git_.commit_index.add(bits_of(hash), number);
  return number;
}

std::uint32_t GitApplier::project(std::string_view name) {
  if (name == last_project_ && last_project_number_ != kNone) return last_project_number_;
  std::optional<std::uint32_t> found = find_project(state_, name);
  if (!found) {
    ProjectRow row;
    row.name = state_.ref_of(name);
    found = git_.projects.append(row);
    git_.project_index.add(hash_of(name), *found);
  }
  last_project_ = name;
  last_project_number_ = *found;
  return *found;
}

std::uint32_t GitApplier::change(std::uint32_t project, std::int32_t number) {
  if (const auto found = find_change(git_, project, number)) return *found;
  ChangeRow row;
  row.number = number;
  row.project = project;
  const std::uint32_t change = git_.changes.append(row);
  git_.change_index.add(hash_of(project, static_cast<std::uint32_t>(number)), change);
  List& changes = git_.projects.edit(project).changes;
  const auto items = std::as_const(git_.numbers)[changes];
  const auto number_of = [&](std::uint32_t i) { return git_.changes[i].number; };
  std::size_t at = items.size();
  if (!items.empty() && number_of(items.back()) > number) {
    at = static_cast<std::size_t>(std::upper_bound(items.begin(), items.end(), number,
                                                   [&](std::int32_t n, std::uint32_t i) { return n < number_of(i); }) -
                                  items.begin());
  }
  git_.numbers.insert(changes, static_cast<std::uint32_t>(at), change);
  return change;
}

// ---- commits

void GitApplier::take_commit(const CommitDigest& digest_of_it, const Digest& digest, std::uint32_t project) {
  const std::uint32_t number = commit(digest_of_it.hash);
  const bool known = !git_.commits[number].is_placeholder();
  CommitRow& row = git_.commits.edit(number);
  row.raw = digest_of_it.raw;
  row.diff = digest_of_it.diff;
  row.message = digest_of_it.message;
  row.meta = digest_of_it.meta;
  row.files_unsorted = digest_of_it.files_unsorted;
  if (project != kNone) belongs(number, project);
  take_parents(row, digest_of_it, digest, project);
  if (digest_of_it.hg.size() > 0 && !known) git_.hg.append({digest_of_it.hg, number, 0});
}

void GitApplier::take_parents(CommitRow& row, const CommitDigest& commit_digest, const Digest& digest,
                              std::uint32_t project) {
  std::uint32_t list = 0;
  if (commit_digest.parents_count > 1) {
    List all;
    git_.parents.append(all, commit_digest.parents_count);
    for (std::uint32_t i = 0; i < commit_digest.parents_count; ++i)
      git_.parents.append(all, commit(digest.hashes[commit_digest.parents_begin + i]));
    list = all.begin;
    row.parent = CommitRow::kMore | list;
  } else if (commit_digest.parents_count == 1) {
    row.parent = commit(digest.hashes[commit_digest.parents_begin]);
  } else {
    row.parent = kNone;
  }
  if (project == kNone) return;
  for_each_parent(git_, row, [&](std::uint32_t parent) {
    if (!project_has(git_, project, parent)) git_.needed.insert(PairRow{project, parent}.key());
  });
}

/// Only the first project stands in the commit's own row.
void GitApplier::belongs(std::uint32_t number, std::uint32_t project) {
  if (project_has(git_, project, number)) return;
  git_.needed.erase(PairRow{project, number}.key());
  ++git_.projects.edit(project).commits;
  CommitRow& row = git_.commits.edit(number);
  if (row.project == 0 && project + 1 < CommitRow::kOtherProjects) {
    row.project = static_cast<std::uint16_t>(project + 1);
    return;
  }
  if (row.project == 0) row.project = CommitRow::kOtherProjects;
  git_.also_in_index.add(hash_of(project, number), git_.also_in.append({project, number}));
}

// ---- refs

void GitApplier::take_ref(std::uint32_t project, std::string_view name, const Hash& hash) {
  const std::optional<std::uint32_t> commit = find_commit(git_, hash);
  if (name.starts_with("refs/meta/") || !commit) return;
  List& refs = git_.projects.edit(project).refs;
  const auto items = std::as_const(git_.refs)[refs];
  const auto before = [&](const RefRow& row, std::string_view text) { return state_.text(row.name) < text; };
  const auto at =
      static_cast<std::uint32_t>(std::lower_bound(items.begin(), items.end(), name, before) - items.begin());
  if (at < items.size() && state_.text(items[at].name) == name)
    git_.refs.edit(refs)[at].commit = *commit;
  else
    git_.refs.insert(refs, at, {state_.ref_of(name), *commit, 0});
}

void GitApplier::delete_ref(std::uint32_t project, std::string_view name) {
  List& refs = git_.projects.edit(project).refs;
  const auto items = std::as_const(git_.refs)[refs];
  for (std::uint32_t i = 0; i < items.size(); ++i) {
    if (state_.text(items[i].name) != name) continue;
    return git_.refs.erase(refs, i);
  }
}

void GitApplier::take_change_ref(std::uint32_t project, const ChangeRefDigest& ref) {
  const std::optional<std::uint32_t> named = find_commit(git_, ref.hash);
  if (!named) return;
  const std::uint32_t commit = *named, index = change(project, ref.change);
  const std::int32_t version = ref.patch_set;
  ChangeRow& row = git_.changes.edit(index);
  if (version == 0) {
    row.meta = commit;
    if (!row.waits) waiting_.push_back(index);
    row.waits = true;
    return;
  }
  row.commit = commit;
  row.version = compat_ ? version : std::max(version, row.version);
  if (row.version != version) row.commit = git_.patch_sets[row.patch_sets].back().commit;
  const auto items = std::as_const(git_.patch_sets)[row.patch_sets];
  const auto before = [](const PatchSetRow& patch_set, std::int32_t v) { return patch_set.version < v; };
  const auto at =
      static_cast<std::uint32_t>(std::lower_bound(items.begin(), items.end(), version, before) - items.begin());
  if (at < items.size() && items[at].version == version)
    git_.patch_sets.edit(row.patch_sets)[at].commit = commit;
  else
    git_.patch_sets.insert(row.patch_sets, at, {version, commit});
  take_issue_refs(row);
}

void GitApplier::take_issue_refs(ChangeRow& change) {
  const CommitRow& commit = git_.commits[change.commit];
  const std::string_view raw = state_.text(commit.raw),
                         message = raw.substr(std::min<std::size_t>(commit.message, raw.size()));
  static const IssueReference kGo{"golang", "go", 0};
  const bool is_go = state_.text(git_.projects[change.project].name) == "go.googlesource.com/go";
  change.issues = List{};
  if (message.find('#') == message.npos) return;
  std::vector<IssueRefRow> rows;
  for (const IssueReference& reference : issue_references(message, is_go ? &kGo : nullptr)) {
    auto& [owner, repo] = named_[{reference.owner, reference.repo}];
    if (owner.size() == 0) {
      owner = state_.ref_of(state_.space->keep(reference.owner));
      repo = state_.ref_of(state_.space->keep(reference.repo));
    }
    rows.push_back({owner, repo, reference.number, 0});
  }
  git_.issue_refs.assign(change.issues, rows);
}

// ---- metas

void GitApplier::finish() {
  for (const std::uint32_t index : waiting_) {
    ChangeRow& row = git_.changes.edit(index);
    row.waits = false;
    look_at_metas(row);
  }
  waiting_.clear();
}

void GitApplier::look_at_metas(ChangeRow& change) {
  metas_.clear();
  // A history that leads to itself would need a hash that cannot be made; a log may say so all the same. Then it comes
  // back to this one.
  std::uint32_t mark = kNone;
  std::size_t next_mark = 1;
  for (std::uint32_t at = change.meta; at != kNone; at = git_.commits[at].parent) {
    if ((at & CommitRow::kMore) != 0 || at == mark) return;
    metas_.push_back(at);
    if (metas_.size() != next_mark) continue;
    mark = at;
    next_mark *= 2;
  }
  std::reverse(metas_.begin(), metas_.end());
  std::uint32_t labels = 0;
  for (const std::uint32_t meta : metas_) {
    const std::uint8_t mark = git_.commits[meta].meta;
    if ((mark & MetaMark::kStatus) != 0) change.status = static_cast<std::uint8_t>((mark & MetaMark::kStatus) - 1);
    if ((mark & MetaMark::kPrivate) != 0) change.is_private = true;
    if ((mark & MetaMark::kNotPrivate) != 0 && !compat_) change.is_private = false;
    if ((mark & MetaMark::kLabels) != 0) ++labels;
  }
  ProjectRow& project = git_.projects.edit(change.project);
  project.label_changes += labels;
  if (!compat_) project.label_changes -= change.labels;
  change.labels = labels;
  const auto known = std::as_const(git_.numbers)[change.metas];
  const bool continues = known.size() <= metas_.size() && std::equal(known.begin(), known.end(), metas_.begin());
  if (!continues) return git_.numbers.assign(change.metas, metas_);
  for (std::size_t i = known.size(); i < metas_.size(); ++i) git_.numbers.append(change.metas, metas_[i]);
}

}  // namespace maintner
