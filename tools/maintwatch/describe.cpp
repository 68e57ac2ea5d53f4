#include "describe.h"

#include <algorithm>
#include <string_view>
#include <vector>

namespace maintwatch {

using namespace maintner;

namespace {

constexpr std::size_t kLongest = 60;  ///< of a text, in bytes
constexpr std::size_t kHashDigits = 10;
constexpr std::size_t kMostItems = 5;

/// The first line, or its beginning.
std::string quoted(std::string_view text) {
  std::string line = "\"";
  const std::size_t end = std::min(text.find('\n'), text.size());
  std::size_t size = std::min(end, kLongest);
  while (size < end && size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;  // not within UTF-8
  return line.append(text.substr(0, size)) + (size < text.size() ? "…\"" : "\"");
}

std::string joined(const std::vector<std::string>& parts) {
  std::string all;
  for (const std::string& part : parts) all += (all.empty() ? "" : ", ") + part;
  return all;
}

void count(std::vector<std::string>& parts, std::size_t number, const char* one, const char* many) {
  if (number > 0) parts.push_back(std::to_string(number) + " " + (number == 1 ? one : many));
}

std::string subject_of(const GitCommit& commit) {
  const std::size_t head = commit.raw.find("\n\n");
  const std::string hash(commit.sha1.substr(0, kHashDigits));
  return head == std::string_view::npos ? hash : hash + " " + quoted(commit.raw.substr(head + 2));
}

std::string describe_issue(const GithubIssueMutation& issue) {
  std::vector<std::string> parts;
  if (issue.not_exist) parts.emplace_back("does not exist");
  if (!issue.title.empty()) parts.push_back("title " + quoted(issue.title));
  if (!issue.body.empty() || issue.body_change) parts.emplace_back("its text");
  if (issue.closed) parts.emplace_back(issue.closed->val ? "closed" : "open");
  if (issue.locked) parts.emplace_back(issue.locked->val ? "locked" : "unlocked");
  for (const GithubLabel& label : issue.add_label) parts.push_back("label " + quoted(label.name));
  count(parts, issue.remove_label.size(), "label less", "labels less");
  if (issue.no_milestone) parts.emplace_back("no milestone");
  if (!issue.milestone_title.empty()) parts.push_back("milestone " + quoted(issue.milestone_title));
  for (const GithubUser& user : issue.assignees) parts.push_back("assigned to " + quoted(user.login));
  count(parts, issue.deleted_assignees.size(), "assignee less", "assignees less");
  for (const GithubIssueCommentMutation& comment : issue.comment)
    if (!comment.body.empty())
      parts.push_back("comment " + (comment.user ? "by " + quoted(comment.user->login) + " " : "") +
                      quoted(comment.body));
  for (const GithubIssueEvent& event : issue.event) parts.push_back("event " + quoted(event.event_type));
  for (const GithubReview& review : issue.review) parts.push_back("review " + quoted(review.state));
  if (parts.empty()) parts.emplace_back("looked at");
  return std::string(issue.owner) + "/" + std::string(issue.repo) + "#" + std::to_string(issue.number) + ": " +
         joined(parts);
}

std::string describe_gerrit(const GerritMutation& gerrit) {
  std::vector<std::string> parts;
  for (const GitCommit& commit : gerrit.commits) {
    if (parts.size() == kMostItems) break;
    parts.push_back("commit " + subject_of(commit));
  }
  if (gerrit.commits.size() > kMostItems)
    count(parts, gerrit.commits.size() - kMostItems, "more commit", "more commits");
  std::size_t refs = 0;
  for (const GitRef& ref : gerrit.refs)
    if (refs++ < kMostItems)
      parts.push_back(std::string(ref.ref) + " is " + std::string(ref.sha1.substr(0, kHashDigits)));
  if (refs > kMostItems) count(parts, refs - kMostItems, "more ref", "more refs");
  count(parts, gerrit.deleted_refs.size(), "ref less", "refs less");
  return std::string(gerrit.project) + ": " + joined(parts);
}

}  // namespace

bool Wanted::matches(const Mutation& mutation) const {
  if (repo.empty() && project.empty() && issue == 0) return true;
  const auto is_repo = [this](std::string_view owner, std::string_view name) {
    return repo.empty() || repo == std::string(owner) + "/" + std::string(name);
  };
  const bool of_github = !repo.empty() || (project.empty() && issue != 0);
  if (mutation.github_issue && of_github)
    return is_repo(mutation.github_issue->owner, mutation.github_issue->repo) &&
           (issue == 0 || mutation.github_issue->number == issue);
  if (mutation.github && of_github) return issue == 0 && is_repo(mutation.github->owner, mutation.github->repo);
  return mutation.gerrit && !project.empty() && mutation.gerrit->project == project;
}

namespace {

std::string line_of(const Mutation& mutation) {
  if (mutation.github_issue) return describe_issue(*mutation.github_issue);
  if (mutation.github) {
    std::vector<std::string> parts;
    for (const GithubLabel& label : mutation.github->labels) parts.push_back("label " + quoted(label.name));
    for (const GithubMilestone& milestone : mutation.github->milestones)
      parts.push_back("milestone " + quoted(milestone.title));
    return std::string(mutation.github->owner) + "/" + std::string(mutation.github->repo) + ": " + joined(parts);
  }
  if (mutation.gerrit) return describe_gerrit(*mutation.gerrit);
  if (mutation.git && mutation.git->commit) return "git: commit " + subject_of(*mutation.git->commit);
  return "something that is not known here";
}

}  // namespace

std::string describe(const Mutation& mutation) {
  std::string line = line_of(mutation);
  for (char& c : line)
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = ' ';
  return line;
}

}  // namespace maintwatch
