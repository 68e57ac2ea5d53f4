// One pass over everything for the counts, each time; what is long (comments, patch sets, commits) is looked at once,
// and what is known of each issue and change says whether there is more. Only update() changes anything, so it reads
// without the lock and takes it to write, shortly, as often as it has to.

#include "catalog.h"

#include <maintner/query.h>

#include <algorithm>
#include <mutex>
#include <shared_mutex>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace maintner::web {

namespace {

constexpr std::size_t kHashBytes = 20, kPrefixBytes = 8, kBetweenLooks = 1024;

/// The first eight bytes, or fewer and zeros, as a number that sorts like them.
std::uint64_t prefix_number(std::string_view hash) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < kPrefixBytes; ++i)
    number = number << 8 | (i < hash.size() ? static_cast<unsigned char>(hash[i]) : 0);
  return number;
}

struct CommitEntry {
  std::uint64_t prefix = 0;
  std::uint32_t place = 0;  ///< in View::commits()
  friend auto operator<=>(const CommitEntry&, const CommitEntry&) = default;
};

struct PatchSetEntry {
  std::uint64_t prefix = 0;
  std::uint32_t project = 0;
  std::int32_t change = 0, patch_set = 0;
  friend auto operator<=>(const PatchSetEntry&, const PatchSetEntry&) = default;
};

/// `sorted` and `more`, of which nothing is known.
template <class Entry>
std::vector<Entry> merged(const std::vector<Entry>& sorted, std::vector<Entry> more) {
  std::sort(more.begin(), more.end());
  std::vector<Entry> all;
  all.reserve(sorted.size() + more.size());
  std::merge(sorted.begin(), sorted.end(), more.begin(), more.end(), std::back_inserter(all));
  return all;
}

std::string issue_key(std::string_view owner, std::string_view repo, std::int32_t number) {
  std::string key(owner);
  key += '/';
  key += repo;
  for (char& c : key)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return key + '#' + std::to_string(number);
}

void keep_newest(std::optional<Time>& newest, const std::optional<Time>& time) {
  if (time && (!newest || *newest < *time)) newest = time;
}

struct Said {
  std::uint32_t repo = 0;
  std::int32_t issue = 0;
  std::int64_t id = 0, seconds = 0;
};

struct ChangeKey {
  std::uint32_t project = 0;
  std::int32_t number = 0;
};

struct KnownProject {
  std::string server, name;
  std::unordered_map<std::int32_t, std::int32_t> versions;  ///< the patch set up to which a change was looked at
};

struct KnownRepo {
  std::string owner, name;
  std::unordered_map<std::int32_t, std::size_t> comments;  ///< how many of an issue's were looked at
};

/// Asks one question of each kind, so that nobody waits until the indexes for it are made, or brought up to date.
void keep_up_indexes(const View& view) {
  constexpr const char* kNobody = "\n";
  for (const Repo& repo : view.github().repos()) find_issues(repo, {.closed = std::nullopt, .author = kNobody});
  for (const Project& project : view.gerrit().projects())
    find_changes(project, {.status = std::nullopt, .reviewer = kNobody});
  find_commits(view, {.author = kNobody, .limit = 1});
  find_user(view, kNobody);
}

}  // namespace

struct Catalog::Impl {
  void update(const View& view, const std::atomic<bool>& stop);

  mutable std::shared_mutex mutex;
  std::shared_ptr<const Counts> counts;
  std::vector<KnownRepo> repos;
  std::vector<KnownProject> projects;
  std::unordered_map<std::int64_t, std::vector<Said>> said;
  std::unordered_map<std::string, std::vector<ChangeKey>> naming;
  std::unordered_map<std::int32_t, std::vector<std::uint32_t>> projects_with;  ///< a change of that number
  std::unordered_map<std::int64_t, std::string> accounts;
  std::vector<CommitEntry> commits;
  std::vector<PatchSetEntry> patch_sets;

  // update()'s own.
  std::uint32_t commits_seen = 0;
  std::string last_hash;               ///< that of the last of them
  std::vector<std::uint32_t> missing;  ///< places of commits that had been named only
  std::unordered_map<std::string, AuthorCounts> authors;

  std::optional<Change> find(const View& view, std::uint32_t project, std::int32_t number) const {
    const auto found = view.gerrit().project(projects[project].server, projects[project].name);
    return found ? found->change(number) : std::nullopt;
  }
  std::optional<Commit> find(const View& view, const CommitEntry& entry) const {
    const auto all = view.commits();
    if (entry.place >= all.size()) return std::nullopt;
    const Commit commit = all[entry.place];
    return prefix_number(commit.hash()) == entry.prefix ? std::optional(commit) : std::nullopt;
  }

