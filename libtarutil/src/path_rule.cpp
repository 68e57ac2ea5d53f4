#include <tarutil/path_rule.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <vector>

namespace tarutil {

namespace {

/// The components that are left after lexical cleaning; leading ".." stay.
std::vector<std::string_view> components(std::string_view name) {
  std::vector<std::string_view> kept;
  while (!name.empty()) {
    const std::size_t slash = std::min(name.find('/'), name.size());
    const std::string_view component = name.substr(0, slash);
    name.remove_prefix(std::min(slash + 1, name.size()));
    if (component.empty() || component == ".") continue;
    if (component == ".." && !kept.empty() && kept.back() != "..") {
      kept.pop_back();
    } else {
      kept.push_back(component);
    }
  }
  return kept;
}

/// Length of the UTF-8 sequence at the start of `text`, 0 if there is no valid one; `code_point` is set.
std::size_t decode(std::string_view text, char32_t& code_point) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::size_t length = byte(0) < 0x80       ? 1
                             : byte(0) >> 5 == 6  ? 2
                             : byte(0) >> 4 == 14 ? 3
                             : byte(0) >> 3 == 30 ? 4
                                                  : 0;
  if (length == 0 || length > text.size()) return 0;
  code_point = length == 1 ? byte(0) : byte(0) & (0x7f >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if (byte(i) >> 6 != 2) return 0;
    code_point = code_point << 6 | (byte(i) & 0x3f);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code_point >= 0xd800 && code_point < 0xe000;
  return code_point < kSmallest[length] || code_point > 0x10ffff || surrogate ? 0 : length;
}

/// Controls, blanks other than the plain one, and marks that change how text reads.
bool is_unprintable(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c <= 0xa0) || c == 0xad || (c >= 0x2000 && c <= 0x200f) ||
         (c >= 0x2028 && c <= 0x202f) || (c >= 0x205f && c <= 0x206f) || c == 0x3000 || c == 0xfeff ||
         (c & 0xfffe) == 0xfffe;
}

void append_formatted(std::string& out, const char* format, unsigned value) {
  char text[16];
  std::snprintf(text, sizeof text, format, value);
  out += text;
}

void append_code_point(std::string& out, char32_t c, std::string_view bytes) {
  constexpr std::string_view kNamed = "\a\b\f\n\r\t\v", kLetters = "abfnrtv";
  const std::size_t named = c < 0x80 ? kNamed.find(static_cast<char>(c)) : std::string_view::npos;
  if (named != std::string_view::npos) {
    out += '\\';
    out += kLetters[named];
  } else if (c == '"' || c == '\\') {
    out += '\\';
    out += bytes;
  } else if (!is_unprintable(c)) {
    out += bytes;
  } else {
    append_formatted(out, c < 0x80 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", static_cast<unsigned>(c));
  }
}

}  // namespace

std::string quoted(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    char32_t code_point = 0;
    const std::size_t length = decode(text, code_point);
    if (length == 0) {
      append_formatted(out, "\\x%02x", static_cast<unsigned char>(text.front()));
    } else {
      append_code_point(out, code_point, text.substr(0, length));
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out + '"';
}

std::optional<std::string> relative_path_problem(std::string_view name) {
  if (name.empty()) return "path not provided";
  if (name.find('\0') != std::string_view::npos) return "path " + quoted(name) + " contains a NUL byte";
  if (name.front() == '/') return "path " + quoted(name) + " is not relative";
  const auto kept = components(name);
  if (!kept.empty() && kept.front() == "..") return "path " + quoted(name) + " refers to a parent directory";
  return std::nullopt;
}

std::optional<std::string> symlink_problem(std::string_view name, std::string_view target) {
  if (target.empty()) return "its target is empty";
  if (target.front() == '/') return "its target is absolute";
  const auto deep = std::count(name.begin(), name.end(), '/');
  std::ptrdiff_t up = 0;
  bool named = false;
  while (!target.empty()) {
    const std::size_t slash = std::min(target.find('/'), target.size());
    const std::string_view component = target.substr(0, slash);
    target.remove_prefix(std::min(slash + 1, target.size()));
    if (component.empty() || component == ".") continue;
    if (component != "..") {
      named = true;
    } else if (named) {
      return "its target has \"..\" after a name";
    } else if (++up > deep) {
      return "its target leads outside";
    }
  }
  return std::nullopt;
}

std::string cleaned_path(std::string_view name) {
  std::string cleaned;
  for (const std::string_view component : components(name)) {
    if (!cleaned.empty()) cleaned += '/';
    cleaned += component;
  }
  return cleaned.empty() ? "." : cleaned;
}

}  // namespace tarutil
