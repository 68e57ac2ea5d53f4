#include "summary_of_view.h"

#include <algorithm>
#include <sstream>
#include <vector>

using namespace maintner;

namespace testing {

namespace {

std::string shown(const std::optional<Time>& time) { return time ? to_string(*time) : "-"; }
std::string shown(const std::optional<User>& user) {
  return user ? std::to_string(user->id()) + "=" + std::string(user->login()) : "-";
}

void add(std::ostream& out, const Issue& issue) {
  out << "issue " << issue.number() << " " << issue.id() << " " << issue.not_exist() << issue.closed() << issue.locked()
      << issue.pull_request() << " " << issue.title() << "|" << issue.body() << "|" << shown(issue.user())
      << shown(issue.closed_by()) << shown(issue.created()) << shown(issue.updated()) << shown(issue.closed_at())
      << shown(issue.last_modified()) << shown(issue.comments_synced_as_of()) << "\n";
  for (const User& user : issue.assignees()) out << " assignee " << shown(std::optional(user)) << "\n";
  for (const Label& label : issue.labels()) out << " label " << label.id() << label.name() << "\n";
  if (const auto milestone = issue.milestone()) out << " milestone " << milestone->id() << milestone->title() << "\n";
  for (const Comment& comment : issue.comments())
    out << " comment " << comment.id << shown(comment.user) << shown(comment.created) << comment.body << "\n";
  for (const Event& event : issue.events())
    out << " event " << event.id() << event.type() << shown(event.actor()) << event.label() << event.commit_url()
        << "\n";
  for (const Review& review : issue.reviews()) out << " review " << review.id() << review.body() << "\n";
}

void add(std::ostream& out, const Change& change) {
  out << "change " << change.number() << " " << change.version() << change.commit().hex() << name_of(change.status())
      << change.is_private() << change.work_in_progress() << change.branch() << change.hashtags() << "\n";
  for (const Meta& meta : change.metas()) {
    out << " meta " << meta.commit().hex() << meta.hashtags();
    try {
      for (const auto& [label, votes] : meta.label_votes())
        for (const auto& [voter, value] : votes) out << " " << label << voter << static_cast<int>(value);
    } catch (const QueryError& error) {
      out << error.what();
    }
    out << "\n";
  }
  for (const Message& message : change.messages()) out << " message " << message.patch_set << message.text << "\n";
  for (const IssueReference& reference : change.issues())
    out << " names " << reference.owner << reference.repo << reference.number << "\n";
}

}  // namespace

std::string summary_of(const View& view) {
  std::ostringstream out;
  out << view.mutations() << " " << view.check().value_or("ok") << "\n";
  for (const Repo& repo : view.github().repos()) {
    out << "repo " << repo.id() << "\n";
    for (const Label& label : repo.labels()) out << " label " << label.id() << label.name() << "\n";
    for (const Milestone& each : repo.milestones()) out << " milestone " << each.number() << each.title() << "\n";
    for (const Issue& issue : repo.issues()) add(out, issue);
  }
  for (const Project& project : view.gerrit().projects()) {
    out << "project " << project.full_name() << " " << project.commits_seen() << " " << project.commits_needed() << " "
        << project.changes_seen() << " " << project.label_changes() << "\n";
    for (const NamedCommit& ref : project.refs()) out << " ref " << ref.name << ref.commit.hex() << "\n";
    for (const Change& change : project.changes()) add(out, change);
  }
  std::vector<Commit> commits(view.commits().begin(), view.commits().end());
  std::sort(commits.begin(), commits.end(), [](const Commit& a, const Commit& b) { return a.hash() < b.hash(); });
  for (const Commit& commit : commits) {
    out << "commit " << commit.hex() << commit.is_placeholder() << commit.message();
    for (const Commit& parent : commit.parents()) out << " " << parent.hex();
    for (const File& file : commit.files()) out << " " << file.name << file.added << file.deleted << file.binary;
    out << "\n";
  }
  return out.str();
}

}  // namespace testing
