// What stands in the commits of a change's "meta" branch, where Gerrit keeps what happened to it (NoteDb), one commit
// for each time that somebody did something.
//
// The rules are the original's: they look for lines and phrases, not for a trailer's grammar. All of it is pure; what
// is returned are views of the message that was given.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

namespace maintner {

enum class ChangeStatus : std::uint8_t { merged, abandoned, draft, new_ };
/// "merged", "abandoned", "draft", "new".
std::string_view name_of(ChangeStatus status) noexcept;

/// What concerns the change as a whole.
struct MetaSummary {
  /// That of the first "Status:" line below the first line; nothing if there is none, or it is of another kind.
  std::optional<ChangeStatus> status;
  /// Whether it makes the change a private one, or one that is not; nothing if it says nothing of that.
  std::optional<bool> is_private;
  bool has_labels = false;  ///< whether there is a label's line
};
MetaSummary summary_in(std::string_view message) noexcept;
/// That of the "Branch:" line, without "refs/heads/"; empty if there is none.
std::string_view branch_in(std::string_view message) noexcept;
/// What the "Work-in-progress:" line says; nothing if that is neither "true" nor "false".
std::optional<bool> work_in_progress_in(std::string_view message) noexcept;
/// Of the footer's "Tag:" line; empty if there is none. Says what program did it, and what it did.
std::string_view action_tag_of(std::string_view message) noexcept;

/// What somebody said about a patch set.
struct ReviewMessage {
  std::int32_t patch_set = 0;
  std::string_view text;  ///< from "Patch Set 1:" or "Uploaded patch set 1:" on, which is part of it
};
std::optional<ReviewMessage> review_message_in(std::string_view message) noexcept;

/// One of a footer's "Label:" lines.
struct LabelLine {
  std::string_view label;  ///< without the "-" that removes it
  bool removed = false;
  std::int8_t value = 0;   ///< 0 also where there is no number, or none that fits
  std::string_view voter;  ///< an e-mail address; empty: the commit's author
};
/// What stands behind "Label: ".
LabelLine parse_label(std::string_view value) noexcept;
/// Calls `each` for all of them, in order.
void for_each_label(std::string_view message, const std::function<void(const LabelLine&)>& each);

/// If this is a new patch set, the hash of its commit, as it stands there.
std::optional<std::string_view> new_patch_set_in(std::string_view message) noexcept;

/// What the "Hashtags:" line of the footer says: all tags from here on, separated by commas, also none of them. Nothing
/// if there is no such line.
std::optional<std::string_view> hashtags_in(std::string_view message) noexcept;
/// What was done to them, each as a list separated by commas.
struct HashtagEdits {
  std::string_view added, removed;
};
std::optional<HashtagEdits> hashtag_edits_in(std::string_view message) noexcept;

/// The account's number in an e-mail address of the form "5000@server"; -1 if it has another form.
std::int64_t account_id_of(std::string_view email) noexcept;

}  // namespace maintner
