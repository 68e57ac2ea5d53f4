#include <build/html/html.h>

#include <build/base/utf8.h>

#include <charconv>
#include <cstdio>
#include <system_error>

namespace build::html {

namespace {

using base::Character;
using base::first_character;

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// Characters that change how others are shown, or are not shown themselves.
bool is_invisible(char32_t code) {
  return code == 0xAD || code == 0x34F || code == 0x61C || code == 0x115F || code == 0x1160 ||
         (code >= 0x17B4 && code <= 0x17B5) || (code >= 0x180B && code <= 0x180F) ||
         (code >= 0x200B && code <= 0x200F) || (code >= 0x2028 && code <= 0x202E) ||
         (code >= 0x2060 && code <= 0x206F) || code == 0x3164 || code == 0xFEFF || code == 0xFFA0 ||
         (code >= 0xFFF0 && code <= 0xFFFB) || (code >= 0x1D173 && code <= 0x1D17A) ||
         (code >= 0xE0000 && code <= 0xE0FFF);
}

void append_readable(std::string& out, const Character& c, std::string_view bytes) {
  if (!c.valid || (c.code >= 0x80 && c.code < 0xA0)) {
    out += kReplacement;
  } else if (c.code == 0x7F) {
    out += "\xE2\x90\xA1";
  } else if (c.code < 0x20 && c.code != '\n' && c.code != '\t') {
    out += "\xE2\x90";
    out += static_cast<char>(0x80 + c.code);
  } else if (is_invisible(c.code)) {
    char name[16];
    std::snprintf(name, sizeof name, "[U+%04X]", static_cast<unsigned>(c.code));
    out += name;
  } else {
    out += bytes.substr(0, c.size);
  }
}

}  // namespace

std::string readable(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const Character c = first_character(bytes);
    append_readable(out, c, bytes);
    bytes.remove_prefix(c.size);
  }
  return out;
}

std::string json_quoted(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() + bytes.size() / 8 + 2);
  out += '"';
  const auto unit = [&out](unsigned code) {
    char text[16];
    std::snprintf(text, sizeof text, "\\u%04x", code);
    out += text;
  };
  while (!bytes.empty()) {
    const Character c = first_character(bytes);
    if (!c.valid) {
      out += kReplacement;
    } else if (c.code == '"' || c.code == '\\') {
      out += '\\';
      out += bytes.front();
    } else if (c.code == '\n') {
      out += "\\n";
    } else if (c.code < 0x20 || (c.code >= 0x7F && c.code < 0xA0) || c.code == '<' || c.code == '>' || c.code == '&' ||
               (is_invisible(c.code) && c.code < 0x10000)) {
      unit(c.code);
    } else if (is_invisible(c.code)) {
      unit(0xD800 + ((c.code - 0x10000) >> 10));
      unit(0xDC00 + ((c.code - 0x10000) & 0x3FF));
    } else {
      out += bytes.substr(0, c.size);
    }
    bytes.remove_prefix(c.size);
  }
  out += '"';
  return out;
}

std::size_t begun_character(std::string_view bytes) {
  for (std::size_t back = 1; back <= 3 && back <= bytes.size(); ++back) {
    const auto byte = static_cast<unsigned char>(bytes[bytes.size() - back]);
    if ((byte & 0xC0u) == 0x80u) continue;
    const std::size_t length = byte >= 0xF0 && byte <= 0xF4 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC2 ? 2 : 1;
    return byte <= 0xF4 && length > back ? back : 0;
  }
  return 0;
}

std::string clipped(std::string_view bytes, std::size_t limit) {
  std::size_t end = 0;
  for (std::size_t count = 0; end < bytes.size(); ++count) {
    if (count == limit) return std::string(bytes.substr(0, end)) + "\xE2\x80\xA6";
    end += first_character(bytes.substr(end)).size;
  }
  return std::string(bytes);
}

std::string count_text(std::uint64_t count) {
  std::string text = std::to_string(count);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

std::optional<std::int64_t> parse_number(std::string_view text, std::int64_t max) {
  std::int64_t value = 0;
  if (text.empty() || text.size() > 19 || text.find_first_not_of("0123456789") != std::string_view::npos)
    return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > max) return std::nullopt;
  return value;
}

Html& Html::text(std::string_view bytes) {
  for (const char c : readable(bytes)) switch (c) {
      case '&':
        out_ += "&amp;";
        break;
      case '<':
        out_ += "&lt;";
        break;
      case '>':
        out_ += "&gt;";
        break;
      case '"':
        out_ += "&quot;";
        break;
      case '\'':
        out_ += "&#39;";
        break;
      default:
        out_ += c;
    }
  return *this;
}

}  // namespace build::html
