// The program's own log: one sentence a line, for the person who runs it.
//
// A Logger is made in main and handed on by reference; it outlives who uses it. Lines go to a sink, by
// default stderr, in one write each:
//
//   2026-11-21T20:54:03.125Z warning lost the session with the worker worker=mini-7 session=3f2a
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

/// Something a line is about. Values with blanks, quotes or control characters are written quoted.
struct LogField {
  std::string_view key;
  std::string value;
};

class Logger {
 public:
  /// UTC. Called for every line, on the thread that logs.
  using Now = std::function<std::chrono::sys_time<std::chrono::milliseconds>()>;
  /// Takes one line, ended by a newline. Called by one thread at a time; must not log.
  using Sink = std::function<void(std::string_view line)>;

  /// Writes to stderr.
  explicit Logger(Now now);
  Logger(Now now, Sink sink);
  Logger(const Logger&) = delete;
  Logger& operator=(const Logger&) = delete;

  void info(std::string_view sentence, std::initializer_list<LogField> fields = {});
  void warning(std::string_view sentence, std::initializer_list<LogField> fields = {});
  void error(std::string_view sentence, std::initializer_list<LogField> fields = {});

 private:
  void write(std::string_view level, std::string_view sentence, std::initializer_list<LogField> fields);

  Now now_;
  Sink sink_;
  std::mutex mutex_;
};

}  // namespace build::base
