#include <maintner/meta_text.h>

#include <maintner/commit_text.h>

#include <algorithm>
#include <array>

#include "decimal.h"

namespace maintner {

namespace {

constexpr std::array<std::string_view, 4> kStatusNames = {"merged", "abandoned", "draft", "new"};

/// Where `line`, which begins with "\n", is found in `text`. Most lines differ in their first letter: to look at that
/// here is what makes this faster than find().
std::size_t find_line(std::string_view text, std::string_view line) noexcept {
  for (std::size_t at = text.find('\n'); at != text.npos; at = text.find('\n', at + 1))
    if (at + 1 < text.size() && text[at + 1] == line[1] && text.substr(at).starts_with(line)) return at;
  return text.npos;
}

bool contains(std::string_view text, std::string_view line) noexcept { return find_line(text, line) != text.npos; }

std::optional<ChangeStatus> status_from(std::string_view value) noexcept {
  for (std::size_t i = 0; i < kStatusNames.size(); ++i)
    if (value.starts_with(kStatusNames[i])) return static_cast<ChangeStatus>(i);
  return std::nullopt;
}

/// Up to what ends a message in a meta commit, the line "Patch-set:" and the blank one before it.
std::optional<std::string_view> before_patch_set(std::string_view text) noexcept {
  for (std::size_t line = 0, end = 0; (end = text.find('\n', line)) != text.npos; line = end + 1) {
    if (!text.substr(line).starts_with("Patch-set:")) continue;
    return text.substr(0, std::max<std::size_t>(line, 2) - 2);
  }
  return std::nullopt;
}

}  // namespace

std::string_view name_of(ChangeStatus status) noexcept { return kStatusNames[static_cast<std::size_t>(status)]; }

MetaSummary summary_in(std::string_view message) noexcept {
  constexpr std::string_view kStatus = "Status: ", kLabel = "Label: ", kPrivate = "Private: ";
  MetaSummary found;
  bool has_status = false;
  for (std::size_t end = message.find('\n'); end != message.npos; end = message.find('\n', end + 1)) {
    const std::string_view line = message.substr(end + 1);
    if (line.starts_with(kStatus) && !has_status) {
      has_status = true;  // the first counts, also if it is of another kind
      found.status = status_from(line.substr(kStatus.size()));
    } else if (line.starts_with(kLabel)) {
      found.has_labels = true;
    } else if (line.starts_with(kPrivate)) {
      if (line.starts_with("Private: true\n"))
        found.is_private = true;
      else if (line.starts_with("Private: false\n") && !found.is_private)
        found.is_private = false;
    }
  }
  return found;
}

std::string_view branch_in(std::string_view message) noexcept {
  const auto line = line_value(message, "Branch:");
  std::string_view branch = line ? line->value : std::string_view();
  constexpr std::string_view kHeads = "refs/heads/";
  if (branch.starts_with(kHeads)) branch.remove_prefix(kHeads.size());
  return branch;
}

std::optional<bool> work_in_progress_in(std::string_view message) noexcept {
  const auto line = line_value(message, "Work-in-progress:");
  if (!line || (line->value != "true" && line->value != "false")) return std::nullopt;
  return line->value == "true";
}

std::string_view action_tag_of(std::string_view message) noexcept {
  const auto line = line_value(footer_of(message), "Tag: ");
  return line ? line->value : std::string_view();
}

std::optional<ReviewMessage> review_message_in(std::string_view message) noexcept {
  const auto behind_phrase = [message](std::size_t line) -> std::size_t {
    const std::string_view rest = message.substr(line);
    for (const std::string_view phrase : {"Patch Set ", "Uploaded patch set "})
      if (rest.starts_with(phrase)) return line + phrase.size();
    return 0;
  };
  std::size_t begin = message.npos, number = 0;
  for (std::size_t end = message.find('\n'); end != message.npos && number == 0; end = message.find('\n', end + 1)) {
    begin = end;
    number = behind_phrase(end + 1);
  }
  if (number == 0) return std::nullopt;
  const std::size_t colon = message.find(':', number);
  if (colon == message.npos) return std::nullopt;
  const auto patch_set = decimal<std::int32_t>(message.substr(number, colon - number));
  const auto text = before_patch_set(message.substr(begin + 1));
  if (!patch_set || !text) return std::nullopt;
  return ReviewMessage{*patch_set, *text};
}

LabelLine parse_label(std::string_view value) noexcept {
  LabelLine line;
  const std::size_t space = std::min(value.find(' '), value.size());
  line.voter = person_email(value.substr(space));
  value = value.substr(0, space);
  line.removed = value.starts_with('-');
  if (line.removed) value.remove_prefix(1);
  const std::size_t equals = std::min(value.find('='), value.size());
  line.label = value.substr(0, equals);
  if (equals < value.size()) line.value = decimal<std::int8_t>(value.substr(equals + 1)).value_or(0);
  return line;
}

void for_each_label(std::string_view message, const std::function<void(const LabelLine&)>& each) {
  std::string_view rest = footer_of(message);
  while (const auto line = line_value(rest, "Label: ")) {
    each(parse_label(line->value));
    rest = line->rest;
  }
}

std::optional<std::string_view> new_patch_set_in(std::string_view message) noexcept {
  const std::string_view footer = footer_of(message);
  if (!contains(footer, "\nTag: autogenerated:gerrit:newPatchSet\n")) return std::nullopt;
  const auto line = line_value(footer, "Commit: ");
  if (!line || line->value.empty()) return std::nullopt;
  return line->value;
}

std::optional<std::string_view> hashtags_in(std::string_view message) noexcept {
  const auto line = line_value(footer_of(message), "Hashtags: ");
  return line ? std::optional(line->value) : std::nullopt;
}

std::optional<HashtagEdits> hashtag_edits_in(std::string_view message) noexcept {
  if (action_tag_of(message) != "autogenerated:gerrit:setHashtag") return std::nullopt;
  HashtagEdits edits;
  std::string_view rest = message;
  while (const auto line = line_value(rest, "Hash")) {
    const auto take = [&](std::string_view key, std::string_view& into) {
      if (line->value.starts_with(key)) into = trimmed(line->value.substr(key.size()));
    };
    take("tag added:", edits.added);
    take("tags added:", edits.added);
    take("tag removed:", edits.removed);
    take("tags removed:", edits.removed);
    rest = line->rest;
  }
  if (edits.added.empty() && edits.removed.empty()) return std::nullopt;
  return edits;
}

std::int64_t account_id_of(std::string_view email) noexcept {
  const std::size_t at = email.find('@');
  if (at == email.npos) return -1;
  return decimal<std::int64_t>(email.substr(0, at)).value_or(-1);
}

}  // namespace maintner
