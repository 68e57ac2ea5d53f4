// The configuration of a farm: one TOML file, described field by field in farm.toml(5).
//
// Plain values; reading blocks. A file is taken whole or not at all: the first thing wrong with it is an error that
// names its line. Whether a repository or a certificate can be used is not looked at here.
#pragma once

#include <build/model/ids.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace build::config {

/// A command of a build; run by /bin/sh -c in the source tree's root.
struct StepConfig {
  std::string name;
  std::string command;
  std::chrono::seconds time_limit{30 * 60};

  bool operator==(const StepConfig&) const = default;
};

struct RepositoryConfig {
  model::RepositoryName name;
  std::string url;                           ///< absolute file path, or file:, https:, http:, ssh: or git: URL
  std::vector<model::BranchName> branches;   ///< default: none named (main, or master where there is no main)
  std::vector<model::BuilderName> builders;  ///< default: all; parse() fills them in
  std::vector<StepConfig> steps;             ///< at least one
  int first_sight = 3;                       ///< how many commits are queued when a branch is first seen
  std::chrono::seconds poll_interval{30};    ///< for repositories that are not on this machine

  bool operator==(const RepositoryConfig&) const = default;
};

struct BuilderConfig {
  model::BuilderName name;
  model::HostType host_type;
  std::map<std::string, std::string> environment;
  /// Steps run in a box (bubblewrap); workers that make none, the original's among them, do not build for it.
  bool sandbox = false;

  bool operator==(const BuilderConfig&) const = default;
};

/// How long logs and results are kept. Only those of finished builds are ever removed, the oldest first.
struct RetentionConfig {
  std::chrono::days log_age{90};    ///< logs of builds that ended longer ago are removed; 0: at any age they are kept
  std::uint64_t log_bytes = 0;      ///< how much all logs together may take; 0: any amount
  std::chrono::days result_age{0};  ///< builds that ended longer ago are forgotten, with their logs; 0: never

  bool operator==(const RetentionConfig&) const = default;
};

/// A token that somebody was given.
struct TokenConfig {
  std::string name;
  enum class Role { read, act };  ///< acting includes reading
  Role role = Role::read;
  std::string sha256;  ///< of the token: 64 lower-case hexadecimal digits

  bool operator==(const TokenConfig&) const = default;
};

struct AccessConfig {
  enum class Read { all, token };
  Read read = Read::all;
  /// Whoever uses this machine may act, without a token.
  bool local = false;
  bool hsts = false;  ///< tell browsers to come by TLS only
  std::vector<TokenConfig> tokens;

  bool operator==(const AccessConfig&) const = default;
};

struct FarmConfig {
  std::string listen = "127.0.0.1:8119";           ///< workers and browsers, over TLS
  std::string web_listen;                          ///< the pages without TLS, for a trusted network; empty: nowhere
  std::filesystem::path state_dir;                 ///< always absolute after load()
  std::filesystem::path tls_certificate, tls_key;  ///< both or none; made on first start if none
  std::filesystem::path master_key_file;           ///< default: made in the state directory
  std::vector<std::string> tls_names;              ///< host names and addresses for a certificate that is made
  int max_attempts = 3;
  std::chrono::seconds lease{30 * 60};        ///< how long a worker that keeps its runs is waited for when it goes away
  std::chrono::seconds drain_limit{10 * 60};  ///< how long SIGTERM lets running builds go on; 0: not at all
  RetentionConfig retention;
  AccessConfig access;
  std::vector<RepositoryConfig> repositories;
  std::vector<BuilderConfig> builders;

  bool operator==(const FarmConfig&) const = default;
};

/// What is wrong with a file; what() is "FILE:LINE: sentence".
struct ConfigError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Reads at most 1 MiB. A file that cannot be read throws std::runtime_error that names it. Relative paths in it are
/// relative to its folder.
FarmConfig load(const std::filesystem::path& file);
/// `name` stands for the file in messages; relative paths are taken relative to `base`.
FarmConfig parse(const std::string& text, const std::string& name, const std::filesystem::path& base);

/// For a farm that runs with `current` and is to take `next` over: puts back into `next` what only a restart can change
/// (addresses, files, the certificate's names), and gives a sentence for each of those that differed.
std::vector<std::string> keep_what_needs_a_restart(const FarmConfig& current, FarmConfig& next);

/// Every key that a file may have, with its table: "coordinator.listen", "repository.step.name". For checking the
/// documentation.
std::vector<std::string> known_keys();

}  // namespace build::config
