// What POST /exec is asked to do: from form parameters to a command, a directory and an environment.
//
// Pure, apart from looking for executable files, which ExecContext does.
#pragma once

#include <build/runs/records.h>
#include <io/http1.h>

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace build::buildlet {

/// A request's parameters: from its URL and from its urlencoded body.
struct Form {
  io::Params query;
  io::Params body;

  /// The first value, the body's before the query's; empty if there is none.
  std::string value(std::string_view name) const;
  /// All values, the body's first.
  std::vector<std::string> values(std::string_view name) const;
};

/// Go's strconv.ParseBool: 1, t, T, TRUE, true, True and their opposites; nullopt for anything else.
std::optional<bool> parse_go_bool(std::string_view text);

/// Parameters that cannot be used: `status` is the HTTP status of the answer, what() its text.
struct ExecRefused : std::runtime_error {
  ExecRefused(int http_status, const std::string& text) : std::runtime_error(text), status(http_status) {}
  int status;
};

struct ExecContext {
  std::string workdir;                   ///< absolute
  std::vector<std::string> environment;  ///< the agent's own, "NAME=value", with WORKDIR and without secrets
  std::string goroot_bootstrap;          ///< GOROOT_BOOTSTRAP for children; empty: leave it alone
  /// Where the executable is: a name with a slash is a file, another one is looked for in the agent's PATH.
  std::function<std::optional<std::string>(const std::string& name)> find_executable;
};

struct ExecRequest {
  std::string command;            ///< absolute
  std::vector<std::string> argv;  ///< argv[0] is the command
  std::string dir;                ///< absolute
  std::vector<std::string> environment;
  bool debug = false;
  /// `env` has GO_DISABLE_OUTBOUND_NETWORK with a true value: the command gets a network of its own.
  bool without_network = false;
};

/// Throws ExecRefused.
ExecRequest resolve_exec(const Form& form, const ExecContext& context);

/// Hands over what both know: what is run, where and with what environment.
void fill(runs::Command& command, ExecRequest request);

/// The line that `debug` puts before the output, with the empty line after it.
std::string debug_line(const ExecRequest& request);

/// `environment` without what children must not see: builder keys, metadata (META_*), tokens.
std::vector<std::string> without_secrets(const std::vector<std::string>& environment);

}  // namespace build::buildlet
