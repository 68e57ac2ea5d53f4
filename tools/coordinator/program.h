// The whole coordinator as one object: wires the parts together and serves until it is told to stop.
//
// A library of its own, so that tests can run exactly this with a store that fails on purpose.
#pragma once

#include <build/base/log.h>
#include <build/config/farm_config.h>
#include <build/store/store.h>
#include <io/service_manager.h>

#include <filesystem>
#include <functional>
#include <memory>

namespace build::coordinator {

struct ProgramOptions {
  std::filesystem::path config_file;  ///< read again on SIGHUP; empty: that is refused
  bool allow_dev_key = false;
  bool until_idle = false;           ///< end when every commit found is built, with a table of the results on stdout
  std::filesystem::path ready_file;  ///< written when serving, a line NAME=VALUE each; empty: none
  base::LogOptions log;
  io::ServiceManager::Place service;  ///< who is told that it serves, reloads and stops
  /// Gives the store that is used, made from the real one. Empty: the real one itself.
  std::function<std::unique_ptr<store::Store>(std::unique_ptr<store::Store>)> wrap_store;
};

/// Reads a configuration and checks all of it that can be wrong before anything is started. Throws config::ConfigError.
config::FarmConfig load_config(const std::filesystem::path& file);

class Program {
 public:
  /// Makes what is missing in the state directory and locks it; listens. Throws std::runtime_error with a sentence.
  Program(config::FarmConfig config, ProgramOptions options);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  /// Serves until it is told to end (or, where asked for, until idle); gives the exit code. Ends the process by itself
  /// when something cannot be ended in time.
  ///
  /// SIGINT ends it at once, SIGTERM when what runs has ended or drain_limit is over (a second one at once), SIGHUP
  /// takes the changed configuration over.
  int run();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace build::coordinator
