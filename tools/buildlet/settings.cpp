#include "settings.h"

#include <build/base/build_info.h>
#include <build/base/cli.h>
#include <build/buildlet/cloud_metadata.h>
#include <build/buildlet/server.h>
#include <build/buildlet/worker_state.h>
#include <io/event_loop.h>

#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

#include <unistd.h>

using namespace build;

namespace {

std::string version_text() {
  return "buildlet version " + std::to_string(buildlet::kVersion) + " (" + buildlet::platform() +
         ")\nbuilt as xbuild " + base::version_text();
}

// The cloud's word on a worker that listens; nothing is asked where there is no cloud.
buildlet::CloudMetadata cloud_metadata() {
  const buildlet::Cloud cloud = buildlet::detect_cloud(environment_variable);
  buildlet::CloudMetadata metadata;
  if (cloud == buildlet::Cloud::none) return metadata;
  io::RealClock clock;
  io::EventLoop loop;
  const auto ask = [&]() -> io::Task<> {
    io::HostPort server = buildlet::metadata_server(cloud, environment_variable);
    metadata = co_await buildlet::fetch_cloud_metadata(loop.executor(), clock, cloud, std::move(server));
  };
  loop.run_until_done(ask());
  return metadata;
}

base::UserIds user_to_run_as(const Flags& flags) {
  if (::geteuid() != 0) throw std::invalid_argument("-run-as needs root: only root may become somebody else");
  base::UserIds user = base::find_user(flags.run_as);
  if (user.uid == 0)
    throw std::invalid_argument("-run-as " + flags.run_as + ": commands would run as root all the same");
  if (flags.workdir.empty()) {
    throw std::invalid_argument(
        "-run-as needs -workdir: the default, in the state directory, is closed to everybody else");
  }
  return user;
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
  if (!flags.run_as.empty()) settings.run_as = user_to_run_as(flags);
  if (!reverse) {
    if (flags.swarming_bot) throw std::invalid_argument("-swarming-bot goes with -reverse-type only");
    settings.listen = buildlet::plan_listening(flags.listen, environment_variable, cloud_metadata());
    return;
  }
  buildlet::check_host_type(flags.host_type);
  for (const char* flag : {"insecure", "client-ca"}) {
    if (cli.given(flag)) throw std::invalid_argument("-" + std::string(flag) + " goes with -listen only");
  }
  if (flags.swarming_bot && environment_variable("GOMOTEID").value_or("").empty()) {
    throw std::invalid_argument("-swarming-bot needs GOMOTEID, the id of the gomote instance that this worker is");
  }
  if (!flags.key_file.empty() && !flags.token_file.empty()) {
    throw std::invalid_argument("-key-file and -token-file exclude each other: a worker shows one of them");
  }
  if (!flags.coordinator_ca.empty() && !flags.coordinator_fingerprint.empty()) {
    throw std::invalid_argument("-coordinator-ca and -coordinator-fingerprint exclude each other");
  }
  const std::string& server = flags.swarming_bot ? flags.gomote_server : flags.coordinator;
  settings.coordinator = io::HostPort::parse(server.find(':') != std::string::npos ? server : server + ":443");
  settings.proxy = io::proxy_for(settings.coordinator, environment_variable);
  settings.trust = io::trust_in(flags.coordinator_ca, flags.coordinator_fingerprint);
}

}  // namespace

std::optional<std::string> environment_variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

std::vector<std::filesystem::path> secret_files(const Flags& flags) {
  std::vector<std::filesystem::path> files;
  const auto add = [&files](const std::filesystem::path& file) {
    if (!file.empty()) files.push_back(std::filesystem::absolute(file));
  };
  add(flags.key_file);
  add(flags.token_file);
  add(environment_variable("GO_BUILD_KEY_PATH").value_or(""));
  for (const char* metadata : {"META_password", "META_tls_key"}) {
    const std::string value = environment_variable(metadata).value_or("");
    if (value.starts_with('@')) add(value.substr(1));
  }
  return files;
}

std::optional<int> parse_flags(int argc, char** argv, Settings& settings) {
  Flags& flags = settings.flags;
  base::CommandLine cli("buildlet", "A worker: runs the builds that a coordinator, or a client, gives it.");
  cli.text("coordinator", flags.coordinator, "HOST:PORT", "reverse mode: the coordinator, over TLS");
  cli.text("reverse-type", flags.host_type, "TYPE", "reverse mode: register with a coordinator as this host type");
  cli.text("hostname", flags.hostname, "NAME", "the name to register under; default: $HOSTNAME, or this machine's");
  cli.text("listen", flags.listen.address, "HOST:PORT",
           "listen mode: serve whoever knows the password ($META_password); AUTO is localhost:5936");
  cli.path("client-ca", flags.listen.client_ca, "FILE",
           "listen mode: serve only clients with a certificate of these authorities (PEM); needs $META_tls_cert");
  cli.toggle("insecure", flags.listen.insecure,
             "DANGER: listen without password or certificates; whoever reaches the address runs commands as this user");
  cli.text("health-addr", flags.health_address, "HOST:PORT",
           "also answer /healthz and /metrics there, and nothing else");
  cli.path("workdir", flags.workdir, "DIR",
           "where to unpack and run; must be missing, empty, or this worker's own; default: in the state directory");
  cli.path("state-dir", flags.state_dir, "DIR",
           "where this worker keeps its id; default: $XDG_STATE_HOME/xbuild/buildlet-TYPE");
  cli.path("key-file", flags.key_file, "FILE",
           "the builder key of the host type; default: $GO_BUILD_KEY_PATH, or ~/.gobuildkey-TYPE");
  cli.path("token-file", flags.token_file, "FILE",
           "this worker's own token, instead of a key; \"coordinator workers add\" makes one; also $GO_BUILDLET_TOKEN");
  cli.toggle("swarming-bot", flags.swarming_bot,
             "register with -gomote-server-addr as the gomote instance $GOMOTEID, by $GO_BUILDLET_TOKEN");
  cli.text("gomote-server-addr", flags.gomote_server, "HOST:PORT", "with -swarming-bot: the gomote server, over TLS");
  cli.text("run-as", flags.run_as, "USER", "run commands as this user; needs root and -workdir");
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
