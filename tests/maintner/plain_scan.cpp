#include "plain_scan.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <string>
#include <utility>

using namespace maintner;

namespace plain_scan {

namespace {

bool is_person(std::string_view person, const std::string& who) {
  const std::string_view email = person_email(person);
  const std::int64_t account = account_id_of(email);
  return person_name(person) == who || email == who || (account >= 0 && std::to_string(account) == who);
}

bool fits(const Issue& issue, const IssueQuery& query) {
  if (issue.not_exist()) return false;
  if (query.closed && *query.closed != issue.closed()) return false;
  if (query.pull_request && *query.pull_request != issue.pull_request()) return false;
  for (const std::string& label : query.labels)
    if (!issue.has_label(label)) return false;
  if (!query.milestone.empty() && (!issue.milestone() || issue.milestone()->title() != query.milestone)) return false;
  if (!query.author.empty() && (!issue.user() || issue.user()->login() != query.author)) return false;
  const auto assignees = issue.assignees();
  return query.assignee.empty() || std::any_of(assignees.begin(), assignees.end(),
                                               [&](const User& user) { return user.login() == query.assignee; });
}

bool fits(const Change& change, const ChangeQuery& query) {
  if (change.is_private() && !query.with_private) return false;
  if (query.status && *query.status != change.status()) return false;
  if (!query.branch.empty() && change.branch() != query.branch) return false;
  if (!query.hashtag.empty()) {
    const auto tags = split_hashtags(change.hashtags());
    if (std::find(tags.begin(), tags.end(), query.hashtag) == tags.end()) return false;
  }
  if (!query.reviewer.empty()) {
    const auto all = reviewers_of(change);
    if (std::none_of(all.begin(), all.end(), [&](std::string_view who) { return is_person(who, query.reviewer); }))
      return false;
  }
  if (query.owner.empty()) return true;
  const auto owner = change.owner();
  return (owner && is_person(owner->person, query.owner)) ||
         is_person(change.metas().front().commit().author().person, query.owner);
}

Time committed(const Commit& commit) { return {commit.committer().seconds, 0}; }

bool fits(const Commit& commit, const CommitQuery& query) {
  if (commit.is_placeholder()) return false;
  if (query.from && committed(commit) < *query.from) return false;
  if (query.until && committed(commit) >= *query.until) return false;
  if (!query.author.empty() && !is_person(commit.author().person, query.author)) return false;
  if (query.path.empty()) return true;
  const auto files = commit.files();
  return std::any_of(files.begin(), files.end(), [&](const File& file) {
    return query.path.ends_with('/') ? file.name.starts_with(query.path) : file.name == query.path;
  });
}

std::string lower(std::string_view text) {
  std::string result;
  for (const char c : text) result += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return result;
}

bool is_word_part(char c) { return c == '_' || (c & 0x80) != 0 || std::isalnum(static_cast<unsigned char>(c)) != 0; }

std::size_t find_word(const std::string& text, const std::string& word) {
  for (std::size_t at = text.find(word); at != text.npos; at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at == 0 || !is_word_part(text[at - 1])) && (end == text.size() || !is_word_part(text[end]))) return at;
  }
  return text.npos;
}

std::size_t find(std::string_view text, const TextQuery& query) {
  const std::string in = lower(text), what = lower(query.text);
  if (!query.words) return in.find(what);
  std::size_t first = in.npos;
  for (std::size_t i = 0; i < what.size();) {
    if (!is_word_part(what[i])) {
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < what.size() && is_word_part(what[end])) ++end;
    const std::size_t at = find_word(in, what.substr(i, end - i));
    if (at == in.npos) return at;
    first = std::min(first, at);
    i = end;
  }
  return first;
}

}  // namespace

std::vector<Issue> find_issues(const Repo& repo, const IssueQuery& query) {
  std::vector<Issue> found;
  for (const Issue& issue : repo.issues())
    if (fits(issue, query)) found.push_back(issue);
  return found;
}

std::vector<Change> find_changes(const Project& project, const ChangeQuery& query) {
  std::vector<Change> found;
  for (const Change& change : project.changes())
    if (fits(change, query)) found.push_back(change);
  return found;
}

std::vector<Commit> find_commits(const View& view, const CommitQuery& query) {
  std::vector<Commit> found;
  for (const Commit& commit : view.commits())
    if (fits(commit, query)) found.push_back(commit);
  std::stable_sort(found.begin(), found.end(),
                   [](const Commit& a, const Commit& b) { return committed(a) > committed(b); });
  if (found.size() > query.limit) found.erase(found.begin() + static_cast<std::ptrdiff_t>(query.limit), found.end());
  return found;
}

TextHits search(const View& view, const TextQuery& query) {
  TextHits all;
  const auto look = [&](TextKind kind, const auto& thing, std::int64_t id, std::optional<Time> time,
                        std::string_view text) {
    if (!query.kinds.empty() && std::find(query.kinds.begin(), query.kinds.end(), kind) == query.kinds.end()) return;
    const std::size_t at = find(text, query);
    if (at != text.npos) all.hits.push_back({kind, thing, id, time, text, at});
  };
  for (const Repo& repo : view.github().repos()) {
    for (const Issue& issue : repo.issues()) {
      if (issue.not_exist()) continue;
      look(TextKind::title, issue, 0, issue.created(), issue.title());
      look(TextKind::body, issue, 0, issue.created(), issue.body());
      for (const Comment& comment : issue.comments())
        look(TextKind::comment, issue, comment.id, comment.created, comment.body);
      for (const Review& review : issue.reviews())
        look(TextKind::review, issue, review.id(), review.created(), review.body());
    }
  }
  std::set<std::string_view> passed_over;
  for (const Project& project : view.gerrit().projects()) {
    for (const Change& change : project.changes()) {
      for (const Meta& meta : change.metas()) passed_over.insert(meta.commit().hash());
      for (std::int32_t version = 1; version < change.version(); ++version)
        if (const auto commit = change.commit_at(version); commit && *commit != change.commit())
          passed_over.insert(commit->hash());
      if (change.is_private()) continue;
      std::int64_t index = 0;
      for (const Message& message : change.messages())
        look(TextKind::message, change, index++, Time{message.author.seconds, 0}, message.text);
    }
  }
  for (const Commit& commit : view.commits())
    if (!commit.is_placeholder() && !passed_over.contains(commit.hash()))
      look(TextKind::commit, commit, 0, committed(commit), commit.message());
  std::stable_sort(all.hits.begin(), all.hits.end(),
                   [](const TextHit& a, const TextHit& b) { return a.time > b.time; });
  all.total = all.hits.size();
  if (all.hits.size() > query.limit)
    all.hits.erase(all.hits.begin() + static_cast<std::ptrdiff_t>(query.limit), all.hits.end());
  return all;
}

}  // namespace plain_scan
