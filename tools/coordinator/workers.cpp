#include "workers.h"

#include <build/base/cli.h>
#include <build/base/nearest.h>
#include <build/base/random.h>
#include <build/config/farm_config.h>
#include <build/coordinator/worker_tokens.h>
#include <io/clock.h>

#include <chrono>
#include <exception>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

namespace build::coordinator {

namespace {

constexpr int kTrouble = 1;

constexpr const char* kUsage =
    "usage: coordinator workers add [-host-type TYPE] [-config FILE] NAME\n"
    "       coordinator workers list [-json] [-config FILE]\n"
    "       coordinator workers revoke [-config FILE] NAME\n";

// "2026-11-26T02:42:54Z"
std::string time_text(model::Time time) {
  const auto days = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(days);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - days));
  char text[40];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02ld:%02ld:%02ldZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<long>(clock.hours().count()), static_cast<long>(clock.minutes().count()),
                static_cast<long>(clock.seconds().count()));
  return text;
}

struct WorkersFlags {
  std::filesystem::path config = "farm.toml";
  std::string host_type;
  std::vector<std::string> names;
  bool json = false;
  std::filesystem::path directory() const { return worker_tokens_directory(config::load(config).state_dir); }
};

int add_worker(const WorkersFlags& flags) {
  base::SystemRandom random;
  const io::RealClock clock;
  const std::string& name = flags.names.front();
  const std::string token =
      add_worker_token(flags.directory(), name, model::HostType(flags.host_type), random, clock.wall_now());
  std::cout << token << "\n";
  std::cerr << "This token of worker " << name
            << " is shown only now. Keep it in a file that only the worker can read:\n"
            << "  buildlet -token-file FILE -reverse-type " << (flags.host_type.empty() ? "TYPE" : flags.host_type)
            << " ...\n";
  return 0;
}

int revoke_worker(const WorkersFlags& flags) {
  const std::string& name = flags.names.front();
  if (revoke_worker_token(flags.directory(), name)) return 0;
  std::cerr << "coordinator: there is no worker \"" << name
            << "\" with a token; \"coordinator workers list\" shows them\n";
  return kTrouble;
}

// Names, host types and digests have no character that JSON or a terminal takes for anything else.
int list_workers(const WorkersFlags& flags) {
  std::vector<std::string> complaints;
  const std::vector<WorkerToken> tokens = read_worker_tokens(flags.directory(), complaints);
  if (flags.json) {
    std::cout << "[";
    for (const WorkerToken& token : tokens) {
      std::cout << (&token == &tokens.front() ? "" : ",") << "\n  {\"name\":\"" << token.name
                << "\",\"host_type\":" << (token.host_type.empty() ? "null" : "\"" + token.host_type.value + "\"")
                << ",\"created\":\"" << time_text(token.created) << "\"}";
    }
    std::cout << (tokens.empty() ? "]\n" : "\n]\n");
  } else {
    for (const WorkerToken& token : tokens) {
      std::cout << std::left << std::setw(24) << token.name << " " << std::setw(24)
                << (token.host_type.empty() ? "any host type" : token.host_type.value) << " "
                << time_text(token.created) << "\n";
    }
  }
  for (const std::string& complaint : complaints) std::cerr << "coordinator: " << complaint << "\n";
  return complaints.empty() ? 0 : kTrouble;
}

struct Command {
  const char* name;
  const char* summary;
  const char* example;
  const char* what;
  int (*run)(const WorkersFlags&);
};

constexpr Command kCommands[] = {
    {"add", "Makes a token for one worker and prints it, once.",
     "coordinator workers add -host-type host-linux-amd64 mini-7 > mini-7.token", "a token for the worker mini-7",
     add_worker},
    {"list", "Shows the workers that have a token.", "coordinator workers list -json", "for a program", list_workers},
    {"revoke", "Takes a worker's token back; its session ends at once.", "coordinator workers revoke mini-7",
     "mini-7 works here no more", revoke_worker},
};

int run_command(const Command& command, int argc, char** argv) {
  WorkersFlags flags;
  base::CommandLine cli("coordinator workers " + std::string(command.name), command.summary);
  cli.path("config", flags.config, "FILE", "the farm's configuration, which names the state directory");
  if (command.run == list_workers) {
    cli.toggle("json", flags.json, "print JSON");
  } else {
    cli.positional(flags.names, "NAME", "the worker's name", {.min = 1, .max = 1});
  }
  if (command.run == add_worker) {
    cli.text("host-type", flags.host_type, "TYPE", "the only host type that it may register as; default: any");
  }
  cli.example(command.example, command.what);
  if (const auto exit_code = cli.parse(argc, argv)) return *exit_code;
  try {
    return command.run(flags);
  } catch (const std::invalid_argument& error) {
    return cli.usage_error(error.what());
  } catch (const std::exception& error) {
    std::cerr << "coordinator: " << error.what() << "\n";
    return kTrouble;
  }
}

}  // namespace

int workers_command(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "";
  for (const Command& command : kCommands) {
    if (name == command.name) return run_command(command, argc - 1, argv + 1);
  }
  std::vector<std::string> known;
  for (const Command& command : kCommands) known.emplace_back(command.name);
  const bool help = name == "-help" || name == "--help" || name == "-h";
  if (help) {
    std::cout << kUsage;
    return 0;
  }
  const std::string* nearest = base::nearest_name(name, known);
  std::cerr << "coordinator: \"workers " << name << "\" is no command"
            << (nearest != nullptr ? ", did you mean \"workers " + *nearest + "\"?\n" : "\n" + std::string(kUsage));
  return base::kExitUsage;
}

}  // namespace build::coordinator
