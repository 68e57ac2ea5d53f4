#include <maintner/commit_text.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>

#include "decimal.h"
#include "hex.h"

namespace maintner {

namespace {

constexpr std::size_t kHexSize = 40;

bool is_hash(std::string_view hex) {
  std::array<char, kHexSize / 2> bytes;
  return hex.size() == kHexSize && read_hash(hex.data(), bytes.data());
}

std::string_view hash_in(std::string_view line, std::string_view of) {
  if (!is_hash(line)) throw CommitError("no hash behind \"" + std::string(of) + "\"");
  return line;
}

/// White space that takes more than one byte in UTF-8.
constexpr std::array<std::string_view, 19> kWideSpaces = {
    "\u0085", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006",
    "\u2007", "\u2008", "\u2009", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"};

bool is_narrow_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }

std::size_t space_at_begin(std::string_view text) {
  if (is_narrow_space(text.front())) return 1;
  if (is_ascii(text.front())) return 0;
  for (const std::string_view space : kWideSpaces)
    if (text.starts_with(space)) return space.size();
  return 0;
}

std::size_t space_at_end(std::string_view text) {
  if (is_narrow_space(text.back())) return 1;
  if (is_ascii(text.back())) return 0;
  for (const std::string_view space : kWideSpaces)
    if (text.ends_with(space)) return space.size();
  return 0;
}

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool is_name(char c) { return is_word(c) || c == '-'; }

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  return lower;
}

/// Where the run of is_name() begins that ends before `end`, not before `limit`.
std::size_t name_begin(std::string_view text, std::size_t end, std::size_t limit) {
  while (end > limit && is_name(text[end - 1])) --end;
  return end;
}

/// "owner/repo" that ends before `hash`; nothing if none does.
std::optional<IssueReference> repo_before(std::string_view text, std::size_t hash, std::size_t limit) {
  const std::size_t repo = name_begin(text, hash, limit);
  if (repo == hash || repo == limit || text[repo - 1] != '/') return std::nullopt;
  const std::size_t slash = repo - 1;
  // An owner begins where words begin or end.
  std::size_t owner = name_begin(text, slash, limit);
  const auto is_edge = [&](std::size_t i) { return is_word(text[i]) != (i > 0 && is_word(text[i - 1])); };
  while (owner < slash && !is_edge(owner)) ++owner;
  if (owner == slash) return std::nullopt;
  return IssueReference{lower_case(text.substr(owner, slash - owner)), lower_case(text.substr(repo, hash - repo)), 0};
}

}  // namespace

int zone_offset(std::string_view zone) noexcept {
  const auto two_digits = [zone](std::size_t at) {
    if (at + 2 > zone.size()) return 0;
    const char a = zone[at], b = zone[at + 1];
    return a >= '0' && a <= '9' && b >= '0' && b <= '9' ? (a - '0') * 10 + (b - '0') : 0;
  };
  const int seconds = two_digits(1) * 3600 + two_digits(3) * 60;
  return zone.starts_with('-') ? -seconds : seconds;
}

std::string_view person_name(std::string_view person) noexcept { return trimmed(person.substr(0, person.find('<'))); }

std::string_view person_email(std::string_view person) noexcept {
  const std::size_t begin = person.find('<'), end = person.find('>');
  if (begin == person.npos || end == person.npos || end < begin) return {};
  return person.substr(begin + 1, end - begin - 1);
}

PersonAndTime parse_person(std::string_view line) {
  line = trimmed(line);
  const std::size_t last = line.rfind(' ');
  const std::size_t before = last == line.npos || last == 0 ? line.npos : line.rfind(' ', last - 1);
  if (before == line.npos) throw CommitError("no person, time and zone: \"" + std::string(line) + "\"");
  PersonAndTime found;
  found.person = line.substr(0, before);
  found.zone = line.substr(last + 1);
  const auto seconds = decimal<std::int64_t>(line.substr(before + 1, last - before - 1));
  if (!seconds || found.zone.size() < 5) throw CommitError("no time: \"" + std::string(line) + "\"");
  found.seconds = *seconds;
  return found;
}