 private:
  using Users = std::unordered_map<std::int64_t, UserCounts>;

  void forget_if_other(const View& view);
  std::uint32_t number_of(const Repo& repo);
  std::uint32_t number_of(const Project& project);
  RepoCounts count_repo(const Repo& repo, Users& users, const std::atomic<bool>& stop);
  void read_comments(const Issue& issue, std::uint32_t repo);
  ProjectCounts count_project(const Project& project, std::vector<PatchSetEntry>& entries,
                              const std::atomic<bool>& stop);
  void read_change(const Change& change, std::uint32_t project, std::vector<PatchSetEntry>& entries);
  void read_commit(const Commit& commit, std::uint32_t place, std::vector<CommitEntry>& entries);
  void read_commits(const View& view, const std::atomic<bool>& stop);
};

void Catalog::Impl::forget_if_other(const View& view) {
  const auto all = view.commits();
  const bool same = all.size() >= commits_seen && (counts == nullptr || counts->mutations <= view.mutations()) &&
                    (commits_seen == 0 || all[commits_seen - 1].hash() == last_hash);
  if (same) return;
  const std::lock_guard lock(mutex);
  repos.clear();
  projects.clear();
  said.clear();
  naming.clear();
  projects_with.clear();
  accounts.clear();
  commits.clear();
  patch_sets.clear();
  commits_seen = 0;
  missing.clear();
  authors.clear();
}

std::uint32_t Catalog::Impl::number_of(const Repo& repo) {
  for (std::uint32_t i = 0; i < repos.size(); ++i)
    if (repos[i].name == repo.name() && repos[i].owner == repo.owner()) return i;
  const std::lock_guard lock(mutex);
  repos.push_back({std::string(repo.owner()), std::string(repo.name()), {}});
  return static_cast<std::uint32_t>(repos.size() - 1);
}

std::uint32_t Catalog::Impl::number_of(const Project& project) {
  for (std::uint32_t i = 0; i < projects.size(); ++i)
    if (projects[i].name == project.name() && projects[i].server == project.server()) return i;
  const std::lock_guard lock(mutex);
  projects.push_back({std::string(project.server()), std::string(project.name()), {}});
  return static_cast<std::uint32_t>(projects.size() - 1);
}

void Catalog::Impl::read_comments(const Issue& issue, std::uint32_t repo) {
  const auto comments = issue.comments();
  std::size_t& known = repos[repo].comments[issue.number()];
  if (comments.size() == known) return;
  const std::lock_guard lock(mutex);
  // They are in order of time: what is new is nearly always at the end. Otherwise some are there twice, and one is not.
  for (std::size_t i = std::min(known, comments.size()); i < comments.size(); ++i) {
    const Comment comment = comments[i];
    if (!comment.user) continue;
    said[comment.user->id()].push_back(
        {repo, issue.number(), comment.id, comment.created ? comment.created->seconds : 0});
  }
  known = comments.size();
}

RepoCounts Catalog::Impl::count_repo(const Repo& repo, Users& users, const std::atomic<bool>& stop) {
  RepoCounts counted{.owner = std::string(repo.owner()), .name = std::string(repo.name())};
  const std::uint32_t number = number_of(repo);
  std::size_t looked_at = 0;
  for (const Issue& issue : repo.issues()) {
    if (++looked_at % kBetweenLooks == 0 && stop) break;
    if (issue.not_exist()) continue;
    const bool pull = issue.pull_request(), closed = issue.closed();
    ++(pull ? (closed ? counted.closed_pulls : counted.open_pulls)
            : (closed ? counted.closed_issues : counted.open_issues));
    keep_newest(counted.newest, issue.updated());
    if (const auto user = issue.user()) {
      UserCounts& his = users[user->id()];
      ++(pull ? his.pulls : his.issues);
    }
    for (const User& user : issue.assignees()) ++users[user.id()].assigned;
    read_comments(issue, number);
  }
  return counted;
}

void Catalog::Impl::read_change(const Change& change, std::uint32_t project, std::vector<PatchSetEntry>& entries) {
  const std::int32_t version = change.version();
  const auto known = projects[project].versions.find(change.number());
  if (known != projects[project].versions.end() && known->second >= version) return;
  const bool is_new = known == projects[project].versions.end();
  for (std::int32_t i = is_new ? 1 : known->second + 1; i <= version; ++i)
    if (const auto commit = change.commit_at(i))
      entries.push_back({prefix_number(commit->hash()), project, change.number(), i});
  const auto owner = change.owner();
  if (is_new && owner) {
    AuthorCounts& author = authors[std::string(person_email(owner->person))];
    author.name = person_name(owner->person);
    ++author.changes;
  }
  const std::lock_guard lock(mutex);
  projects[project].versions[change.number()] = version;
  if (is_new) projects_with[change.number()].push_back(project);
  if (owner && change.owner_id() >= 0) accounts[change.owner_id()] = person_name(owner->person);
  for (const IssueReference& reference : change.issues()) {
    auto& all = naming[issue_key(reference.owner, reference.repo, reference.number)];
    const bool there = std::any_of(all.begin(), all.end(), [&](const ChangeKey& key) {
      return key.project == project && key.number == change.number();
    });
    if (!there) all.push_back({project, change.number()});
  }
}

