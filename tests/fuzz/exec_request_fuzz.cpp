// POST /exec from any query and body: nothing but ExecRefused may come out, and what is accepted is absolute, stays
// below the work directory where it has to, and holds no C string that would be cut.
#include <build/buildlet/exec_request.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace build::buildlet;

void require(bool condition) {
  if (!condition) std::abort();
}

bool climbs(const std::string& path) {
  return path.find("/../") != std::string::npos || path.ends_with("/..") || path.find('\0') != std::string::npos;
}

ExecContext context() {
  ExecContext context;
  context.workdir = "/w/d";
  context.environment = {"PATH=/usr/bin:/bin", "WORKDIR=/w/d"};
  context.goroot_bootstrap = "/w/d/go1.4";
  context.find_executable = [](const std::string& name) -> std::optional<std::string> {
    if (name.find('/') != std::string::npos) {
      require(name.starts_with("/w/d/") || name == "/w/d");
      return name.size() % 2 == 0 ? std::optional<std::string>(name) : std::nullopt;
    }
    return name.size() % 3 == 0 ? std::nullopt : std::optional<std::string>("/usr/bin/" + name);
  };
  return context;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t line = text.find('\n');
  Form form;
  form.query = io::parse_query(text.substr(0, line));
  if (line != std::string_view::npos) form.body = io::parse_query(text.substr(line + 1));
  try {
    const ExecRequest request = resolve_exec(form, context());
    require(request.command.starts_with('/') && !climbs(request.command));
    require(request.dir.starts_with('/') && !climbs(request.dir));
    require(!request.argv.empty() && request.argv.front() == request.command);
    const std::string cmd = form.value("cmd");
    if (!cmd.starts_with('/') && cmd.find('/') != std::string::npos) require(request.command.starts_with("/w/d"));
    for (const std::string& entry : request.environment) require(entry.find('\0') == std::string::npos);
    for (const std::string& arg : request.argv) require(arg.find('\0') == std::string::npos);
    debug_line(request);
  } catch (const ExecRefused& refused) {
    require(refused.status == 400 || refused.status == 422);
  }
  return 0;
}
