#include <revdial/control.h>

#include "utf8.h"

#include <rapidjson/document.h>
#include <rapidjson/error/en.h>

#include <algorithm>
#include <array>
#include <utility>

namespace revdial {

namespace {

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

/// `text` (UTF-8) as the inside of a JSON string, as the original's encoder writes it.
std::string json_escape(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || c == '<' || c == '>' || c == '&') {
      out += "\\u00";
      out += kHex[byte >> 4U];
      out += kHex[byte & 0xFU];
    } else if (text.substr(i, 3) == "\u2028" || text.substr(i, 3) == "\u2029") {
      out += text[i + 2] == '\xA8' ? "\\u2028" : "\\u2029";
      i += 2;
    } else {
      out += c;
    }
  }
  return out;
}

std::string json_line(const ControlMessage& message, std::string_view err) {
  const std::array<std::pair<std::string_view, std::string_view>, 4> members{
      {{"command", message.command}, {"connPath", message.conn_path}, {"err", err}, {"period", message.period}}};
  std::string line = "{";
  for (const auto& [key, value] : members) {
    if (value.empty()) continue;
    if (line.size() > 1) line += ',';
    line += '"';
    line += key;
    line += "\":\"";
    line += json_escape(to_utf8(value));
    line += '"';
  }
  line += "}\n";
  return line;
}

}  // namespace

ControlMessage parse_control_line(std::string_view line) {
  // RapidJSON would take a NUL for the end of the text.
  if (line.find('\0') != std::string_view::npos) throw ControlError("a control line contains a NUL byte");
  // Iterative: nesting costs heap, not stack. The text goes through to_utf8 afterwards.
  rapidjson::Document document;
  document.Parse<rapidjson::kParseIterativeFlag>(line.data(), line.size());
  if (document.HasParseError()) {
    throw ControlError(
        "a control line is not JSON: " + std::string(rapidjson::GetParseError_En(document.GetParseError())) +
        " (at byte " + std::to_string(document.GetErrorOffset()) + ")");
  }
  if (!document.IsObject()) throw ControlError("a control line is JSON but not an object");

  ControlMessage message;
  const std::array<std::pair<std::string_view, std::string*>, 4> known{{{"command", &message.command},
                                                                        {"connPath", &message.conn_path},
                                                                        {"err", &message.err},
                                                                        {"period", &message.period}}};
  for (const auto& member : std::as_const(document).GetObject()) {
    const std::string_view key(member.name.GetString(), member.name.GetStringLength());
    for (const auto& [name, field] : known) {
      if (!equal_ignoring_case(key, name) || member.value.IsNull()) continue;
      if (!member.value.IsString()) {
        throw ControlError("the key \"" + std::string(name) + "\" of a control line is not a string");
      }
      *field = to_utf8({member.value.GetString(), member.value.GetStringLength()});
    }
  }
  return message;
}

std::string serialize_control(const ControlMessage& message) {
  std::string line = json_line(message, message.err);
  if (line.size() <= kMaxControlLine) return line;

  // Escapes make it unclear how many bytes of the text fit: halve the distance until it is found.
  constexpr std::string_view kCut = "...";
  const std::string err = to_utf8(message.err);
  std::string best = json_line(message, "");
  if (best.size() > kMaxControlLine) {
    throw std::length_error("a control line would be longer than " + std::to_string(kMaxControlLine) + " bytes");
  }
  std::size_t fits = 0, too_many = std::min(err.size(), kMaxControlLine) + 1;
  while (fits + 1 < too_many) {
    const std::size_t middle = fits + (too_many - fits) / 2;
    std::string attempt = json_line(message, std::string(utf8_prefix(err, middle)) + std::string(kCut));
    if (attempt.size() <= kMaxControlLine) {
      fits = middle;
      best = std::move(attempt);
    } else {
      too_many = middle;
    }
  }
  return best;
}

io::Task<std::optional<std::string>> LineReader::next() {
  for (;;) {
    const std::size_t end = held_.find('\n', searched_);
    if (end != std::string::npos) {
      std::string line = held_.substr(0, end);
      held_.erase(0, end + 1);
      searched_ = 0;
      co_return line;
    }
    searched_ = held_.size();
    if (held_.size() >= kMaxControlLine) {
      throw ControlError("a control line is longer than " + std::to_string(kMaxControlLine) + " bytes");
    }
    std::array<char, 512> piece;  // small, because it is held for as long as the session is idle
    const auto room = io::asio::buffer(piece.data(), std::min(piece.size(), kMaxControlLine - held_.size()));
    const std::size_t count = co_await stream_.read_some(room);
    if (count == 0) {
      if (held_.empty()) co_return std::nullopt;
      throw ControlError("the connection ended in the middle of a control line");
    }
    held_.append(piece.data(), count);
  }
}

}  // namespace revdial
