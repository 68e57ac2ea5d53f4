// retrybuilds: clears results of builds, so that they are built again.

#include "failures.h"
#include "service.h"

#include <build/base/builder_key.h>
#include <build/base/cli.h>

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace {

namespace base = build::base;

struct Flags {
  std::filesystem::path master_key_file, key_file, coordinator_ca;
  std::string coordinator = "https://localhost:8119", coordinator_fingerprint, log_hash, grpc_host;
  retrybuilds::Wanted wanted;
  bool send_master = false, dry_run = false;
};

std::filesystem::path standard_master_key_file() {
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home == nullptr ? "" : home) / "keys" / "gobuilder-master.key";
}

std::optional<int> parse_flags(int argc, char** argv, Flags& flags) {
  base::CommandLine cli("retrybuilds", "Clears the results of failed builds, so that they are built again.");
  cli.text("builder-prefix", flags.coordinator, "URL", "the coordinator, https://HOST:PORT or http://HOST:PORT");
  cli.path("coordinator-ca", flags.coordinator_ca, "FILE", "certificates (PEM) that the coordinator's must come from");
  cli.text("coordinator-fingerprint", flags.coordinator_fingerprint, "sha256:HEX",
           "what the coordinator's certificate is");
  cli.path("masterkey", flags.master_key_file, "FILE", "the farm's master key; builders' keys are derived from it");
  cli.path("key", flags.key_file, "FILE", "the key of -builder, where the master key is not at hand");
  cli.toggle("sendmaster", flags.send_master, "send the master key itself instead of the builder's");
  cli.text("builder", flags.wanted.builder, "NAME", "only builds by this builder");
  cli.text("hash", flags.wanted.hash, "HASH",
           "only builds of this commit; with -builder and a whole hash no matter how it ended");
  cli.text("substr", flags.wanted.substr, "TEXT", "only failures whose log contains TEXT");
  cli.toggle("redo-flaky", flags.wanted.redo_flaky, "failures of any builder that look like the machine's fault");
  cli.text("branch", flags.wanted.branch, "NAME", "with -redo-flaky: only commits of this branch");
  cli.text("loghash", flags.log_hash, "HASH", "not known here: logs have no hashes; use -builder and -hash");
  cli.text("grpc-host", flags.grpc_host, "HOST", "not known here: use -builder-prefix");
  cli.toggle("dry-run", flags.dry_run, "print what would be cleared, and clear nothing");
  cli.example("retrybuilds -builder linux-amd64 -hash 0f2c...", "build one commit again");
  cli.example("retrybuilds -substr 'connection refused' -dry-run", "say which failures had this in their log");
  if (const auto exit_code = cli.parse(argc, argv)) return exit_code;
  if (!flags.log_hash.empty())
    return cli.usage_error("-loghash: this farm's logs have no hashes; use -builder and -hash");
  if (!flags.grpc_host.empty()) return cli.usage_error("-grpc-host: this farm is asked over HTTP; use -builder-prefix");
  const retrybuilds::Wanted& wanted = flags.wanted;
  if (wanted.builder.empty() && wanted.hash.empty() && wanted.substr.empty() && !wanted.redo_flaky)
    return cli.usage_error("say which: -builder, -hash, -substr or -redo-flaky");
  if (!flags.key_file.empty() && (wanted.builder.empty() || wanted.redo_flaky))
    return cli.usage_error("-key is the key of one builder: name it with -builder");
  if (!flags.key_file.empty() && flags.send_master)
    return cli.usage_error("-sendmaster needs the master key, not -key");
  return std::nullopt;
}

std::string key_for(const Flags& flags, const std::string& builder) {
  if (!flags.key_file.empty()) return base::read_master_key(flags.key_file);
  const std::string master =
      base::read_master_key(flags.master_key_file.empty() ? standard_master_key_file() : flags.master_key_file);
  return flags.send_master ? master : base::builder_key(master, builder);
}

int run(const Flags& flags) {
  retrybuilds::Service service(flags.coordinator, io::trust_in(flags.coordinator_ca, flags.coordinator_fingerprint));
  std::vector<retrybuilds::FinishedBuild> chosen;
  const retrybuilds::Wanted& wanted = flags.wanted;
  const bool whole_hash = wanted.hash.size() == 40 || wanted.hash.size() == 64;
  if (!wanted.builder.empty() && whole_hash && wanted.substr.empty() && !wanted.redo_flaky)
    chosen.push_back(
        {.id = 0, .builder = wanted.builder, .commit = wanted.hash, .repository = {}, .branch = {}, .result = {}});
  else
    chosen = retrybuilds::choose(service.finished_builds(), wanted, [&](std::int64_t id) { return service.log(id); });
  bool refused = false;
  for (const retrybuilds::FinishedBuild& build : chosen) {
    if (!flags.dry_run) {
      if (const auto error = service.clear(build.builder, build.commit, key_for(flags, build.builder))) {
        std::cerr << "retrybuilds: " << build.builder << " " << build.commit << ": " << *error << "\n";
        refused = true;
        continue;
      }
    }
    std::cout << build.builder << " " << build.commit << "\n";
  }
  if (chosen.empty()) std::cerr << "retrybuilds: nothing of that kind has failed\n";
  std::cout << std::flush;
  return refused || !std::cout.good() ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  if (const auto exit_code = parse_flags(argc, argv, flags)) return *exit_code;
  try {
    return run(flags);
  } catch (const std::exception& error) {
    std::cerr << "retrybuilds: " << error.what() << "\n";
    return 1;
  }
}
