// The program's own log: one event a line, for the person who runs it and for the programs that read logs.
//
// A Logger is made in main and handed on by reference; it outlives who uses it. Lines go to a sink, by
// default stderr, in one write each. The two formats (docs/operations.md describes them for readers):
//
//   time=2026-11-21T20:54:03.125Z level=warning msg="lost the session with the worker" worker=mini-7 session=3f2a
//   {"time":"2026-11-21T20:54:03.125Z","level":"warning","msg":"lost the session with the worker","worker":"mini-7"}
//
// Text from outside can be handed in as it is: it cannot begin a line or a field of its own, nor steer a terminal.
// Control characters, those that turn the direction of writing, and bytes that are not UTF-8 are escaped; a text of
// which more than kMaxText bytes would be written is cut, and says so, because journald breaks long lines in two.
//
// Threads: any.
#pragma once

#include <chrono>
#include <functional>
#include <initializer_list>
#include <mutex>
#include <string>
#include <string_view>

namespace build::base {

/// Something a line is about. Keys are ours: lower-case letters and underscores.
struct LogField {
  std::string_view key;
  std::string value;
};

enum class LogFormat { text, json };
/// From the most urgent on; a logger writes those up to its own.
enum class LogLevel { error, warning, info };

struct LogOptions {
  LogFormat format = LogFormat::text;
  LogLevel level = LogLevel::info;
  /// For journald, which has a time of its own and takes the priority from the line's beginning ("<4>").
  enum class Reader { person, journal } reader = Reader::person;
};

/// Whether stderr is the journal, which `journal_stream` (the variable JOURNAL_STREAM, "device:inode") tells.
LogOptions::Reader reader_of_stderr(std::string_view journal_stream);

class Logger {
 public:
  /// UTC. Called for every line, on the thread that logs.
  using Now = std::function<std::chrono::sys_time<std::chrono::milliseconds>()>;
  /// Takes one line, ended by a newline. Called by one thread at a time; must not log.
  using Sink = std::function<void(std::string_view line)>;

  /// Of what is written of a sentence, or of a value.
  static constexpr std::size_t kMaxText = 2048;

  /// Writes to stderr.
  explicit Logger(Now now, LogOptions options = {});
  Logger(Now now, Sink sink, LogOptions options = {});
  Logger(const Logger&) = delete;
  Logger& operator=(const Logger&) = delete;

  void info(std::string_view sentence, std::initializer_list<LogField> fields = {});
  void warning(std::string_view sentence, std::initializer_list<LogField> fields = {});
  void error(std::string_view sentence, std::initializer_list<LogField> fields = {});

 private:
  void write(LogLevel level, std::string_view sentence, std::initializer_list<LogField> fields);

  Now now_;
  Sink sink_;
  LogOptions options_;
  std::mutex mutex_;
};

}  // namespace build::base
