// The parts of a state that a snapshot has as they are.
#pragma once

#include "state.h"

namespace maintner {

/// Calls `visit` with the name and the table, the lists or the index, for each.
template <class Some, class Visit>
void visit_github(Some& github, const Visit& visit) {
  visit("users", github.users);
  visit("teams", github.teams);
  visit("labels", github.labels);
  visit("milestones", github.milestones);
  visit("repos", github.repos);
  visit("issues", github.issues);
  visit("github numbers", github.numbers);
  visit("comments", github.comments);
  visit("events", github.events);
  visit("reviews", github.reviews);
  visit("user index", github.user_index);
  visit("team index", github.team_index);
  visit("label index", github.label_index);
  visit("milestone index", github.milestone_index);
  visit("repo index", github.repo_index);
  visit("issue index", github.issue_index);
}

template <class Some, class Visit>
void visit_git(Some& git, const Visit& visit) {
  visit("commits", git.commits);
  visit("mercurial", git.hg);
  visit("projects", git.projects);
  visit("changes", git.changes);
  visit("also in", git.also_in);
  visit("git numbers", git.numbers);
  visit("parents", git.parents);
  visit("refs", git.refs);
  visit("patch sets", git.patch_sets);
  visit("issue references", git.issue_refs);
  visit("commit index", git.commit_index);
  visit("project index", git.project_index);
  visit("change index", git.change_index);
  visit("also in index", git.also_in_index);
}

template <class Some, class Visit>
void visit_sections(Some& state, const Visit& visit) {
  visit_github(state.github, visit);
  visit_git(state.git, visit);
}

}  // namespace maintner
