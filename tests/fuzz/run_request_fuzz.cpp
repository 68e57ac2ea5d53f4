// POST /runs from any body: nothing but ExecRefused may come out, and what is accepted keeps its limits and comes back
// from the file in which a supervisor finds it as it was. The same bytes are also tried as that file itself.
#include <build/buildlet/run_request.h>
#include <build/runs/records.h>

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

using namespace build;

void require(bool condition) {
  if (!condition) std::abort();
}

buildlet::ExecContext context() {
  buildlet::ExecContext context;
  context.workdir = "/w/d";
  context.environment = {"PATH=/usr/bin:/bin", "WORKDIR=/w/d"};
  context.find_executable = [](const std::string& name) -> std::optional<std::string> {
    return name.starts_with('/') ? name : "/usr/bin/" + name;
  };
  return context;
}

bool holds_nul(const std::string& text) { return text.find('\0') != std::string::npos; }

void check(const runs::Command& command) {
  require(runs::is_run_id(command.id) && command.id.size() <= 100);
  require(command.program.starts_with('/') && command.directory.starts_with('/'));
  require(!command.argv.empty() && !holds_nul(command.program) && !holds_nul(command.user));
  for (const std::string& text : command.argv) require(!holds_nul(text));
  for (const std::string& text : command.environment) require(!holds_nul(text));
  constexpr std::chrono::hours kLongest{30 * 24};
  for (const auto limit : {command.time_limit, command.silence_limit, command.linger})
    require(limit.count() >= 0 && limit <= kLongest);
  require(command.output_cap >= 1 << 20 && command.output_cap <= 64ull << 30);
  if (command.terminal) {
    require(command.terminal->rows >= 1 && command.terminal->rows <= 10000);
    require(command.terminal->columns >= 1 && command.terminal->columns <= 10000);
  }
  require(runs::command_from_json(runs::to_json(command)) == command);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    check(buildlet::resolve_run(text, context()).command);
  } catch (const buildlet::ExecRefused& refused) {
    require(refused.status == 400 || refused.status == 422);
  }
  try {
    runs::command_from_json(text);
  } catch (const std::runtime_error&) {
  }
  return 0;
}
