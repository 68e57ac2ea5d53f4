#include <build/base/log.h>

#include <cerrno>
#include <cstdio>

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

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

/// Remote text must not be able to start a line of its own or to steer a terminal.
void append_escaped(std::string& line, std::string_view text, bool in_quotes) {
  for (const char c : text) {
    if (is_control(c)) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\x%02x", static_cast<unsigned char>(c));
      line += escaped;
    } else {
      if (in_quotes && (c == '"' || c == '\\')) line += '\\';
      line += c;
    }
  }
}

void append_value(std::string& line, std::string_view value) {
  const bool plain = !value.empty() && value.find_first_of(" \"=\\") == std::string_view::npos;
  if (plain) {
    append_escaped(line, value, false);
    return;
  }
  line += '"';
  append_escaped(line, value, true);
  line += '"';
}

void append_time(std::string& line, std::chrono::sys_time<std::chrono::milliseconds> time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  char text[48];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  line += text;
}

}  // namespace

Logger::Logger(Now now) : Logger(std::move(now), write_to_stderr) {}

Logger::Logger(Now now, Sink sink) : now_(std::move(now)), sink_(std::move(sink)) {}

void Logger::info(std::string_view sentence, std::initializer_list<LogField> fields) {
  write("info", sentence, fields);
}

void Logger::warning(std::string_view sentence, std::initializer_list<LogField> fields) {
  write("warning", sentence, fields);
}

void Logger::error(std::string_view sentence, std::initializer_list<LogField> fields) {
  write("error", sentence, fields);
}

void Logger::write(std::string_view level, std::string_view sentence, std::initializer_list<LogField> fields) {
  std::string line;
  append_time(line, now_());
  line += ' ';
  line += level;
  line += ' ';
  append_escaped(line, sentence, false);
  for (const LogField& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    append_value(line, field.value);
  }
  line += '\n';
  const std::lock_guard lock(mutex_);
  sink_(line);
}

}  // namespace build::base
