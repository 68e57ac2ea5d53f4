// POST /runs: from JSON to a command with its limits. Pure, apart from looking for executable files, which ExecContext
// does.
#pragma once

#include <build/buildlet/exec_request.h>
#include <build/runs/records.h>

#include <string>
#include <string_view>

namespace build::buildlet {

struct RunRequest {
  runs::Command command;
  bool sandbox = false;  ///< it is to run in a box (sandbox.h)
};

/// Throws ExecRefused: 400 for what is no object of the right members (docs/buildlet-api.md), 422 for a command that is
/// not found. Unknown members are refused: a limit that is not kept would be worse than a refusal.
RunRequest resolve_run(std::string_view json, const ExecContext& context);

/// What GET /runs/<id> answers, apart from what only the worker knows.
std::string describe_result(const runs::Result& result);

}  // namespace build::buildlet
