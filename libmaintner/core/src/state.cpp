#include "state.h"

#include "hex.h"

namespace maintner {

std::uint64_t hash_of(std::string_view text) noexcept {
  std::uint64_t hash = mixed(text.size());
  while (text.size() >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data(), sizeof word);
    hash = mixed(hash ^ word);
    text.remove_prefix(8);
  }
  std::uint64_t word = 0;
  std::memcpy(&word, text.data(), text.size());
  return mixed(hash ^ word);
}

std::uint64_t hash_of(std::string_view a, std::string_view b) noexcept { return hash_of(hash_of(a), hash_of(b)); }

std::optional<std::uint32_t> find_user(const GithubState& state, std::int64_t id) {
  return state.user_index.find(mixed(static_cast<std::uint64_t>(id)), state.users.size(),
                               [&](std::uint32_t user) { return state.users[user].id == id; });
}

std::optional<std::uint32_t> find_repo(const State& state, std::string_view owner, std::string_view name) {
  const GithubState& github = state.github;
  return github.repo_index.find(hash_of(owner, name), github.repos.size(), [&](std::uint32_t repo) {
    const RepoRow& row = github.repos[repo];
    return state.text(row.owner) == owner && state.text(row.name) == name;
  });
}

std::optional<std::uint32_t> find_issue(const GithubState& state, std::uint32_t repo, std::int32_t number) {
  return state.issue_index.find(hash_of(repo, static_cast<std::uint32_t>(number)), state.issues.size(),
                                [&](std::uint32_t issue) {
                                  const IssueRow& row = state.issues[issue];
                                  return row.repo == repo && row.number == number;
                                });
}

std::optional<std::uint32_t> find_commit(const GitState& state, const Hash& hash) {
  return state.commit_index.find(bits_of(hash), state.commits.size(),
                                 [&](std::uint32_t commit) { return state.commits[commit].hash == hash; });
}

std::optional<std::uint32_t> find_project(const State& state, std::string_view name) {
  return state.git.project_index.find(hash_of(name), state.git.projects.size(), [&](std::uint32_t project) {
    return state.text(state.git.projects[project].name) == name;
  });
}

std::optional<std::uint32_t> find_change(const GitState& state, std::uint32_t project, std::int32_t number) {
  return state.change_index.find(hash_of(project, static_cast<std::uint32_t>(number)), state.changes.size(),
                                 [&](std::uint32_t change) {
                                   const ChangeRow& row = state.changes[change];
                                   return row.project == project && row.number == number;
                                 });
}

bool project_has(const GitState& state, std::uint32_t project, std::uint32_t commit) {
  const std::uint16_t first = state.commits[commit].project;
  if (first == 0) return false;
  if (first == project + 1 && first != CommitRow::kOtherProjects) return true;
  return state.also_in_index
      .find(hash_of(project, commit), state.also_in.size(),
            [&](std::uint32_t pair) {
              return state.also_in[pair].project == project && state.also_in[pair].commit == commit;
            })
      .has_value();
}

std::optional<Hash> hash_from(std::string_view hex) noexcept {
  Hash hash;
  if (hex.size() != 2 * hash.size() || !read_hash(hex.data(), hash.data())) return std::nullopt;
  return hash;
}

}  // namespace maintner
