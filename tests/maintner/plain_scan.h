// Answers the questions of maintner/query.h by looking at everything, one thing after the other, as somebody would who
// has nothing but maintner/view.h: what the answers that go by indexes are compared with.
#pragma once

#include <maintner/query.h>

#include <vector>

namespace plain_scan {

std::vector<maintner::Issue> find_issues(const maintner::Repo& repo, const maintner::IssueQuery& query);
std::vector<maintner::Change> find_changes(const maintner::Project& project, const maintner::ChangeQuery& query);
std::vector<maintner::Commit> find_commits(const maintner::View& view, const maintner::CommitQuery& query);
maintner::TextHits search(const maintner::View& view, const maintner::TextQuery& query);

}  // namespace plain_scan
