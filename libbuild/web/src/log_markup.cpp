// A log's bytes as markup: a small reader of terminal sequences that keeps colours and drops the rest.
#include <build/web/html.h>

#include <algorithm>
#include <string>
#include <vector>

namespace build::web {

namespace {

constexpr char kEscape = '\x1B';
constexpr std::size_t kMaxSequence = 4096;  ///< a longer one is not a sequence
constexpr std::size_t kMaxParameters = 32;

struct Style {
  int color = -1;  ///< 0 to 15
  bool bold = false, dim = false, italic = false, underline = false;

  bool plain() const { return color < 0 && !bold && !dim && !italic && !underline; }
  std::string classes() const {
    std::string names;
    if (color >= 0) names += " a" + std::to_string(color);
    if (bold) names += " bold";
    if (dim) names += " dim";
    if (italic) names += " italic";
    if (underline) names += " underline";
    return names.empty() ? names : names.substr(1);
  }
};

/// "1;31" as numbers; what is no number counts as 0.
std::vector<int> parameters(std::string_view text) {
  std::vector<int> numbers(1, 0);
  for (const char c : text) {
    if (c == ';' || c == ':') {
      if (numbers.size() == kMaxParameters) break;
      numbers.push_back(0);
    } else if (c >= '0' && c <= '9') {
      numbers.back() = std::min(numbers.back() * 10 + (c - '0'), 9999);
    }
  }
  return numbers;
}

void select_graphics(Style& style, const std::vector<int>& numbers) {
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const int n = numbers[i];
    if (n == 0)
      style = Style{};
    else if (n == 1)
      style.bold = true;
    else if (n == 2)
      style.dim = true;
    else if (n == 3)
      style.italic = true;
    else if (n == 4)
      style.underline = true;
    else if (n == 22)
      style.bold = style.dim = false;
    else if (n == 23)
      style.italic = false;
    else if (n == 24)
      style.underline = false;
    else if (n >= 30 && n <= 37)
      style.color = n - 30;
    else if (n >= 90 && n <= 97)
      style.color = n - 90 + 8;
    else if (n == 39)
      style.color = -1;
    else if (n == 38 || n == 48) {
      // 38;5;N and 38;2;R;G;B: of these only the sixteen usual colours are kept.
      if (i + 2 < numbers.size() && numbers[i + 1] == 5) {
        if (n == 38) style.color = numbers[i + 2] < 16 ? numbers[i + 2] : -1;
        i += 2;
      } else if (i + 1 < numbers.size() && numbers[i + 1] == 2) {
        if (n == 38) style.color = -1;
        i += 4;
      }
    }
  }
}

/// The length of the terminal sequence at the beginning of `bytes` (an escape character), and the style after it.
std::size_t skip_sequence(std::string_view bytes, Style& style) {
  if (bytes.size() < 2) return bytes.size();
  const std::size_t limit = std::min(bytes.size(), kMaxSequence);
  const char kind = bytes[1];
  if (kind == '[') {
    std::size_t end = 2;
    while (end < limit && bytes[end] >= 0x20 && bytes[end] <= 0x3F) ++end;
    if (end == limit) return limit == bytes.size() ? limit : 2;
    if (bytes[end] < 0x40 || bytes[end] > 0x7E) return end;
    if (bytes[end] == 'm') select_graphics(style, parameters(bytes.substr(2, end - 2)));
    return end + 1;
  }
  if (kind == ']' || kind == 'P' || kind == '_' || kind == '^' || kind == 'X') {
    for (std::size_t end = 2; end < limit; ++end) {
      if (bytes[end] == '\a') return end + 1;
      if (bytes[end] == kEscape) return end + 1 < bytes.size() && bytes[end + 1] == '\\' ? end + 2 : end;
      if (bytes[end] == '\n') return end;
    }
    return limit == bytes.size() ? limit : 2;
  }
  if (kind >= 0x20 && kind <= 0x2F) return bytes.size() > 2 ? 3 : 2;  // character sets
  return kind >= 0x30 && kind <= 0x7E ? 2 : 1;
}

/// Line ends of any kind as line feeds.
std::string with_line_feeds(std::string_view run) {
  std::string text;
  text.reserve(run.size());
  for (std::size_t i = 0; i < run.size(); ++i) {
    if (run[i] != '\r')
      text += run[i];
    else if (i + 1 == run.size() || run[i + 1] != '\n')
      text += '\n';
  }
  return text;
}

void write_run(Html& html, std::string_view run, const Style& style) {
  if (run.empty()) return;
  const std::string text = with_line_feeds(run);
  if (style.plain()) {
    html.text(text);
  } else {
    html.markup("<span class=\"").text(style.classes()).markup("\">").text(text).markup("</span>");
  }
}

/// Gives `put` the runs of text between terminal sequences, each with its style.
template <typename Put>
void for_each_run(std::string_view bytes, Put put) {
  Style style;
  while (!bytes.empty()) {
    const std::size_t escape = std::min(bytes.find(kEscape), bytes.size());
    put(bytes.substr(0, escape), style);
    bytes.remove_prefix(escape);
    if (!bytes.empty()) bytes.remove_prefix(skip_sequence(bytes, style));
  }
}

/// Writes runs of text as numbered lines.
class LineWriter {
 public:
  LineWriter(Html& html, const LineNames& names) : html_(html), names_(names), number_(names.first) {}

