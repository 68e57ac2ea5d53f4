#include "settings.h"

#include <build/base/build_info.h>
#include <build/base/cli.h>
#include <build/buildlet/server.h>
#include <build/buildlet/worker_state.h>

#include <cstdlib>
#include <exception>
#include <stdexcept>

using namespace build;

namespace {

std::string version_text() {
  return "buildlet version " + std::to_string(buildlet::kVersion) + " (" + buildlet::platform() +
         ")\nbuilt as xbuild " + base::version_text();
}

// What was asked for, checked. Throws std::invalid_argument.
void plan(const base::CommandLine& cli, Settings& settings) {
  const Flags& flags = settings.flags;
  const bool reverse = !flags.host_type.empty();
  if (reverse == !flags.listen.address.empty()) {
    throw std::invalid_argument(
        reverse
            ? "-reverse-type and -listen exclude each other: a worker dials the coordinator or listens"
            : "say what the worker is to do: -reverse-type TYPE to register with a coordinator, or -listen HOST:PORT");
  }
  if (!flags.health_address.empty()) settings.health = io::HostPort::parse(flags.health_address);
  if (!reverse) {
    settings.listen = buildlet::plan_listening(flags.listen, environment_variable);
    return;
  }
  buildlet::check_host_type(flags.host_type);
  if (cli.given("allow-unauthenticated")) throw std::invalid_argument("-allow-unauthenticated goes with -listen only");
  if (!flags.coordinator_ca.empty() && !flags.coordinator_fingerprint.empty()) {
    throw std::invalid_argument("-coordinator-ca and -coordinator-fingerprint exclude each other");
  }
  const bool has_port = flags.coordinator.find(':') != std::string::npos;
  settings.coordinator = io::HostPort::parse(has_port ? flags.coordinator : flags.coordinator + ":443");
  settings.proxy = io::proxy_for(settings.coordinator, environment_variable);
  settings.trust = io::trust_in(flags.coordinator_ca, flags.coordinator_fingerprint);
}

}  // namespace

std::optional<std::string> environment_variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

std::optional<int> parse_flags(int argc, char** argv, Settings& settings) {
  Flags& flags = settings.flags;
  base::CommandLine cli("buildlet", "A worker: runs the builds that a coordinator, or a client, gives it.");
  cli.text("coordinator", flags.coordinator, "HOST:PORT", "reverse mode: the coordinator, over TLS");
  cli.text("reverse-type", flags.host_type, "TYPE", "reverse mode: register with a coordinator as this host type");
  cli.text("hostname", flags.hostname, "NAME", "the name to register under; default: $HOSTNAME, or this machine's");
  cli.text("listen", flags.listen.address, "HOST:PORT",
           "listen mode: serve whoever knows the password ($META_password); AUTO is localhost:5936");
  cli.toggle("allow-unauthenticated", flags.listen.allow_unauthenticated,
             "listen without a password: whoever reaches the address runs commands as this user");
  cli.text("health-addr", flags.health_address, "HOST:PORT", "also answer /healthz there, and nothing else");
  cli.path("workdir", flags.workdir, "DIR",
           "where to unpack and run; must be missing, empty, or this worker's own; default: in the state directory");
  cli.path("state-dir", flags.state_dir, "DIR",
           "where this worker keeps its id; default: $XDG_STATE_HOME/xbuild/buildlet-TYPE");
  cli.path("key-file", flags.key_file, "FILE",
           "the builder key of the host type; default: $GO_BUILD_KEY_PATH, or ~/.gobuildkey-TYPE");
  cli.path("coordinator-ca", flags.coordinator_ca, "FILE",
           "trust coordinators with a certificate of these authorities (PEM) instead of the system's");
  cli.text("coordinator-fingerprint", flags.coordinator_fingerprint, "FP",
           "trust the one coordinator whose certificate has this SHA-256 fingerprint");
  cli.duration("drain-limit", flags.drain_limit, "DURATION",
               "how long SIGTERM lets what runs go on, with the steps that follow it; 0: end at once");
  cli.toggle("halt", flags.halt, "halt this machine when the worker is asked to end by /halt");
  cli.toggle("reboot", flags.reboot, "reboot it instead");
  base::add_log_flags(cli, flags.log);
  cli.version_text(version_text());
  cli.example("buildlet -coordinator farm.example.org:443 -reverse-type host-linux-amd64 -key-file ~/farm.key",
              "work for that farm");
  cli.example("META_password=@/etc/xbuild/password buildlet -listen localhost:5936", "serve clients on this machine");
  if (const auto exit_code = cli.parse(argc, argv)) return exit_code;
  try {
    plan(cli, settings);
  } catch (const std::exception& error) {
    return cli.usage_error(error.what());
  }
  return std::nullopt;
}
