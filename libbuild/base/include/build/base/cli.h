// The one way our programs read their command line.
//
//   base::CommandLine cli("genbuilderkey", "Prints the builder key of a host type.");
//   std::filesystem::path master = home / "keys/gobuilder-master.key";
//   std::vector<std::string> names;
//   cli.path("master-key-file", master, "FILE", "file that holds the master key");
//   cli.positional(names, "NAME", "host type, or user-NAME", {.min = 1, .max = 1});
//   cli.example("genbuilderkey host-linux-amd64", "the key of that host type");
//   if (auto exit_code = cli.parse(argc, argv)) return *exit_code;
//
// Flags are written as Go's users type them: -flag value, -flag=value, --flag value, --flag=value. A
// switch is -flag, -flag=true or -flag=false (also 1, 0, t, f). "--" ends the flags. The last occurrence wins, except
// for repeated flags. -help (-h) and -version print to stdout and end with 0. Anything wrong is one line on
// stderr, with the nearest known flag where there is one, and ends with 2.
//
// Targets are bound by reference, hold their defaults before parse(), and keep them if their flag is not given.
#pragma once

#include <build/base/log.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace build::base {

/// Exit code for a wrong command line.
inline constexpr int kExitUsage = 2;

class CommandLine {
 public:
  /// How many operands there may be.
  struct Count {
    std::size_t min = 0;
    std::size_t max = SIZE_MAX;
  };

  CommandLine(std::string program, std::string summary);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  /// `name` without dashes; `placeholder` names the value in the help ("FILE").
  void text(std::string name, std::string& target, std::string placeholder, std::string help);
  void path(std::string name, std::filesystem::path& target, std::string placeholder, std::string help);
  /// Decimal; a value outside [min, max] is refused.
  void integer(std::string name, std::int64_t& target, std::string placeholder, std::string help,
               std::int64_t min = INT64_MIN, std::int64_t max = INT64_MAX);
  /// Go's form: "300ms", "1.5h", "2h45m", "0".
  void duration(std::string name, std::chrono::nanoseconds& target, std::string placeholder, std::string help);
  /// One of `choices`, given to `take`; another value is refused, and the nearest named. `standard` is for the help.
  void choice(std::string name, std::vector<std::string> choices, std::string standard, std::string help,
              std::function<void(const std::string&)> take);
  /// A switch.
  void toggle(std::string name, bool& target, std::string help);
  /// May be given several times; each value is appended.
  void repeated(std::string name, std::vector<std::string>& target, std::string placeholder, std::string help);
  /// What is not a flag. Without this call operands are refused.
  void positional(std::vector<std::string>& target, std::string placeholder, std::string help, Count count);

  /// Shown at the end of the help.
  void example(std::string command, std::string what);
  /// What -version prints instead of "PROGRAM (xbuild) " and base::version_text().
  void version_text(std::string text);

  /// Reads the command line. An exit code means: return it from main. Output goes to std::cout and
  /// std::cerr, or to the streams given.
  std::optional<int> parse(int argc, const char* const* argv);
  std::optional<int> parse(int argc, const char* const* argv, std::ostream& out, std::ostream& err);

  /// After parse(): whether the flag was given.
  bool given(std::string_view name) const;

  /// For what parse() cannot know (two flags that exclude each other): says `sentence` on stderr as parse()
  /// would and returns kExitUsage.
  int usage_error(std::string_view sentence) const;

  /// The text of -help.
  std::string help() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The flags -log-format and -log-level of programs that run for long; `options` is changed by parse().
void add_log_flags(CommandLine& cli, LogOptions& options);

/// Go's duration syntax; nullopt if it is not that, or does not fit.
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);

}  // namespace build::base