ProjectCounts Catalog::Impl::count_project(const Project& project, std::vector<PatchSetEntry>& entries,
                                           const std::atomic<bool>& stop) {
  ProjectCounts counted{.server = std::string(project.server()), .name = std::string(project.name())};
  const std::uint32_t number = number_of(project);
  std::size_t looked_at = 0;
  for (const Change& change : project.changes()) {
    if (++looked_at % kBetweenLooks == 0 && stop) break;
    if (change.is_private()) continue;
    const ChangeStatus status = change.status();
    ++(status == ChangeStatus::merged      ? counted.merged
       : status == ChangeStatus::abandoned ? counted.abandoned
                                           : counted.open);
    keep_newest(counted.newest, Time{change.meta().commit().committer().seconds, 0});
    read_change(change, number, entries);
  }
  return counted;
}

void Catalog::Impl::read_commit(const Commit& commit, std::uint32_t place, std::vector<CommitEntry>& entries) {
  if (commit.is_placeholder()) {
    missing.push_back(place);
    return;
  }
  const std::string_view person = commit.author().person, email = person_email(person);
  // Gerrit's own, of which changes' histories consist.
  if (account_id_of(email) >= 0) return;
  entries.push_back({prefix_number(commit.hash()), place});
  AuthorCounts& author = authors[std::string(email)];
  if (author.name.empty()) author.name = person_name(person);
  ++author.commits;
}

void Catalog::Impl::read_commits(const View& view, const std::atomic<bool>& stop) {
  const auto all = view.commits();
  std::vector<CommitEntry> entries;
  for (const std::uint32_t place : std::exchange(missing, {})) read_commit(all[place], place, entries);
  while (commits_seen < all.size()) {
    if (commits_seen % kBetweenLooks == 0 && stop) return;
    read_commit(all[commits_seen], commits_seen, entries);
    ++commits_seen;
  }
  if (commits_seen > 0) last_hash = all[commits_seen - 1].hash();
  if (entries.empty()) return;
  std::vector<CommitEntry> both = merged(commits, std::move(entries));
  const std::lock_guard lock(mutex);
  commits.swap(both);
}

void Catalog::Impl::update(const View& view, const std::atomic<bool>& stop) {
  forget_if_other(view);
  auto made = std::make_shared<Counts>();
  made->mutations = view.mutations();
  Users users;
  for (const Repo& repo : view.github().repos()) made->repos.push_back(count_repo(repo, users, stop));
  for (const auto& [id, list] : said) users[id].comments = list.size();
  std::vector<PatchSetEntry> entries;
  for (const Project& project : view.gerrit().projects())
    made->projects.push_back(count_project(project, entries, stop));
  if (!entries.empty()) {
    std::vector<PatchSetEntry> both = merged(patch_sets, std::move(entries));
    const std::lock_guard lock(mutex);
    patch_sets.swap(both);
  }
  if (stop) return;
  read_commits(view, stop);
  if (stop) return;
  for (auto& [id, counted] : users) {
    const auto user = view.github().user(id);
    if (!user || user->login().empty()) continue;
    counted.login = user->login();
    made->users.push_back(std::move(counted));
  }
  for (const auto& [email, counted] : authors)
    made->authors.push_back({counted.name, email, counted.commits, counted.changes});
  std::sort(made->users.begin(), made->users.end(), [](const UserCounts& a, const UserCounts& b) {
    const auto all = [](const UserCounts& c) { return c.issues + c.pulls + c.comments; };
    return std::tuple(all(b), std::string_view(a.login)) < std::tuple(all(a), std::string_view(b.login));
  });
  std::sort(made->authors.begin(), made->authors.end(), [](const AuthorCounts& a, const AuthorCounts& b) {
    return std::tuple(b.commits, std::string_view(a.email)) < std::tuple(a.commits, std::string_view(b.email));
  });
  {
    const std::lock_guard lock(mutex);
    counts = std::move(made);
  }
  keep_up_indexes(view);
}

Catalog::Catalog() : impl_(std::make_unique<Impl>()) {}
Catalog::~Catalog() = default;

