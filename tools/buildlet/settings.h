// The buildlet's command line.
#pragma once

#include <build/base/child_setup.h>
#include <build/base/log.h>
#include <build/buildlet/listen_plan.h>
#include <io/clock.h>
#include <io/proxy.h>
#include <io/service_manager.h>
#include <io/tcp.h>
#include <io/tls.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

struct Flags {
  std::string coordinator = "localhost:8119";
  std::string host_type;
  std::string hostname;
  build::buildlet::ListenFlags listen;
  std::string health_address;
  std::filesystem::path workdir;
  std::filesystem::path state_dir;
  std::filesystem::path key_file;
  std::filesystem::path token_file;
  bool swarming_bot = false;
  std::string gomote_server = "gomotessh.golang.org:443";
  std::string run_as;
  std::filesystem::path coordinator_ca;
  std::string coordinator_fingerprint;
  io::Duration drain_limit = std::chrono::minutes{10};
  bool halt = false;
  bool reboot = false;
  build::base::LogOptions log;
};

struct Settings {
  Flags flags;
  io::ServiceManager::Place service;
  // Reverse mode.
  io::HostPort coordinator;
  std::optional<io::Proxy> proxy;
  io::TlsTrust trust;
  // Listen mode; then the two above are of no use.
  std::optional<build::buildlet::ListenPlan> listen;
  std::optional<io::HostPort> health;
  std::optional<build::base::UserIds> run_as;
};

/// A variable of this process's environment.
std::optional<std::string> environment_variable(const std::string& name);

/// The files with keys, tokens and passwords that this worker was told of.
std::vector<std::filesystem::path> secret_files(const Flags& flags);

/// Reads the command line into `settings`. An exit code means: return it from main.
std::optional<int> parse_flags(int argc, char** argv, Settings& settings);
