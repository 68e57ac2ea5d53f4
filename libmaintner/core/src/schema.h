// Number, name and place of every field: what decoding, encoding and printing go by.
#pragma once

#include <maintner/mutation.h>

#include <cstdint>
#include <tuple>

namespace maintner {

/// `Number`: as in maintpb.
template <std::uint32_t Number, class Message, class Value>
struct Field {
  static constexpr std::uint32_t number = Number;
  const char* name;
  Value Message::*member;
};

template <std::uint32_t Number, class Message, class Value>
constexpr Field<Number, Message, Value> field(const char* name, Value Message::*member) {
  return {name, member};
}

/// `name` of a message, and its fields in the order of their numbers.
template <class Message>
struct Schema;

template <>
struct Schema<Timestamp> {
  static constexpr const char* name = "Timestamp";
  static constexpr auto fields =
      std::tuple(field<1>("seconds", &Timestamp::seconds), field<2>("nanos", &Timestamp::nanos));
};

template <>
struct Schema<BoolChange> {
  static constexpr const char* name = "BoolChange";
  static constexpr auto fields = std::tuple(field<1>("val", &BoolChange::val));
};

template <>
struct Schema<StringChange> {
  static constexpr const char* name = "StringChange";
  static constexpr auto fields = std::tuple(field<1>("val", &StringChange::val));
};

template <>
struct Schema<GithubLabel> {
  static constexpr const char* name = "GithubLabel";
  static constexpr auto fields = std::tuple(field<1>("id", &GithubLabel::id), field<2>("name", &GithubLabel::name));
};

template <>
struct Schema<GithubMilestone> {
  static constexpr const char* name = "GithubMilestone";
  static constexpr auto fields =
      std::tuple(field<1>("id", &GithubMilestone::id), field<2>("title", &GithubMilestone::title),
                 field<3>("closed", &GithubMilestone::closed), field<4>("number", &GithubMilestone::number));
};

template <>
struct Schema<GithubUser> {
  static constexpr const char* name = "GithubUser";
  static constexpr auto fields = std::tuple(field<1>("id", &GithubUser::id), field<2>("login", &GithubUser::login));
};

template <>
struct Schema<GithubTeam> {
  static constexpr const char* name = "GithubTeam";
  static constexpr auto fields = std::tuple(field<1>("id", &GithubTeam::id), field<2>("slug", &GithubTeam::slug));
};

template <>
struct Schema<GithubCommit> {
  static constexpr const char* name = "GithubCommit";
  static constexpr auto fields =
      std::tuple(field<1>("owner", &GithubCommit::owner), field<2>("repo", &GithubCommit::repo),
                 field<3>("commit_id", &GithubCommit::commit_id));
};

template <>
struct Schema<GithubIssueSyncStatus> {
  static constexpr const char* name = "GithubIssueSyncStatus";
  static constexpr auto fields = std::tuple(field<1>("server_date", &GithubIssueSyncStatus::server_date));
};

template <>
struct Schema<GithubDismissedReviewEvent> {
  using M = GithubDismissedReviewEvent;
  static constexpr const char* name = "GithubDismissedReviewEvent";
  static constexpr auto fields =
      std::tuple(field<1>("review_id", &M::review_id), field<3>("dismissal_message", &M::dismissal_message),
                 field<4>("state", &M::state));
};

template <>
struct Schema<GithubIssueEvent> {
  using M = GithubIssueEvent;
  static constexpr const char* name = "GithubIssueEvent";
  static constexpr auto fields =
      std::tuple(field<1>("id", &M::id), field<2>("event_type", &M::event_type), field<3>("actor_id", &M::actor_id),
                 field<4>("created", &M::created), field<5>("label", &M::label), field<6>("milestone", &M::milestone),
                 field<7>("assignee_id", &M::assignee_id), field<8>("assigner_id", &M::assigner_id),
                 field<9>("commit", &M::commit), field<10>("other_json", &M::other_json),
                 field<11>("rename_from", &M::rename_from), field<12>("rename_to", &M::rename_to),
                 field<13>("reviewer_id", &M::reviewer_id), field<14>("review_requester_id", &M::review_requester_id),
                 field<15>("dismissed_review", &M::dismissed_review), field<16>("team_reviewer", &M::team_reviewer));
};

template <>
struct Schema<GithubReview> {
  using M = GithubReview;
  static constexpr const char* name = "GithubReview";
  static constexpr auto fields =
      std::tuple(field<1>("id", &M::id), field<2>("actor_id", &M::actor_id), field<3>("created", &M::created),
                 field<4>("body", &M::body), field<5>("state", &M::state), field<6>("commit_id", &M::commit_id),
                 field<7>("actor_association", &M::actor_association), field<8>("other_json", &M::other_json));
};

template <>
struct Schema<GithubIssueCommentMutation> {
  using M = GithubIssueCommentMutation;
  static constexpr const char* name = "GithubIssueCommentMutation";
  static constexpr auto fields =
      std::tuple(field<1>("id", &M::id), field<2>("user", &M::user), field<3>("body", &M::body),
                 field<4>("created", &M::created), field<5>("updated", &M::updated));
};

template <>
struct Schema<GithubIssueMutation> {
  using M = GithubIssueMutation;
  static constexpr const char* name = "GithubIssueMutation";
  static constexpr auto fields = std::tuple(
      field<1>("owner", &M::owner), field<2>("repo", &M::repo), field<3>("number", &M::number),
      field<4>("user", &M::user), field<5>("created", &M::created), field<6>("updated", &M::updated),
      field<7>("body", &M::body), field<8>("comment", &M::comment), field<9>("title", &M::title),
      field<10>("assignees", &M::assignees), field<11>("deleted_assignees", &M::deleted_assignees),
      field<12>("id", &M::id), field<13>("not_exist", &M::not_exist), field<14>("comment_status", &M::comment_status),
      field<15>("no_milestone", &M::no_milestone), field<16>("milestone_id", &M::milestone_id),
      field<17>("milestone_num", &M::milestone_num), field<18>("milestone_title", &M::milestone_title),
      field<19>("closed", &M::closed), field<21>("closed_at", &M::closed_at), field<22>("closed_by", &M::closed_by),
      field<23>("remove_label", &M::remove_label), field<24>("add_label", &M::add_label),
      field<25>("locked", &M::locked), field<26>("event", &M::event), field<27>("event_status", &M::event_status),
      field<28>("pull_request", &M::pull_request), field<29>("review", &M::review),
      field<30>("review_status", &M::review_status), field<31>("body_change", &M::body_change));
};

template <>
struct Schema<GithubMutation> {
  using M = GithubMutation;
  static constexpr const char* name = "GithubMutation";
  static constexpr auto fields = std::tuple(field<1>("owner", &M::owner), field<2>("repo", &M::repo),
                                            field<3>("labels", &M::labels), field<4>("milestones", &M::milestones));
};

template <>
struct Schema<GitRepo> {
  static constexpr const char* name = "GitRepo";
  static constexpr auto fields = std::tuple(field<1>("go_repo", &GitRepo::go_repo));
};

template <>
struct Schema<GitDiffTreeFile> {
  using M = GitDiffTreeFile;
  static constexpr const char* name = "GitDiffTreeFile";
  static constexpr auto fields = std::tuple(field<1>("file", &M::file), field<2>("added", &M::added),
                                            field<3>("deleted", &M::deleted), field<4>("binary", &M::binary));
};

template <>
struct Schema<GitDiffTree> {
  static constexpr const char* name = "GitDiffTree";
  static constexpr auto fields = std::tuple(field<1>("file", &GitDiffTree::file));
};

template <>
struct Schema<GitCommit> {
  static constexpr const char* name = "GitCommit";
  static constexpr auto fields = std::tuple(field<1>("sha1", &GitCommit::sha1), field<2>("raw", &GitCommit::raw),
                                            field<3>("diff_tree", &GitCommit::diff_tree));
};

template <>
struct Schema<GitMutation> {
  static constexpr const char* name = "GitMutation";
  static constexpr auto fields =
      std::tuple(field<1>("repo", &GitMutation::repo), field<2>("commit", &GitMutation::commit));
};

template <>
struct Schema<GitRef> {
  static constexpr const char* name = "GitRef";
  static constexpr auto fields = std::tuple(field<1>("ref", &GitRef::ref), field<2>("sha1", &GitRef::sha1));
};

template <>
struct Schema<GerritMutation> {
  using M = GerritMutation;
  static constexpr const char* name = "GerritMutation";
  static constexpr auto fields = std::tuple(field<1>("project", &M::project), field<2>("commits", &M::commits),
                                            field<3>("refs", &M::refs), field<4>("deleted_refs", &M::deleted_refs));
};

template <>
struct Schema<Mutation> {
  using M = Mutation;
  static constexpr const char* name = "Mutation";
  static constexpr auto fields = std::tuple(field<1>("github_issue", &M::github_issue), field<2>("git", &M::git),
                                            field<3>("github", &M::github), field<4>("gerrit", &M::gerrit));
};

}  // namespace maintner
