// buildlet: the worker. Reads the flags, wires the parts together, registers with the coordinator and serves it until
// it is told to stop.

#include <build/base/build_info.h>
#include <build/base/cli.h>
#include <build/base/environment.h>
#include <build/base/file.h>
#include <build/base/log.h>
#include <build/base/random.h>
#include <build/base/subprocess.h>
#include <build/buildlet/reverse_worker.h>
#include <build/buildlet/server.h>
#include <build/buildlet/work_directory.h>
#include <build/buildlet/worker_state.h>
#include <build/net/server.h>
#include <io/blocking_pool.h>
#include <io/clock.h>
#include <io/event_loop.h>
#include <io/service_manager.h>
#include <io/tcp.h>
#include <io/tls.h>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include <unistd.h>

namespace {

using namespace build;
namespace fs = std::filesystem;

constexpr int kExitTrouble = 1;
constexpr io::Duration kConnectLimit = std::chrono::seconds{10};
constexpr io::Duration kHandshakeLimit = std::chrono::seconds{30};
constexpr io::Duration kStopLimit = std::chrono::seconds{5};
// The coordinator may be slow to take output while a command runs; only a dead one is given up.
constexpr io::Duration kSlowReaderLimit = std::chrono::minutes{5};

struct Flags {
  std::string coordinator = "localhost:8119";
  std::string host_type;
  std::string hostname;
  fs::path workdir;
  fs::path state_dir;
  fs::path key_file;
  fs::path coordinator_ca;
  std::string coordinator_fingerprint;
  io::Duration drain_limit = std::chrono::minutes{10};
  bool halt = false;
  base::LogOptions log;
};

struct Settings {
  Flags flags;
  io::ServiceManager::Place service;
  io::HostPort coordinator;
  io::TlsTrust trust;
};

std::string version_text() {
  return "buildlet version " + std::to_string(buildlet::kVersion) + " (" + buildlet::platform() +
         ")\nbuilt as xbuild " + base::version_text();
}

io::TlsTrust trust_of(const Flags& flags) {
  io::TlsTrust trust;
  if (!flags.coordinator_ca.empty()) {
    trust.kind = io::TlsTrust::Kind::ca_file;
    trust.ca_file = flags.coordinator_ca;
  } else if (!flags.coordinator_fingerprint.empty()) {
    const auto fingerprint = io::parse_fingerprint(flags.coordinator_fingerprint);
    if (!fingerprint) throw std::invalid_argument("-coordinator-fingerprint is not \"sha256:\" and 64 hex digits");
    trust.kind = io::TlsTrust::Kind::fingerprint;
    trust.fingerprint = *fingerprint;
  }
  return trust;
}

std::optional<int> parse_flags(int argc, char** argv, Settings& settings) {
  Flags& flags = settings.flags;
  base::CommandLine cli("buildlet", "A worker: registers with a coordinator and runs the builds it is given.");
  cli.text("coordinator", flags.coordinator, "HOST:PORT", "the coordinator to register with, over TLS");
  cli.text("reverse-type", flags.host_type, "TYPE", "the host type to register as (required)");
  cli.text("hostname", flags.hostname, "NAME", "the name to register under; default: $HOSTNAME, or this machine's");
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
  cli.toggle("halt", flags.halt, "halt this machine when the coordinator asks the worker to end");
  base::add_log_flags(cli, flags.log);
  cli.version_text(version_text());
  cli.example("buildlet -coordinator farm.example.org:443 -reverse-type host-linux-amd64 -key-file ~/farm.key",
              "work for that farm");
  if (const auto exit_code = cli.parse(argc, argv)) return exit_code;
  try {
    if (flags.host_type.empty()) return cli.usage_error("-reverse-type is missing: name the host type to register as");
    buildlet::check_host_type(flags.host_type);
    if (!flags.coordinator_ca.empty() && !flags.coordinator_fingerprint.empty()) {
      return cli.usage_error("-coordinator-ca and -coordinator-fingerprint exclude each other");
    }
    const bool has_port = flags.coordinator.find(':') != std::string::npos;
    settings.coordinator = io::HostPort::parse(has_port ? flags.coordinator : flags.coordinator + ":443");
    settings.trust = trust_of(flags);
  } catch (const std::invalid_argument& error) {
    return cli.usage_error(error.what());
  }
  return std::nullopt;
}

std::optional<std::string> environment_variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

/// The state directory, locked.
struct State {
  explicit State(const Flags& flags)
      : directory(flags.state_dir.empty() ? buildlet::default_state_dir(flags.host_type, environment_variable)
                                          : fs::absolute(flags.state_dir)) {
    base::ensure_private_directory(directory);
    lock = std::make_unique<base::LockFile>(directory / "lock");
  }

  /// A work directory of our own begins empty; one that somebody named is only rid of its caches.
  std::unique_ptr<buildlet::WorkDirectory> open_workdir(const fs::path& named) const {
    using Found = buildlet::WorkDirectory::Found;
    const fs::path record = directory / "work-directories";
    if (!named.empty()) return std::make_unique<buildlet::WorkDirectory>(named, record, Found::keep);
    return std::make_unique<buildlet::WorkDirectory>(directory / "workdir", record, Found::clear);
  }

