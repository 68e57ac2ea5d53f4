// Mutations: what a log's records hold. The messages of the Go project's maintpb, field for field, under the same
// names; the schema has not changed since December 2019.
//
// Decoding copies nothing: every string is a view of the bytes that were given, which outlive it. Strings are bytes:
// what says it is UTF-8 need not be. Fields of other programs' making are kept as they stand and written again, behind
// the known ones. A scalar that is zero or empty is as good as absent (proto3); a message's field knows whether it is
// there.
//
// All of it is free of locks and global state.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace maintner {

/// Bytes that are no mutation. what() says where in them, and of which message.
struct MutationError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Fields that are not known, each with its tag.
using UnknownFields = std::vector<std::string_view>;

/// Seconds since 1970 in UTC, any number of them, and billionths of a second beside, as they stand: a log may hold
/// times that no calendar has.
struct Timestamp {
  std::int64_t seconds = 0;
  std::int32_t nanos = 0;
  UnknownFields unknown;
};

// What may also be false, or empty.
struct BoolChange {
  bool val = false;
  UnknownFields unknown;
};
struct StringChange {
  std::string_view val;
  UnknownFields unknown;
};

struct GithubLabel {
  std::int64_t id = 0;
  std::string_view name;
  UnknownFields unknown;
};

struct GithubMilestone {
  std::int64_t id = 0;
  std::string_view title;
  std::optional<BoolChange> closed;
  std::int64_t number = 0;
  UnknownFields unknown;
};

struct GithubUser {
  std::int64_t id = 0;
  std::string_view login;
  UnknownFields unknown;
};

struct GithubTeam {
  std::int64_t id = 0;
  std::string_view slug;
  UnknownFields unknown;
};

struct GithubCommit {
  std::string_view owner, repo;
  std::string_view commit_id;  ///< 40 hexadecimal digits
  UnknownFields unknown;
};

struct GithubIssueSyncStatus {
  std::optional<Timestamp> server_date;
  UnknownFields unknown;
};

struct GithubDismissedReviewEvent {
  std::int64_t review_id = 0;
  std::string_view dismissal_message;
  std::string_view state;
  UnknownFields unknown;
};

struct GithubIssueEvent {
  std::int64_t id = 0;
  std::string_view event_type;
  std::int64_t actor_id = 0;
  std::optional<Timestamp> created;
  std::optional<GithubLabel> label;          ///< its name only
  std::optional<GithubMilestone> milestone;  ///< its title only
  std::int64_t assignee_id = 0, assigner_id = 0;
  std::optional<GithubCommit> commit;
  std::string_view other_json;
  std::string_view rename_from, rename_to;
  std::int64_t reviewer_id = 0, review_requester_id = 0;
  std::optional<GithubDismissedReviewEvent> dismissed_review;
  std::optional<GithubTeam> team_reviewer;
  UnknownFields unknown;
  std::string_view bytes;  ///< all of it, where it was decoded from; no field
};

struct GithubReview {
  std::int64_t id = 0, actor_id = 0;
  std::optional<Timestamp> created;
  std::string_view body;
  std::string_view state;
  std::string_view commit_id;
  std::string_view actor_association;
  std::string_view other_json;
  UnknownFields unknown;
  std::string_view bytes;  ///< all of it, where it was decoded from; no field
};

struct GithubIssueCommentMutation {
  std::int64_t id = 0;
  std::optional<GithubUser> user;
  std::string_view body;
  std::optional<Timestamp> created, updated;
  UnknownFields unknown;
};

struct GithubIssueMutation {
  std::string_view owner, repo;
  std::int32_t number = 0;
  std::optional<GithubUser> user;
  std::optional<Timestamp> created, updated;
  std::string_view body;
  std::vector<GithubIssueCommentMutation> comment;
  std::string_view title;
  std::vector<GithubUser> assignees;
  std::vector<std::int64_t> deleted_assignees;
  std::int64_t id = 0;
  bool not_exist = false;
  std::optional<GithubIssueSyncStatus> comment_status;
  bool no_milestone = false;
  std::int64_t milestone_id = 0, milestone_num = 0;
  std::string_view milestone_title;
  std::optional<BoolChange> closed;
  std::optional<Timestamp> closed_at;
  std::optional<GithubUser> closed_by;
  std::vector<std::int64_t> remove_label;
  std::vector<GithubLabel> add_label;
  std::optional<BoolChange> locked;
  std::vector<GithubIssueEvent> event;
  std::optional<GithubIssueSyncStatus> event_status;
  bool pull_request = false;
  std::vector<GithubReview> review;
  std::optional<GithubIssueSyncStatus> review_status;
  std::optional<StringChange> body_change;
  UnknownFields unknown;
};

struct GithubMutation {
  std::string_view owner, repo;
  std::vector<GithubLabel> labels;
  std::vector<GithubMilestone> milestones;
  UnknownFields unknown;
};

struct GitRepo {
  std::string_view go_repo;
  UnknownFields unknown;
};

struct GitDiffTreeFile {
  std::string_view file;
  std::int64_t added = 0, deleted = 0;  ///< lines
  bool binary = false;
  UnknownFields unknown;
};

struct GitDiffTree {
  std::vector<GitDiffTreeFile> file;
  UnknownFields unknown;
};

struct GitCommit {
  std::string_view sha1;  ///< 40 hexadecimal digits
  std::string_view raw;   ///< as "git cat-file commit" prints it
  std::optional<GitDiffTree> diff_tree;
  UnknownFields unknown;
};

struct GitMutation {
  std::optional<GitRepo> repo;
  std::optional<GitCommit> commit;
  UnknownFields unknown;
};

struct GitRef {
  std::string_view ref, sha1;
  UnknownFields unknown;
};

struct GerritMutation {
  std::string_view project;  ///< host/name
  std::vector<GitCommit> commits;
  std::vector<GitRef> refs;
  std::vector<std::string_view> deleted_refs;
  UnknownFields unknown;
};

/// What a record holds. Usually one of the four is there; if there are several, this is their order.
struct Mutation {
  std::optional<GithubIssueMutation> github_issue;
  std::optional<GithubMutation> github;
  std::optional<GitMutation> git;
  std::optional<GerritMutation> gerrit;
  UnknownFields unknown;
};

/// Throws MutationError. Takes memory in proportion to the number of fields.
Mutation decode_mutation(std::string_view payload);
/// What a GithubIssueEvent::bytes says.
GithubIssueEvent decode_event(std::string_view bytes);
/// What a GithubReview::bytes says.
GithubReview decode_review(std::string_view bytes);
/// The known fields in the order of their numbers, then the unknown ones: the bytes that Go's protobuf library makes.
std::string encode(const Mutation& mutation);

}  // namespace maintner
