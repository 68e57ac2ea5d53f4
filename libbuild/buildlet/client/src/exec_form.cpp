#include <build/buildlet/client.h>
#include <io/http1.h>

#include <string>

namespace build::buildlet {

std::string encode_exec_form(const RunSpec& spec) {
  io::Params form;
  form.add("cmd", spec.cmd);
  for (const std::string& arg : spec.args) form.add("cmdArg", arg);
  form.add("debug", spec.print_command_first ? "true" : "false");
  form.add("dir", spec.dir);
  for (const std::string& entry : spec.env) form.add("env", entry);
  form.add("mode", spec.level == RunSpec::Level::system ? "sys" : "");
  if (spec.path) {
    for (const std::string& element : *spec.path) form.add("path", element);
    // An empty list cannot be told from a missing one on the wire; this is how the original says it.
    if (spec.path->empty()) form.add("path", "$EMPTY");
  }
  return form.encode();
}

RunResult result_of_process_state(std::string_view text) {
  if (text == "ok") return {RunOutcome::succeeded, {}};
  if (text.empty()) return {RunOutcome::lost, "the worker's answer ended without a Process-State"};
  const bool ended = text.starts_with("exit status ") || text.starts_with("signal: ");
  return {ended ? RunOutcome::failed : RunOutcome::could_not_run, std::string(text)};
}

}  // namespace build::buildlet
