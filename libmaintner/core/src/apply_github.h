#pragma once

#include <maintner/mutation.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "digest.h"
#include "state.h"

namespace maintner {

/// Applies what GitHub's mutations say, one after the other. Touches State::github alone.
class GithubApplier {
 public:
  /// `compat`: also where the original is wrong.
  GithubApplier(State& state, bool compat) : state_(state), github_(state.github), compat_(compat) {}

  void begin_batch(bool first);
  /// What cannot be applied is added to `faults`.
  void apply(const std::vector<GithubStep>& steps, std::vector<Digest::Fault>& faults);
  /// Something else has named this repository.
  void see_repo(Ref owner, Ref name) { repo(state_.text(owner), state_.text(name)); }

 private:
  void apply(const Mutation& mutation);
  void apply(const GithubMutation& mutation);
  void apply(const GithubIssueMutation& mutation);
  void apply_fields(IssueRow& issue, const GithubIssueMutation& mutation);
  void apply_assignees(IssueRow& issue, const GithubIssueMutation& mutation);
  void apply_labels(IssueRow& issue, const GithubIssueMutation& mutation);
  void apply(IssueRow& issue, const GithubIssueCommentMutation& comment);
  void apply(IssueRow& issue, const GithubIssueEvent& event);
  void apply(IssueRow& issue, const GithubReview& review);
  /// A whole one takes the place of what had its id.
  template <class Row>
  void replace(Lists<Row>& lists, List& list, std::int64_t& largest, const Row& row);

  void ask_for_places(const Mutation& mutation) const;
  void ask_for_rows(const Mutation& mutation) const;
  std::optional<std::uint64_t> hash_of_issue(const Mutation& mutation) const;

  std::uint32_t repo(std::string_view owner, std::string_view name);
  std::uint32_t issue(std::uint32_t repo, const GithubIssueMutation& mutation);
  std::uint32_t user(const GithubUser& user);
  std::uint32_t user(std::int64_t id);
  std::uint32_t label(std::uint32_t repo, const GithubLabel& label);
  std::uint32_t milestone(std::uint32_t repo, std::int64_t id);
  void see_team(const GithubTeam& team);

  Ref ref_of(std::string_view text) const { return state_.ref_of(text); }
  /// Whether `text` is what is `stored` already. To look would cost more than to store it again, as long as that does
  /// not make a row for it.
  bool is(Ref stored, std::string_view text) const { return !first_ && state_.text(stored) == text; }

  State& state_;
  GithubState& github_;
  const bool compat_;
  bool first_ = false;
};

}  // namespace maintner