void Catalog::update(const View& view, const std::atomic<bool>& stop) { impl_->update(view, stop); }

std::shared_ptr<const Counts> Catalog::counts() const {
  const std::shared_lock lock(impl_->mutex);
  return impl_->counts;
}

std::uint64_t Catalog::mutations() const {
  const auto all = counts();
  return all ? all->mutations : 0;
}

std::optional<Change> Catalog::change(const View& view, std::string_view server, std::int32_t number) const {
  const std::shared_lock lock(impl_->mutex);
  const auto found = impl_->projects_with.find(number);
  if (found == impl_->projects_with.end()) return std::nullopt;
  for (const std::uint32_t project : found->second) {
    if (!server.empty() && impl_->projects[project].server != server) continue;
    const auto change = impl_->find(view, project, number);
    if (change && !change->is_private()) return change;
  }
  return std::nullopt;
}

std::optional<std::pair<Change, std::int32_t>> Catalog::change_of(const View& view, const Commit& commit) const {
  const std::shared_lock lock(impl_->mutex);
  const auto& all = impl_->patch_sets;
  const PatchSetEntry first{prefix_number(commit.hash()), 0, 0, 0};
  for (auto at = std::lower_bound(all.begin(), all.end(), first); at != all.end() && at->prefix == first.prefix; ++at) {
    const auto change = impl_->find(view, at->project, at->change);
    if (!change || change->is_private()) continue;
    const auto patch_set = change->commit_at(at->patch_set);
    if (patch_set && patch_set->hash() == commit.hash()) return std::pair(*change, at->patch_set);
  }
  return std::nullopt;
}

std::vector<Change> Catalog::changes_naming(const View& view, const Issue& issue) const {
  const Repo repo = issue.repo();
  std::vector<Change> changes;
  const std::shared_lock lock(impl_->mutex);
  const auto found = impl_->naming.find(issue_key(repo.owner(), repo.name(), issue.number()));
  if (found == impl_->naming.end()) return changes;
  for (const ChangeKey& key : found->second) {
    const auto change = impl_->find(view, key.project, key.number);
    if (!change || change->is_private()) continue;
    const std::string wanted = issue_key(repo.owner(), repo.name(), issue.number());
    for (const IssueReference& reference : change->issues())
      if (issue_key(reference.owner, reference.repo, reference.number) == wanted) {
        changes.push_back(*change);
        break;
      }
  }
  std::sort(changes.begin(), changes.end(), [](const Change& a, const Change& b) { return a.number() > b.number(); });
  return changes;
}

std::pair<std::vector<CommentPlace>, std::size_t> Catalog::comments_by(std::int64_t user, std::size_t limit) const {
  const std::shared_lock lock(impl_->mutex);
  const auto found = impl_->said.find(user);
  if (found == impl_->said.end()) return {};
  std::vector<Said> newest(std::min(limit, found->second.size()));
  std::partial_sort_copy(
      found->second.begin(), found->second.end(), newest.begin(), newest.end(),
      [](const Said& a, const Said& b) { return std::tie(b.seconds, b.id) < std::tie(a.seconds, a.id); });
  std::vector<CommentPlace> places;
  places.reserve(newest.size());
  for (const Said& one : newest)
    places.push_back({impl_->repos[one.repo].owner, impl_->repos[one.repo].name, one.issue, one.id, one.seconds});
  return {std::move(places), found->second.size()};
}

std::vector<Commit> Catalog::commits_with(const View& view, std::string_view prefix, std::size_t limit) const {
  std::vector<Commit> found;
  std::string least(prefix);
  least.resize(2 * kHashBytes, '0');
  const auto hash = hash_from_hex(least);
  if (!hash) return found;
  const std::shared_lock lock(impl_->mutex);
  const auto& all = impl_->commits;
  const std::uint64_t first = prefix_number(*hash);
  for (auto at = std::lower_bound(all.begin(), all.end(), CommitEntry{first, 0}); at != all.end(); ++at) {
    const auto commit = impl_->find(view, *at);
    if (!commit) {
      if (at->prefix == first) continue;
      break;
    }
    const std::string hex = commit->hex();
    if (hex.compare(0, std::min<std::size_t>(prefix.size(), 2 * kPrefixBytes), prefix.substr(0, 2 * kPrefixBytes)) != 0)
      break;
    if (!hex.starts_with(prefix)) continue;
    found.push_back(*commit);
    if (found.size() == limit) break;
  }
  return found;
}

std::string Catalog::account_name(std::int64_t account) const {
  const std::shared_lock lock(impl_->mutex);
  const auto found = impl_->accounts.find(account);
  return found == impl_->accounts.end() ? std::string() : found->second;
}

}  // namespace maintner::web
