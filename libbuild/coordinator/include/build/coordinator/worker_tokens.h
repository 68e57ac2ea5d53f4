// Tokens of workers: what the coordinator knows of each, as files in its state directory.
//
// A token is an alternative to a key that is derived from the master key: it is random, it belongs to one worker, and
// it can be taken back without touching any other. It is shown once, when it is made; what is kept is its SHA-256.
//
// The directory has a file for each, called like the worker: lines "host_type=...", "sha256=...", "created=...".
// Whoever may write there decides who may work here. "coordinator workers" makes and removes files, the running
// coordinator watches them; neither needs to ask the other. Everything here blocks; any thread.
#pragma once

#include <build/base/random.h>
#include <build/model/ids.h>
#include <build/model/records.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace build::coordinator {

struct WorkerToken {
  std::string name;           ///< the worker's
  model::HostType host_type;  ///< what it may register as; empty: anything
  std::string sha256;         ///< of the token, 64 lower-case hexadecimal digits
  model::Time created;

  bool operator==(const WorkerToken&) const = default;
};

/// Where they are below a state directory.
std::filesystem::path worker_tokens_directory(const std::filesystem::path& state_dir);

/// Names go into file names and onto pages: letters, digits, '-', '_' and '.', not first a '.' or '-', at most 100.
bool is_worker_name(std::string_view name);

/// Makes a token for a worker and gives it: "xbw_" and 64 hexadecimal digits. Throws std::invalid_argument with a
/// sentence if `name` is none, or taken.
std::string add_worker_token(const std::filesystem::path& directory, const std::string& name,
                             const model::HostType& host_type, base::RandomSource& random, model::Time now);

/// False if there is none of that name.
bool revoke_worker_token(const std::filesystem::path& directory, const std::string& name);

/// All of them, by name; none if there is no directory. A file that is none of ours is left out, and a sentence about
/// it is added to `complaints`.
std::vector<WorkerToken> read_worker_tokens(const std::filesystem::path& directory,
                                            std::vector<std::string>& complaints);

/// What a file holds; nullopt if that is no token of `name`.
std::optional<WorkerToken> parse_worker_token(const std::string& name, std::string_view text);

/// The one that `presented` is; nullptr if none is. Takes as long whichever it is.
const WorkerToken* find_worker_token(const std::vector<WorkerToken>& tokens, std::string_view presented);

}  // namespace build::coordinator
