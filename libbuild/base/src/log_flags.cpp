#include <build/base/cli.h>

namespace build::base {

void add_log_flags(CommandLine& cli, LogOptions& options) {
  cli.choice(
      "log-format", {"text", "json"}, "text", "how the lines of the log on stderr are written",
      [&options](const std::string& name) { options.format = name == "json" ? LogFormat::json : LogFormat::text; });
  cli.choice(
      "log-level", {"error", "warning", "info"}, "info", "the least urgent lines to write",
      [&options](const std::string& name) {
        options.level = name == "error" ? LogLevel::error : name == "warning" ? LogLevel::warning : LogLevel::info;
      });
}

}  // namespace build::base
