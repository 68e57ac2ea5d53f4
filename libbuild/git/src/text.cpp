#include "text.h"

#include <algorithm>
#include <array>
#include <vector>

namespace build::git {

namespace {

constexpr std::size_t kMaxLines = 3;
constexpr std::size_t kMaxMessage = 600;

/// What git adds to every failure to reach a repository, true or not.
constexpr std::array<std::string_view, 2> kAdvice{"Please make sure you have the correct access rights",
                                                  "and the repository exists."};

bool says_something(std::string_view line) {
  return line.find_first_not_of(' ') != std::string_view::npos &&
         std::find(kAdvice.begin(), kAdvice.end(), line) == kAdvice.end();
}

}  // namespace

std::string_view cut_at(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return text;
  const auto continues = [&](std::size_t at) { return (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80; };
  std::size_t end = limit;
  // A sequence has at most three continuing bytes; more of them are no UTF-8 and may be cut anywhere.
  while (end > 0 && limit - end < 3 && continues(end)) --end;
  return text.substr(0, continues(end) ? limit : end);
}

std::string one_line(std::string_view text, std::size_t limit) {
  std::string line(cut_at(text, limit));
  for (char& c : line)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  if (line.size() < text.size()) line += "...";
  return line;
}

std::string last_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty() && lines.size() < kMaxLines) {
    // Progress overwrites itself with carriage returns.
    const auto end = text.find_last_of("\r\n");
    const std::string_view line = end == std::string_view::npos ? text : text.substr(end + 1);
    if (says_something(line)) lines.push_back(line);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(0, end);
  }
  std::string message;
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    if (!message.empty()) message += "; ";
    message += one_line(*line, kMaxMessage / kMaxLines);
  }
  return message;
}

bool is_hash(std::string_view text) {
  const auto digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return (text.size() == 40 || text.size() == 64) && std::all_of(text.begin(), text.end(), digit);
}

}  // namespace build::git
