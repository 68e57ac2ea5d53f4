// What a worker keeps between its runs: its id and the directories it may clear; and where it finds its builder key.
//
// Everything here blocks and is meant for a program's start.
#pragma once

#include <build/base/ids.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace build::buildlet {

/// The value of an environment variable, nullopt if it is not set.
using EnvironmentLookup = std::function<std::optional<std::string>(const std::string& name)>;

/// $XDG_STATE_HOME/xbuild/buildlet-<host type>, or ~/.local/state/xbuild/... Throws if neither variable helps.
std::filesystem::path default_state_dir(const std::string& host_type, const EnvironmentLookup& environment);

/// The worker's id, made and stored (file worker-id) on first use. Throws if the file holds something else.
std::string load_worker_id(const std::filesystem::path& state_dir, base::RandomSource& random);

/// The builder key: from `key_file` if that is not empty, else from the file $GO_BUILD_KEY_PATH (deleted after reading
/// if GO_BUILD_KEY_DELETE_AFTER_READ is true), else from ~/.gobuildkey-<host type>. Trimmed. Throws a sentence that
/// names the file and the ways to give one.
std::string load_builder_key(const std::filesystem::path& key_file, const std::string& host_type,
                             const EnvironmentLookup& environment);

/// The worker's own token, which a coordinator gave out for it: from `token_file` if that is not empty, else from
/// $GO_BUILDLET_TOKEN; empty if there is neither. Trimmed. Throws a sentence that names the file, not the token.
std::string load_worker_token(const std::filesystem::path& token_file, const EnvironmentLookup& environment);

/// `flag` if not empty, else $HOSTNAME, else the system's name, else "buildlet".
std::string worker_hostname(const std::string& flag, const EnvironmentLookup& environment);

/// Host types go into file names and header lines: letters, digits, '-', '_' and '.', not first a '.' or '-', at
/// most 100. Throws std::invalid_argument with a sentence.
void check_host_type(const std::string& host_type);

}  // namespace build::buildlet