  fs::path directory;
  std::unique_ptr<base::LockFile> lock;
};

class Program {
 public:
  explicit Program(Settings settings)
      : settings_(std::move(settings)),
        log_([this] { return clock_.wall_now(); }, settings_.flags.log),
        service_(loop_.executor(), clock_, settings_.service,
                 [this](const std::string& sentence) { log_.warning(sentence); }),
        state_(settings_.flags),
        key_(buildlet::load_builder_key(settings_.flags.key_file, settings_.flags.host_type, environment_variable)),
        tls_(settings_.trust),
        workdir_(state_.open_workdir(settings_.flags.workdir)),
        buildlet_(loop_.executor(), clock_, pool_, *workdir_, server_options(), log_),
        http_(loop_.executor(), clock_, routes(), http_limits(),
              [this](const std::string& sentence) { log_.warning(sentence); }),
        worker_(
            loop_.executor(), clock_, random_, [this] { return dial(); }, http_, registration(), log_) {}

  int run() {
    const auto fatal = [this](std::exception_ptr error) { end_with(error); };
    loop_.on_signals({SIGINT, SIGTERM}, [this](int signal) { on_signal(signal); });
    service_.ready("working for " + settings_.coordinator.str() + " as " + settings_.flags.host_type);
    log_.info("working in " + workdir_->path(), {{"state", state_.directory.string()}});
    io::spawn(loop_.executor(), worker_.run(), fatal);
    loop_.run();
    // Something that could not be ended in time still refers to the parts of this object.
    if (!stopped_) std::_Exit(exit_code_);
    return exit_code_;
  }

 private:
  buildlet::ServerOptions server_options() {
    buildlet::ServerOptions options;
    options.environment = base::environment_from(environ);
    options.on_halt = [this] {
      halt_asked_ = true;
      begin_stop();
    };
    return options;
  }

  net::Router routes() {
    net::Router router;
    buildlet_.add_routes(router);
    return router;
  }

  static net::ServerLimits http_limits() {
    net::ServerLimits limits;
    limits.write_timeout = kSlowReaderLimit;
    return limits;
  }

  buildlet::Registration registration() {
    buildlet::Registration registration;
    registration.host_type = settings_.flags.host_type;
    registration.hostname = buildlet::worker_hostname(settings_.flags.hostname, environment_variable);
    registration.key = key_;
    registration.worker_id = buildlet::load_worker_id(state_.directory, random_);
    registration.instance_id = base::random_id(random_);
    registration.features = {"persistent-id"};
    return registration;
  }

  io::Task<io::StreamPtr> dial() {
    const io::HostPort address = settings_.coordinator;
    io::StreamPtr transport = co_await io::tcp_connect(loop_.executor(), clock_, address, kConnectLimit);
    co_return co_await tls_.connect(std::move(transport), address.host, clock_, kHandshakeLimit);
  }

  void end_with(const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& failure) {
      log_.error(failure.what());
    }
    exit_code_ = kExitTrouble;
    begin_stop();
  }

  void on_signal(int signal) {
    const bool patient = signal == SIGTERM && !draining_ && !stopping_ && settings_.flags.drain_limit.count() > 0;
    if (!patient) return begin_stop();
    draining_ = true;
    log_.info("draining: what runs goes on, then the worker ends; a second signal ends it at once",
              {{"running", std::to_string(buildlet_.running())}});
    service_.stopping("draining: what runs goes on");
    buildlet::DrainLimits limits;
    limits.longest = settings_.flags.drain_limit;
    buildlet_.drain(limits, [this] { begin_stop(); });
  }

  void begin_stop() {
    if (stopping_) {
      // A person who asks twice does not want to wait.
      loop_.stop();
      return;
    }
    stopping_ = true;
    log_.info("stopping");
    service_.stopping("stopping");
    give_up_ = clock_.call_after(loop_.executor(), kStopLimit, [this] { loop_.stop(); });
    io::spawn(loop_.executor(), stop(), [this](std::exception_ptr) { loop_.stop(); });
  }

  io::Task<> stop() {
    worker_.stop();
    co_await buildlet_.stop();
    co_await http_.stop();
    if (halt_asked_ && settings_.flags.halt) co_await halt_machine();
    stopped_ = true;
    loop_.stop();
  }

  io::Task<> halt_machine() {
    log_.warning("halting this machine");
    base::SubprocessSpec spec;
    spec.argv = {"/bin/halt", "-n", "-f", "-p"};
    const base::RunLimits limits;
    const base::RunResult result = co_await base::run_command(loop_.executor(), clock_, spec, limits);
    if (!result.ok()) log_.error("halting failed", {{"status", result.status.str()}, {"output", result.output}});
  }

  Settings settings_;
  io::RealClock clock_;
  base::Logger log_;
  io::EventLoop loop_;
  io::ServiceManager service_;
  base::SystemRandom random_;
  State state_;
  std::string key_;
  io::TlsClientContext tls_;
  io::BlockingPool pool_;
  std::unique_ptr<buildlet::WorkDirectory> workdir_;
  buildlet::Server buildlet_;
  net::Server http_;
  buildlet::ReverseWorker worker_;
  io::Alarm give_up_;
  bool draining_ = false;
  bool stopping_ = false;
  bool stopped_ = false;
  bool halt_asked_ = false;
  int exit_code_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  settings.service = io::ServiceManager::take_from_environment();
  settings.flags.log.reader = base::reader_of_stderr(environment_variable("JOURNAL_STREAM").value_or(""));
  if (const auto exit_code = parse_flags(argc, argv, settings)) return *exit_code;
  try {
    Program program(std::move(settings));
    return program.run();
  } catch (const std::exception& error) {
    std::cerr << "buildlet: " << error.what() << "\n";
    return kExitTrouble;
  }
}
