#include <maintner/as_of.h>

#include <maintner/commit_text.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace maintner {

namespace {

template <class Item>
void add(std::vector<Item>& items, const Item& item) {
  if (std::find(items.begin(), items.end(), item) == items.end()) items.push_back(item);
}

/// As it was before `event`.
void take_back(IssueAsOf& issue, const Event& event) {
  const std::string_view type = event.type();
  if (type == "closed") {
    issue.closed = false;
  } else if (type == "reopened") {
    issue.closed = true;
  } else if (type == "renamed") {
    issue.title = event.from();
  } else if (type == "labeled") {
    std::erase(issue.labels, event.label());
  } else if (type == "unlabeled") {
    add(issue.labels, event.label());
  } else if (type == "milestoned") {
    // From one to another is two events: the one that takes the first away stands before this one.
    if (issue.milestone == event.milestone()) issue.milestone.reset();
  } else if (type == "demilestoned") {
    issue.milestone = event.milestone();
  } else if (type == "assigned") {
    std::erase(issue.assignees, event.fields().assignee_id);
  } else if (type == "unassigned") {
    add(issue.assignees, event.fields().assignee_id);
  }
}

/// Of which patch set a meta speaks: that of its time, or an earlier one. 0 if it does not say.
std::int32_t patch_set_in(std::string_view message) {
  constexpr std::string_view kKey = "\nPatch-set: ";
  const std::size_t at = message.rfind(kKey);
  std::int32_t number = 0;
  if (at != std::string_view::npos)
    std::from_chars(message.data() + at + kKey.size(), message.data() + message.size(), number);
  return std::max(number, 0);
}

Time time_of(const PersonAndTime& person) { return {person.seconds, 0}; }

}  // namespace

std::optional<IssueAsOf> as_of(const Issue& issue, Time time) {
  const std::optional<Time> created = issue.created();
  if (issue.not_exist() || !created || *created > time) return std::nullopt;
  IssueAsOf then;
  then.closed = issue.closed();
  then.title = issue.title();
  for (const Label& label : issue.labels()) then.labels.push_back(label.name());
  if (const auto milestone = issue.milestone()) then.milestone = milestone->title();
  for (const User& user : issue.assignees()) then.assignees.push_back(user.id());
  const auto events = issue.events();  // by time
  for (std::size_t i = events.size(); i-- > 0;) {
    const Event event = events[i];
    const std::optional<Time> happened = event.created();
    if (happened && *happened <= time) break;
    if (happened) take_back(then, event);
  }
  std::sort(then.labels.begin(), then.labels.end());
  std::sort(then.assignees.begin(), then.assignees.end());
  const std::optional<Time> synced = issue.events_synced_as_of(), updated = issue.updated();
  then.complete = synced && (!updated || *synced >= *updated);
  return then;
}

std::optional<ChangeAsOf> as_of(const Change& change, Time time) {
  ChangeAsOf then;
  std::optional<Meta> last;
  for (const Meta& meta : change.metas()) {
    if (time_of(meta.commit().committer()) > time) break;
    last = meta;
    const std::string_view message = meta.commit().message();
    const MetaSummary summary = summary_in(message);
    if (summary.status) then.status = *summary.status;
    if (summary.is_private) then.is_private = *summary.is_private;
    if (const auto wip = work_in_progress_in(message)) then.work_in_progress = *wip;
    then.patch_set = std::max(then.patch_set, patch_set_in(message));
  }
  if (!last) return std::nullopt;
  then.hashtags = last->hashtags();
  if (const auto commit = change.commit_at(then.patch_set)) then.title = subject_of(commit->message());
  return then;
}

}  // namespace maintner
