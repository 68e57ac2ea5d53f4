// What is said on stderr, and the exit code that comes of it.
#pragma once

#include "exit_code.h"

#include <string>
#include <string_view>

namespace pargzip::tool {

/// `text` with control characters escaped: a file's name must not talk to the terminal.
std::string printable(std::string_view text);

class Messages {
 public:
  explicit Messages(bool quiet) : quiet_(quiet) {}

  /// "pargzip: SUBJECT: what"; exit code 1 in the end.
  void error(std::string_view subject, std::string_view what);
  /// The same; exit code 2 unless there is an error. Not said with -q.
  void warning(std::string_view subject, std::string_view what);
  /// The same, and no change of the exit code.
  void remark(std::string_view subject, std::string_view what);
  /// Exit code 2 unless there is an error, without a word.
  void left_alone();
  /// As it is, on stderr.
  void say(std::string_view text);

  bool quiet() const { return quiet_; }
  int exit_code() const { return exit_code_; }

 private:
  bool quiet_;
  int exit_code_ = kExitOk;
};

}  // namespace pargzip::tool