CommitText parse_commit(std::string_view raw) {
  CommitText commit;
  std::string_view rest = raw;
  while (true) {
    const std::size_t end = rest.find('\n');
    // The blank line ends the head; it is not the first.
    if (end == rest.npos || (end == 0 && rest.size() == raw.size()))
      throw CommitError("a commit without a blank line behind its head");
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    if (line.empty()) break;
    const auto is = [&line](std::string_view key) {
      if (!line.starts_with(key)) return false;
      line.remove_prefix(key.size());
      return true;
    };
    if (is("parent ")) {
      commit.parents.push_back(hash_in(line, "parent"));
    } else if (is("author ")) {
      commit.author = parse_person(line);
    } else if (is("committer ")) {
      commit.committer = parse_person(line);
    } else if (is("tree ")) {
      commit.tree = hash_in(line, "tree");
    } else if (is("golang-hg ")) {
      commit.hg = line;
    }
  }
  commit.message = rest;
  return commit;
}

std::optional<std::string> hash_from_hex(std::string_view hex) {
  std::string hash(kHexSize / 2, '\0');
  if (hex.size() != kHexSize || !read_hash(hex.data(), hash.data())) return std::nullopt;
  return hash;
}

std::string hash_to_hex(std::string_view hash) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  hex.reserve(2 * hash.size());
  for (const char c : hash) {
    const auto byte = static_cast<unsigned char>(c);
    hex += kDigits[byte >> 4U];
    hex += kDigits[byte & 15U];
  }
  return hex;
}

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t size = space_at_begin(text);
    if (size == 0) break;
    text.remove_prefix(size);
  }
  while (!text.empty()) {
    const std::size_t size = space_at_end(text);
    if (size == 0) break;
    text.remove_suffix(size);
  }
  return text;
}

std::optional<LineValue> line_value(std::string_view text, std::string_view prefix) noexcept {
  for (std::size_t at = text.find(prefix); at != text.npos; at = text.find(prefix, at + 1)) {
    if (at > 0 && text[at - 1] != '\n' && text[at - 1] != '\r') continue;
    const std::string_view behind = text.substr(at + prefix.size());
    const std::size_t end = behind.find('\n');
    if (end == behind.npos) return LineValue{trimmed(behind), {}};
    return LineValue{trimmed(behind.substr(0, end)), behind.substr(end + 1)};
  }
  return std::nullopt;
}

std::string_view footer_of(std::string_view message) noexcept {
  for (std::size_t end = message.size(); end > 0;) {
    const auto* const found = static_cast<const char*>(::memrchr(message.data(), '\n', end));
    if (found == nullptr) break;
    end = static_cast<std::size_t>(found - message.data());
    if (end > 0 && message[end - 1] == '\n') return message.substr(end + 1);
  }
  return {};
}

std::string_view summary_of(std::string_view message) noexcept {
  return trimmed(message.substr(0, message.find('\n')));
}

std::string subject_of(std::string_view message) {
  std::string subject(message.substr(0, message.find("\n\n")));
  std::replace(subject.begin(), subject.end(), '\n', ' ');
  return subject;
}

std::string_view change_id_of(std::string_view message) noexcept {
  const auto line = line_value(message, "Change-Id:");
  return line && line->value.starts_with('I') && line->value.size() == kHexSize + 1 ? line->value : std::string_view();
}

std::vector<IssueReference> issue_references(std::string_view message, const IssueReference* own_repo) {
  std::vector<IssueReference> found;
  std::size_t taken = 0;  // no two references share a byte
  for (std::size_t hash = message.find('#'); hash != message.npos; hash = message.find('#', hash + 1)) {
    std::size_t end = hash + 1;
    while (end < message.size() && message[end] >= '0' && message[end] <= '9') ++end;
    if (end == hash + 1 || (end < message.size() && is_word(message[end]))) continue;
    std::optional<IssueReference> reference = repo_before(message, hash, taken);
    taken = end;
    if (!reference && own_repo != nullptr) reference = *own_repo;
    const auto number = decimal<std::int32_t>(message.substr(hash + 1, end - hash - 1));
    if (!reference || !number) continue;
    reference->number = *number;
    if (std::find(found.begin(), found.end(), *reference) == found.end()) found.push_back(std::move(*reference));
  }
  return found;
}

}  // namespace maintner
