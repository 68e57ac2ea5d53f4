// How an issue or a change was at an earlier time, by the times of what happened to it.
//
// The newest state is taken back, event by event, to what it was. What has no history (bodies, whether an issue is
// locked) is not here. Who is renamed, and labels and milestones that are, have the names that events say they had.
#pragma once

#include <maintner/meta_text.h>
#include <maintner/view.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace maintner {

/// Strings and things live as long as the view.
struct IssueAsOf {
  bool closed = false;
  std::string_view title;
  std::vector<std::string_view> labels;  ///< by name
  std::optional<std::string_view> milestone;
  std::vector<std::int64_t> assignees;  ///< the numbers of users, in order
  /// Whether the events up to now are all there, as GitHub said when they were fetched: otherwise what happened since
  /// is not known, and may be missing from the above.
  bool complete = false;
};
/// After all that happened at `time` and before. Nothing if it was not there yet, it is not known when it was made, or
/// GitHub says that there is none.
std::optional<IssueAsOf> as_of(const Issue& issue, Time time);

struct ChangeAsOf {
  ChangeStatus status = ChangeStatus::new_;
  std::int32_t patch_set = 0;  ///< the latest; 0 if none is known
  std::string title;           ///< its subject, as Change::subject(); empty if that is not known
  std::string_view hashtags;   ///< separated by commas
  bool is_private = false;
  bool work_in_progress = false;
};
/// Likewise; nothing if it was not there yet. Gerrit has no labels or milestones of an issue's kind; who reviewed is in
/// Change::messages(), with times.
std::optional<ChangeAsOf> as_of(const Change& change, Time time);

}  // namespace maintner
