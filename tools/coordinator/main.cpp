// coordinator: the farm's centre. Reads the flags and farm.toml, wires the parts together, and serves until it is
// told to stop.

#include "program.h"
#include "workers.h"

#include <build/base/cli.h>

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string_view>
#include <utility>

namespace {

using namespace build;

constexpr int kExitTrouble = 1;

struct Flags {
  std::filesystem::path config = "farm.toml";
  bool check_config = false;
  coordinator::ProgramOptions options;
};

std::optional<int> parse_flags(int argc, char** argv, Flags& flags) {
  base::CommandLine cli("coordinator", "Watches repositories, builds their commits on workers, and shows the results.");
  cli.path("config", flags.config, "FILE", "the farm's configuration, see farm.toml(5)");
  cli.toggle("check-config", flags.check_config, "check the configuration and end");
  cli.toggle("allow-dev-key", flags.options.allow_dev_key,
             "also accept workers whose key comes from the publicly known development key; for trials only");
  cli.toggle("until-idle", flags.options.until_idle,
             "end when every commit found is built; print a table of the results to stdout");
  cli.path("ready-file", flags.options.ready_file, "FILE",
           "when serving, write the addresses and the certificate's fingerprint to FILE, a line NAME=VALUE each");
  base::add_log_flags(cli, flags.options.log);
  cli.example("coordinator -config /etc/xbuild/farm.toml", "serve until SIGTERM");
  cli.example("coordinator -config farm.toml -check-config", "say whether farm.toml is in order");
  cli.example("coordinator workers add -host-type host-linux-amd64 mini-7", "a token of its own for one worker");
  return cli.parse(argc, argv);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "workers") return coordinator::workers_command(argc - 1, argv + 1);
  Flags flags;
  flags.options.service = io::ServiceManager::take_from_environment();
  const char* journal = std::getenv("JOURNAL_STREAM");
  flags.options.log.reader = base::reader_of_stderr(journal == nullptr ? "" : journal);
  if (const auto exit_code = parse_flags(argc, argv, flags)) return *exit_code;
  try {
    config::FarmConfig config = coordinator::load_config(flags.config);
    if (flags.check_config) {
      std::cout << flags.config.string() << ": in order\n";
      return 0;
    }
    flags.options.config_file = std::filesystem::absolute(flags.config);
    return coordinator::Program(std::move(config), std::move(flags.options)).run();
  } catch (const std::exception& error) {
    std::cerr << "coordinator: " << error.what() << "\n";
    return kExitTrouble;
  }
}