  void put(std::string_view run, const Style& style) {
    while (!run.empty()) {
      const std::size_t end = std::min(run.find('\n'), run.size() - 1) + 1;
      if (!open_) begin();
      write_run(html_, run.substr(0, end), style);
      if (run[end - 1] == '\n') close();
      run.remove_prefix(end);
    }
  }
  void close() {
    if (open_) html_.markup("</span>");
    open_ = false;
  }

 private:
  void begin() {
    const auto number = static_cast<std::int64_t>(number_++);
    html_.markup("<span");
    if (names_.ids == LineNames::Ids::yes) html_.markup(" id=\"").text(names_.prefix).number(number).markup("\"");
    // Not a stop for the tab key: there are thousands of them.
    html_.markup("><a href=\"").text(names_.page).markup("#").text(names_.prefix).number(number);
    html_.markup("\" tabindex=\"-1\">").number(number).markup("</a>");
    open_ = true;
  }

  Html& html_;
  const LineNames& names_;
  std::uint64_t number_;
  bool open_ = false;
};

}  // namespace

void write_log(Html& html, std::string_view bytes) {
  for_each_run(bytes, [&html](std::string_view run, const Style& style) { write_run(html, run, style); });
}

void write_log_lines(Html& html, std::string_view bytes, const LineNames& names) {
  LineWriter writer(html, names);
  for_each_run(bytes, [&writer](std::string_view run, const Style& style) { writer.put(run, style); });
  writer.close();
}

std::size_t whole_length(std::string_view bytes) {
  // The last escape that could still belong to a sequence which goes on behind the end.
  const std::size_t from = bytes.size() - std::min(bytes.size(), kMaxSequence);
  const std::size_t escape = bytes.substr(from).rfind(kEscape);
  if (escape != std::string_view::npos) {
    Style style;
    const std::string_view rest = bytes.substr(from + escape);
    std::string longer(rest);
    longer += 'x';  // ends any sequence that has not ended
    if (skip_sequence(longer, style) > rest.size() || rest.size() == 1) return from + escape;
  }
  if (bytes.ends_with('\r')) return bytes.size() - 1;
  return bytes.size() - begun_character(bytes);
}

std::size_t first_whole_line(std::string_view bytes) {
  constexpr std::size_t kNear = 4096;
  const std::size_t end = bytes.substr(0, kNear).find('\n');
  if (end != std::string_view::npos) return end + 1;
  std::size_t start = 0;
  while (start < bytes.size() && start < 4 && (static_cast<unsigned char>(bytes[start]) & 0xC0u) == 0x80u) ++start;
  return start;
}

}  // namespace build::web
