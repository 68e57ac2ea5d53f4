#include <build/base/environment.h>
#include <build/buildlet/exec_request.h>
#include <tarutil/path_rule.h>

#include <array>
#include <filesystem>

namespace build::buildlet {

std::string Form::value(std::string_view name) const { return body.has(name) ? body.get(name) : query.get(name); }

std::vector<std::string> Form::values(std::string_view name) const {
  std::vector<std::string> all = body.all(name);
  for (std::string& value : query.all(name)) all.push_back(std::move(value));
  return all;
}

std::optional<bool> parse_go_bool(std::string_view text) {
  for (const std::string_view yes : {"1", "t", "T", "true", "TRUE", "True"}) {
    if (text == yes) return true;
  }
  for (const std::string_view no : {"0", "f", "F", "false", "FALSE", "False"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

namespace {

[[noreturn]] void refuse(int status, std::string_view parameter, const std::string& why) {
  throw ExecRefused(status, "invalid '" + std::string(parameter) + "' parameter: " + why);
}

// The original names the parameter twice for a path that breaks the rule.
void check_exec_path(std::string_view parameter, const std::string& path) {
  if (const auto problem = tarutil::relative_path_problem(path)) {
    refuse(400, parameter, "invalid '" + std::string(parameter) + "' parameter: " + *problem);
  }
}

// Arguments and environment entries become C strings.
void check_text(std::string_view parameter, const std::string& text) {
  if (text.find('\0') != std::string::npos) refuse(400, parameter, tarutil::quoted(text) + " contains a NUL byte");
}

std::string cleaned_absolute(const std::string& path) {
  std::string cleaned = std::filesystem::path(path).lexically_normal().string();
  while (cleaned.size() > 1 && cleaned.back() == '/') cleaned.pop_back();
  if (cleaned.starts_with("//")) cleaned.erase(0, 1);
  return cleaned;
}

std::string below(const std::string& workdir, const std::string& relative) {
  const std::string cleaned = tarutil::cleaned_path(relative);
  return cleaned == "." ? workdir : workdir + "/" + cleaned;
}

std::string resolve_command(const std::string& cmd, bool system_level, const ExecContext& context) {
  if (cmd.empty()) refuse(400, "cmd", "requires 'cmd' parameter");
  check_text("cmd", cmd);
  if (cmd.front() == '/') return cleaned_absolute(cmd);
  check_exec_path("cmd", cmd);
  if (cmd.find('/') != std::string::npos) {
    if (system_level) refuse(400, "cmd", "'sys' mode requires absolute or system 'cmd' path");
    return below(context.workdir, cmd);
  }
  if (!system_level) {
    if (auto found = context.find_executable(below(context.workdir, cmd))) return *found;
  }
  auto found = context.find_executable(cmd);
  if (!found || found->front() != '/') refuse(422, "cmd", "command " + tarutil::quoted(cmd) + " not found");
  return *found;
}

std::string resolve_dir(const std::string& dir, bool system_level, const std::string& command,
                        const ExecContext& context) {
  if (dir.empty()) {
    if (system_level) return context.workdir;
    const std::size_t slash = command.rfind('/');
    return slash == 0 ? "/" : command.substr(0, slash);
  }
  check_text("dir", dir);
  if (dir.front() == '/') return cleaned_absolute(dir);
  check_exec_path("dir", dir);
  return below(context.workdir, dir);
}

// Replaces $PATH, $WORKDIR and $EMPTY in one element, without looking again at what was put in.
std::string expand(std::string_view element, const std::string& path, const std::string& workdir) {
  const std::array<std::pair<std::string_view, std::string_view>, 3> names{
      {{"$PATH", path}, {"$WORKDIR", workdir}, {"$EMPTY", ""}}};
  std::string out;
  while (!element.empty()) {
    bool replaced = false;
    for (const auto& [name, value] : names) {
      if (!element.starts_with(name)) continue;
      out += value;
      element.remove_prefix(name.size());
      replaced = true;
      break;
    }
    if (replaced) continue;
    out += element.front();
    element.remove_prefix(1);
  }
  return out;
}

void add_path(base::Environment& environment, const std::vector<std::string>& elements, const std::string& workdir) {
  if (elements.empty()) return;
  const std::string old = base::find_variable(environment, "PATH").value_or("");
  std::string joined;
  for (const std::string& element : elements) {
    check_text("path", element);
    const std::string expanded = expand(element, old, workdir);
    if (expanded.empty()) continue;
    if (!joined.empty()) joined += ':';
    joined += expanded;
  }
  base::set_variable(environment, "PATH", joined);
}

base::Environment child_environment(const Form& form, const ExecContext& context, const std::string& dir) {
  base::Environment environment = context.environment;
  if (!context.goroot_bootstrap.empty()) {
    base::set_variable(environment, "GOROOT_BOOTSTRAP", context.goroot_bootstrap);
  }
  for (std::string& entry : form.body.all("env")) {
    check_text("env", entry);
    environment.push_back(std::move(entry));
  }
  base::set_variable(environment, "TMPDIR", context.workdir + "/tmp");
  base::set_variable(environment, "GOCACHE", context.workdir + "/gocache");
  base::set_variable(environment, "GOPLSCACHE", context.workdir + "/goplscache");
  add_path(environment, form.body.all("path"), context.workdir);
  base::set_variable(environment, "PWD", dir);
  return base::deduplicated(environment);
}

std::string quoted_list(const std::vector<std::string>& items) {
  std::string out = "[";
  for (const std::string& item : items) {
    if (out.size() > 1) out += ' ';
    out += tarutil::quoted(item);
  }
  return out + "]";
}

}  // namespace

ExecRequest resolve_exec(const Form& form, const ExecContext& context) {
  const bool system_level = form.value("mode") == "sys";
  ExecRequest request;
  request.command = resolve_command(form.value("cmd"), system_level, context);
  request.dir = resolve_dir(form.value("dir"), system_level, request.command, context);
  request.argv.push_back(request.command);
  for (std::string& arg : form.body.all("cmdArg")) {
    check_text("cmdArg", arg);
    request.argv.push_back(std::move(arg));
  }
  request.environment = child_environment(form, context, request.dir);
  request.debug = parse_go_bool(form.value("debug")).value_or(false);
  const std::string network = base::find_variable(request.environment, "GO_DISABLE_OUTBOUND_NETWORK").value_or("");
  request.without_network = parse_go_bool(network).value_or(false);
  return request;
}

void fill(runs::Command& command, ExecRequest request) {
  command.no_network = request.without_network;
  command.program = std::move(request.command);
  command.argv = std::move(request.argv);
  command.environment = std::move(request.environment);
  command.directory = std::move(request.dir);
}

std::string debug_line(const ExecRequest& request) {
  return ":: Running " + request.command + " with args " + quoted_list(request.argv) + " and env " +
         quoted_list(request.environment) + " in dir " + request.dir + "\n\n";
}

std::vector<std::string> without_secrets(const std::vector<std::string>& environment) {
  std::vector<std::string> kept;
  for (const std::string& entry : environment) {
    const bool secret =
        entry.starts_with("GO_BUILD_KEY") || entry.starts_with("META_") || entry.starts_with("GO_BUILDLET_TOKEN=");
    if (!secret) kept.push_back(entry);
  }
  return kept;
}

}  // namespace build::buildlet
