// How it works: a line is put together as key and value pairs by a Line, which knows the format; what escaping means is
// said once, in append_text(), and differs between the formats only in how an escaped byte is spelled.

#include <build/base/log.h>
#include <build/base/utf8.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>

#include <sys/stat.h>
#include <unistd.h>

namespace build::base {

namespace {

/// Nothing can be done, or said, about a stderr that takes no more.
void write_to_stderr(std::string_view line) {
  while (!line.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    line.remove_prefix(static_cast<std::size_t>(written));
  }
}

/// What could begin a line, steer a terminal, or make a line look as if it said something else.
bool is_harmful(char32_t code) {
  const auto between = [code](char32_t low, char32_t high) { return code >= low && code <= high; };
  return code < 0x20 || between(0x7f, 0x9f) || code == 0x61c || between(0x200b, 0x200f) || between(0x2028, 0x202e) ||
         between(0x2060, 0x206f) || code == 0xfeff || between(0xfff9, 0xfffb) || between(0xe0000, 0xe007f);
}

void append_hex(std::string& line, const char* prefix, int digits, std::uint32_t number) {
  char text[16];
  std::snprintf(text, sizeof text, "%s%0*x", prefix, digits, number);
  line += text;
}

void append_escaped(std::string& line, std::string_view bytes, const Character& character, LogFormat format) {
  if (format == LogFormat::text) {
    for (const char c : bytes) append_hex(line, "\\x", 2, static_cast<unsigned char>(c));
  } else if (!character.valid) {
    line += "\\ufffd";  // JSON has no way to write a byte
  } else if (character.code < 0x10000) {
    append_hex(line, "\\u", 4, character.code);
  } else {
    append_hex(line, "\\u", 4, 0xd800 + ((character.code - 0x10000) >> 10));
    append_hex(line, "\\u", 4, 0xdc00 + (character.code & 0x3ff));
  }
}

/// `text` between quotes, escaped, and cut if it is long.
void append_text(std::string& line, std::string_view text, LogFormat format) {
  const std::size_t end = line.size() + Logger::kMaxText;
  line += '"';
  while (!text.empty() && line.size() < end) {
    const Character character = first_character(text);
    const std::string_view bytes = text.substr(0, character.size);
    if (!character.valid || is_harmful(character.code)) {
      append_escaped(line, bytes, character, format);
    } else {
      if (bytes == "\"" || bytes == "\\") line += '\\';
      line += bytes;
    }
    text.remove_prefix(character.size);
  }
  if (!text.empty()) line += "... (" + std::to_string(text.size()) + " bytes more)";
  line += '"';
}

/// Needs no quotes: nothing in it means anything to who reads the line.
bool is_plain(std::string_view value) {
  if (value.empty() || value.size() > 100) return false;
  for (const char c : value)
    if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\') return false;
  return true;
}

std::string text_of(std::chrono::sys_time<std::chrono::milliseconds> time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  char text[48];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return text;
}

class Line {
 public:
  explicit Line(LogFormat format) : format_(format) {}

  enum class Quotes { always, where_needed };

  void add(std::string_view key, std::string_view value, Quotes quotes = Quotes::where_needed) {
    if (format_ == LogFormat::json) {
      pairs_ += pairs_.empty() ? "\"" : ",\"";
      pairs_ += key;
      pairs_ += "\":";
    } else {
      if (!pairs_.empty()) pairs_ += ' ';
      pairs_ += key;
      pairs_ += '=';
    }
    if (format_ == LogFormat::text && quotes == Quotes::where_needed && is_plain(value))
      pairs_ += value;
    else
      append_text(pairs_, value, format_);
  }

  std::string str() const { return format_ == LogFormat::json ? "{" + pairs_ + "}\n" : pairs_ + "\n"; }

 private:
  LogFormat format_;
  std::string pairs_;
};

std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::error:
      return "error";
    case LogLevel::warning:
      return "warning";
    case LogLevel::info:
      break;
  }
  return "info";
}

/// As syslog(3) numbers them.
std::string_view priority_of(LogLevel level) {
  switch (level) {
    case LogLevel::error:
      return "<3>";
    case LogLevel::warning:
      return "<4>";
    case LogLevel::info:
      break;
  }
  return "<6>";
}

}  // namespace

LogOptions::Reader reader_of_stderr(std::string_view journal_stream) {
  const std::size_t colon = journal_stream.find(':');
  struct stat file {};
  if (colon == std::string_view::npos || ::fstat(STDERR_FILENO, &file) != 0) return LogOptions::Reader::person;
  const std::string own = std::to_string(file.st_dev) + ":" + std::to_string(file.st_ino);
  return journal_stream == own ? LogOptions::Reader::journal : LogOptions::Reader::person;
}

Logger::Logger(Now now, LogOptions options) : Logger(std::move(now), write_to_stderr, options) {}

Logger::Logger(Now now, Sink sink, LogOptions options)
    : now_(std::move(now)), sink_(std::move(sink)), options_(options) {}

void Logger::info(std::string_view sentence, std::initializer_list<LogField> fields) {
  write(LogLevel::info, sentence, fields);
}

void Logger::warning(std::string_view sentence, std::initializer_list<LogField> fields) {
  write(LogLevel::warning, sentence, fields);
}

void Logger::error(std::string_view sentence, std::initializer_list<LogField> fields) {
  write(LogLevel::error, sentence, fields);
}

void Logger::write(LogLevel level, std::string_view sentence, std::initializer_list<LogField> fields) {
  if (level > options_.level) return;
  const bool journal = options_.reader == LogOptions::Reader::journal;
  Line line(options_.format);
  if (!journal) line.add("time", text_of(now_()));
  line.add("level", name_of(level));
  line.add("msg", sentence, Line::Quotes::always);
  for (const LogField& field : fields) line.add(field.key, field.value);
  const std::string text = (journal ? std::string(priority_of(level)) : std::string()) + line.str();
  const std::lock_guard lock(mutex_);
  sink_(text);
}

}  // namespace build::base
