#include "parse.h"

#include "text.h"

#include <charconv>
#include <utility>

namespace build::git {

namespace {

constexpr std::size_t kMaxField = 1024;
constexpr std::size_t kMaxEntry = 4096;
constexpr std::string_view kLfsPointer = "version https://git-lfs.github.com/spec/v1\n";

template <typename Number>
bool to_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

/// Gives `bytes` up to the next NUL to `text`, of which no more than `limit` bytes (and a few, so that a cut can be
/// seen) are kept; true if there was a NUL. What was used is taken from `bytes`.
bool take_until_nul(std::string_view& bytes, std::string& text, std::size_t limit) {
  const auto end = bytes.find('\0');
  const std::string_view part = bytes.substr(0, end);
  const std::size_t room = text.size() < limit + 4 ? limit + 4 - text.size() : 0;
  text.append(part.substr(0, room));
  bytes.remove_prefix(end == std::string_view::npos ? bytes.size() : end + 1);
  return end != std::string_view::npos;
}

}  // namespace

void CommitParser::feed(std::string_view bytes) {
  while (!bytes.empty() && !failed_)
    if (take_until_nul(bytes, text_, kMaxField)) end_field();
}

void CommitParser::end_field() {
  const std::string_view text = cut_at(text_, kMaxField);
  switch (field_) {
    case 0:
      failed_ = !is_hash(text);
      commit_ = {.repository = repository_, .hash = model::CommitHash(std::string(text))};
      break;
    case 1: {
      // A commit's date may be any number; what does not fit a calendar is as good as none.
      std::int64_t seconds = 0;
      constexpr std::int64_t kYear9999 = 253'402'300'799;
      if (!to_number(text, seconds) || seconds < 0 || seconds > kYear9999) seconds = 0;
      commit_.committed = model::Time(std::chrono::seconds(seconds));
      break;
    }
    case 2:
      commit_.author_name = text;
      break;
    case 3:
      commit_.author_email = text;
      break;
    default:
      commit_.subject = text;
      commits_.push_back(std::move(commit_));
      break;
  }
  text_.clear();
  field_ = field_ == 4 ? 0 : field_ + 1;
}

void TreeParser::feed(std::string_view bytes) {
  while (!bytes.empty() && !failed_)
    if (take_until_nul(bytes, text_, kMaxEntry)) end_entry();
}

void TreeParser::end_entry() {
  // "100644 blob <hash>    1234\t<path>"; the size of what is no blob is "-".
  const std::string_view text = text_;
  TreeEntry entry;
  const auto tab = text.find('\t');
  const auto words = tab == std::string_view::npos ? std::string_view{} : text.substr(0, tab);
  const auto hash = words.find(' ', 7);
  const auto size = hash == std::string_view::npos ? hash : words.find(' ', hash + 1);
  failed_ = size == std::string_view::npos;
  if (failed_) return;
  const std::string_view mode = words.substr(0, 6);
  entry.hash = words.substr(hash + 1, size - hash - 1);
  entry.path = cut_at(text.substr(tab + 1), kMaxEntry);
  failed_ = !is_hash(entry.hash);
  if (mode == "160000") {
    entry.kind = TreeEntry::Kind::submodule;
  } else {
    entry.kind = mode == "120000" ? TreeEntry::Kind::symlink : TreeEntry::Kind::file;
    const auto digits = words.find_first_not_of(' ', size);
    failed_ = failed_ || digits == std::string_view::npos || !to_number(words.substr(digits), entry.size);
  }
  if (!failed_) entries_.push_back(std::move(entry));
  text_.clear();
}

std::vector<TreeEntry> TreeParser::take() { return std::exchange(entries_, {}); }

std::vector<bool> find_lfs_pointers(std::string_view output) {
  // "<hash> blob <size>\n<content>\n" for each, "<hash> missing\n" for one that is not there.
  std::vector<bool> found;
  while (!output.empty()) {
    const auto end = output.find('\n');
    if (end == std::string_view::npos) break;
    const std::string_view head = output.substr(0, end);
    output.remove_prefix(end + 1);
    std::size_t size = 0;
    const auto space = head.rfind(' ');
    if (space == std::string_view::npos || !to_number(head.substr(space + 1), size)) {
      found.push_back(false);
      continue;
    }
    if (size >= output.size()) break;
    found.push_back(output.substr(0, size).starts_with(kLfsPointer));
    output.remove_prefix(size + 1);
  }
  return found;
}

}  // namespace build::git
