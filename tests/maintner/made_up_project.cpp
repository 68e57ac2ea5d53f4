#include "made_up_project.h"

#include <maintner/mutation.h>

#include <deque>

namespace maintner {

namespace {

constexpr int kIssues = 60, kLabels = 6, kMilestones = 4, kUsers = 7, kChanges = 25, kFiles = 12;

}  // namespace

const std::vector<std::string>& MadeUpProject::words() {
  static const std::vector<std::string> all{"race",  "Race",       "trace",        "net/http", "flaky",
                                            "FLAKY", "time.Sleep", "na\xc3\xafve", "x",        "timeout",
                                            "in",    "the",        "scheduler"};
  return all;
}

std::string MadeUpProject::sentence() {
  std::string text;
  for (int i = one_of(14); i >= 0; --i)
    text += (text.empty() ? "" : chance(80) ? " " : "-") + words()[static_cast<std::size_t>(one_of(13))];
  return text;
}

std::string MadeUpProject::hash_of(int number) {
  std::string hex = std::to_string(number * 7919);
  return std::string(40 - hex.size(), 'a') + hex;
}

std::string MadeUpProject::person() {
  const std::string number = std::to_string(one_of(kUsers) + 1);
  return chance(50) ? "User " + number + " <user" + number + "@example.org>"
                    : "Account " + number + " <500" + number + "@server>";
}

void MadeUpProject::step(RecordWriter& writer) {
  time_ += one_of(5000);
  const int what = one_of(100);
  if (what < 50) return touch_issue(writer);
  if (what < 55) return rename_something(writer);
  if (what < 80) return touch_change(writer);
  commit(writer);
}

void MadeUpProject::touch_issue(RecordWriter& writer) {
  std::deque<std::string> texts;
  const auto kept = [&](std::string text) -> std::string_view { return texts.emplace_back(std::move(text)); };
  const auto named = [&](const char* kind, int number) { return kept(kind + std::to_string(number)); };
  Mutation mutation;
  GithubIssueMutation& issue = mutation.github_issue.emplace();
  issue.owner = "golang";
  issue.repo = named("repo", one_of(kRepos));
  issue.number = one_of(kIssues) + 1;
  const Timestamp now{time_, 0, {}};
  if (chance(3)) {
    issue.not_exist = true;
    writer.append(encode(mutation));
    return;
  }
  issue.created = Timestamp{1'600'000'000 + issue.number, 0, {}};
  issue.updated = now;
  if (chance(60)) issue.title = kept(sentence());
  if (chance(40)) issue.body_change = StringChange{kept(sentence()), {}};
  const int user = issue.number % kUsers + 1;
  issue.user = GithubUser{user, named("user", user), {}};
  issue.pull_request = issue.number % 3 == 0;
  if (chance(30)) issue.closed = BoolChange{chance(50), {}};
  // Numbers of labels and milestones are a repository's own.
  const int base = issue.repo.back() == '0' ? 100 : 200;
  if (chance(50)) {
    const int label = one_of(kLabels);
    issue.add_label.push_back({base + label, named("label", label / 2 * 2), {}});  // two have one name
  }
  if (chance(20)) issue.remove_label.push_back(base + one_of(kLabels));
  if (chance(40)) {
    const int milestone = one_of(kMilestones);
    issue.milestone_id = base + milestone;
    issue.milestone_num = milestone + 1;
    issue.milestone_title = named("milestone", milestone);
  } else if (chance(15)) {
    issue.no_milestone = true;
  }
  if (chance(30)) {
    const int assignee = one_of(kUsers) + 1;
    issue.assignees.push_back(GithubUser{assignee, named("user", assignee), {}});
  }
  if (chance(15)) issue.deleted_assignees.push_back(one_of(kUsers) + 1);
  for (int i = one_of(3); i > 0; --i) {
    GithubIssueCommentMutation& comment = issue.comment.emplace_back();
    comment.id = ++ids_;
    comment.user = GithubUser{one_of(kUsers) + 1, {}, {}};
    comment.user->login = named("user", static_cast<int>(comment.user->id));
    comment.body = kept(sentence());
    comment.created = comment.updated = now;
  }
  if (chance(20)) {
    GithubReview& review = issue.review.emplace_back();
    review.id = ++ids_;
    review.actor_id = 1;
    review.created = now;
    review.body = kept(sentence());
    review.state = "COMMENTED";
  }
  writer.append(encode(mutation));
}

void MadeUpProject::rename_something(RecordWriter& writer) {
  const int repo = one_of(kRepos), base = repo == 0 ? 100 : 200;
  const std::string name = "repo" + std::to_string(repo), next = "renamed" + std::to_string(one_of(3));
  Mutation mutation;
  if (chance(40)) {
    // A user, by an issue that somebody of another name makes.
    GithubIssueMutation& issue = mutation.github_issue.emplace();
    issue.owner = "golang";
    issue.repo = name;
    issue.number = 1;
    issue.created = Timestamp{1'600'000'001, 0, {}};
    issue.user = GithubUser{one_of(kUsers) + 1, next, {}};
  } else {
    GithubMutation& github = mutation.github.emplace();
    github.owner = "golang";
    github.repo = name;
    if (chance(50))
      github.labels.push_back({base + one_of(kLabels), next, {}});
    else
      github.milestones.push_back({base + one_of(kMilestones), next, {}, 1, {}});
  }
  writer.append(encode(mutation));
}

void MadeUpProject::touch_change(RecordWriter& writer) {
  const int project = one_of(kProjects), number = one_of(kChanges) + 1;
  ChangeState& change = changes_[{project, number}];
  std::deque<std::string> texts;
  const auto kept = [&](std::string text) -> std::string_view { return texts.emplace_back(std::move(text)); };
  const std::string name = "host.example.org/project" + std::to_string(project);
  const std::string in = "refs/changes/" + std::string(number < 10 ? "0" : "") + std::to_string(number) + "/" +
                         std::to_string(number) + "/";
  const std::string tree = "tree " + std::string(40, 'e') + "\n";
  const std::string now = std::to_string(time_);
  Mutation mutation;
  GerritMutation& gerrit = mutation.gerrit.emplace();
  gerrit.project = name;
  std::string patch_set;
  if (change.patch_sets == 0 || chance(20)) {
    ++change.patch_sets;
    patch_set = hash();
    std::string raw = tree + "author " + person() + " " + now + " +0000\ncommitter Gerrit <g@example.org> " + now +
                      " +0000\n\n" + sentence() + "\n\n" + sentence() + "\n";
    if (chance(30)) raw += "\nReviewed-by: " + person() + "\n";
    GitCommit& commit = gerrit.commits.emplace_back();
    commit.sha1 = kept(patch_set);
    commit.raw = kept(std::move(raw));
    gerrit.refs.push_back({kept(in + std::to_string(change.patch_sets)), commit.sha1, {}});
  }
  if (chance(95)) {
    const std::string meta = hash();
    std::string raw = tree + (change.meta.empty() ? "" : "parent " + change.meta + "\n") + "author " + person() + " " +
                      now + " +0000\ncommitter Gerrit <g@example.org> " + now + " +0000\n\n" +
                      (change.meta.empty() ? "Create change" : "Update patch set") + "\n\nPatch Set " +
                      std::to_string(change.patch_sets) + ":\n\n" + sentence() +
                      "\n\nPatch-set: " + std::to_string(change.patch_sets) + "\n";
    if (change.meta.empty() || chance(5))
      raw += "Branch: refs/heads/" + std::string(chance(70) ? "master" : "release") + "\n";
    if (chance(30))
      raw += "Status: " + std::vector<std::string>{"new", "merged", "abandoned"}[static_cast<std::size_t>(one_of(3))] +
             "\n";
    if (chance(3)) raw += std::string("Private: ") + (chance(50) ? "true" : "false") + "\n";
    if (chance(20))
      raw +=
          "Hashtags: " + std::vector<std::string>{"wait", "wait, go2", ""}[static_cast<std::size_t>(one_of(3))] + "\n";
    if (chance(40)) raw += (chance(80) ? "Reviewer: " : chance(50) ? "Removed: " : "CC: ") + person() + "\n";
    GitCommit& commit = gerrit.commits.emplace_back();
    commit.sha1 = kept(meta);
    commit.raw = kept(std::move(raw));
    gerrit.refs.push_back({kept(in + "meta"), commit.sha1, {}});
    change.meta = meta;
  }
  writer.append(encode(mutation));
}

void MadeUpProject::commit(RecordWriter& writer) {
  std::deque<std::string> texts;
  const auto kept = [&](std::string text) -> std::string_view { return texts.emplace_back(std::move(text)); };
  const std::string name = "host.example.org/project" + std::to_string(one_of(kProjects));
  std::string own;
  if (!awaited_.empty() && chance(60)) {
    own = awaited_.back();
    awaited_.pop_back();
  } else {
    own = hash();
  }
  std::string raw = "tree " + std::string(40, 'e') + "\n";
  if (chance(30)) {
    awaited_.push_back(hash());
    raw += "parent " + awaited_.back() + "\n";
  }
  const std::string when = std::to_string(time_ - one_of(100'000));
  raw += "author " + person() + " " + when + " +0000\ncommitter " + person() + " " + when + " +0000\n\n" + sentence() +
         "\n";
  Mutation mutation;
  GerritMutation& gerrit = mutation.gerrit.emplace();
  gerrit.project = name;
  GitCommit& commit = gerrit.commits.emplace_back();
  commit.sha1 = own;
  commit.raw = raw;
  commit.diff_tree.emplace();
  for (int i = one_of(3); i > 0; --i) {
    const int file = one_of(kFiles);
    commit.diff_tree->file.push_back({kept((file % 3 == 0   ? "src/net/"
                                            : file % 3 == 1 ? "src/"
                                                            : "") +
                                           std::string("file") + std::to_string(file)),
                                      1,
                                      1,
                                      false,
                                      {}});
  }
  writer.append(encode(mutation));
}

}  // namespace maintner
