// buildlet: the worker. Wires the parts together, registers with the coordinator or listens, and serves until it is
// told to stop.

#include <build/base/child_setup.h>
#include <build/base/environment.h>
#include <build/base/file.h>
#include <build/base/log.h>
#include <build/base/random.h>
#include <build/base/subprocess.h>
#include <build/buildlet/machine.h>
#include <build/buildlet/reverse_worker.h>
#include <build/buildlet/server.h>
#include <build/buildlet/work_directory.h>
#include <build/buildlet/worker_state.h>
#include <build/net/server.h>
#include <build/runs/supervisor.h>
#include <io/blocking_pool.h>
#include <io/clock.h>
#include <io/event_loop.h>
#include <io/proxy.h>
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
#include <stdexcept>
#include <string>
#include <string_view>

#include <sys/prctl.h>
#include <unistd.h>

#include "settings.h"

namespace {

using namespace build;
namespace fs = std::filesystem;

constexpr int kExitTrouble = 1;
constexpr io::Duration kConnectLimit = std::chrono::seconds{10};
constexpr io::Duration kHandshakeLimit = std::chrono::seconds{30};
constexpr io::Duration kStopLimit = std::chrono::seconds{5};
// The coordinator may be slow to take output while a command runs; only a dead one is given up.
constexpr io::Duration kSlowReaderLimit = std::chrono::minutes{5};
// The coordinator has connections made before it needs them; it closes them itself after two minutes without use.
constexpr io::Duration kReadyConnectionLimit = std::chrono::minutes{10};

/// The state directory, locked.
struct State {
  explicit State(const Flags& flags)
      : directory(flags.state_dir.empty()
                      ? buildlet::default_state_dir(flags.host_type.empty() ? "listen" : flags.host_type,
                                                    environment_variable)
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
        pool_(make_pool(settings_.run_as)),
        workdir_(state_.open_workdir(settings_.flags.workdir)),
        buildlet_(loop_.executor(), clock_, pool_, *workdir_, state_.directory, server_options(), log_),
        http_(loop_.executor(), clock_, routes(), http_limits(settings_.listen.has_value()), complaints()),
        health_(loop_.executor(), clock_, health_routes(), {}, complaints()) {
    if (settings_.run_as) workdir_->give_to(settings_.run_as->uid, settings_.run_as->gid);
    if (settings_.listen) {
      if (settings_.listen->tls) tls_server_.emplace(*settings_.listen->tls, settings_.listen->client_ca);
      listener_ = std::make_unique<io::TcpListener>(loop_.executor(), settings_.listen->address);
    } else {
      tls_client_.emplace(settings_.trust);
      worker_ = std::make_unique<buildlet::ReverseWorker>(
          loop_.executor(), clock_, random_, [this] { return dial(); }, http_, registration(), log_);
    }
    if (settings_.health) {
      health_listener_ = std::make_unique<io::TcpListener>(loop_.executor(), *settings_.health);
    }
  }

  int run() {
    const auto fatal = [this](std::exception_ptr error) { end_with(error); };
    loop_.on_signals({SIGINT, SIGTERM}, [this](int signal) { on_signal(signal); });
    log_.info("working in " + workdir_->path(), {{"state", state_.directory.string()}});
    io::spawn(loop_.executor(), machine_.run(), fatal);
    if (health_listener_) {
      log_.info("answering /healthz and /metrics", {{"port", std::to_string(health_listener_->port())}});
      io::spawn(loop_.executor(), health_.serve(*health_listener_), fatal);
    }
    if (worker_) {
      service_.ready("working for " + settings_.coordinator.str() + " as " + settings_.flags.host_type);
      if (settings_.proxy) log_.info("dialing through a proxy", {{"proxy", settings_.proxy->address.str()}});
      io::spawn(loop_.executor(), worker_->run(), fatal);
    } else {
      service_.ready("listening on " + settings_.listen->address.str());
      if (!settings_.listen->warning.empty()) log_.warning(settings_.listen->warning);
      log_.info("listening", {{"host", settings_.listen->address.host},
                              {"port", std::to_string(listener_->port())},
                              {"tls", tls_server_ ? "yes" : "no"}});
      io::spawn(loop_.executor(), http_.serve(*listener_, tls_server_ ? &*tls_server_ : nullptr), fatal);
    }
    loop_.run();
    // Something that could not be ended in time still refers to the parts of this object.
    if (!stopped_) std::_Exit(exit_code_);
    return exit_code_;
  }

 private:
  buildlet::ServerOptions server_options() {
    buildlet::ServerOptions options;
    options.environment = base::environment_from(environ);
    if (settings_.listen) options.password = settings_.listen->password;
    options.run_as = settings_.run_as;
    options.ssh.directory = state_.directory / "ssh";
    options.ssh.pool = &own_pool_;
    if (settings_.run_as) options.ssh.user = settings_.run_as->name;
    options.secrets = secret_files(settings_.flags);
    options.machine = [this] { return machine_.numbers(); };
    options.on_halt = [this] {
      halt_asked_ = true;
      begin_stop();
    };
    return options;
  }

  static io::BlockingPool make_pool(const std::optional<base::UserIds>& user) {
    const base::FilesAs as(user ? &*user : nullptr);
    return io::BlockingPool();
  }

  net::Router routes() {
    net::Router router;
    buildlet_.add_routes(router);
    return router;
  }

  net::Router health_routes() {
    net::Router router;
    buildlet_.add_health_routes(router);
    return router;
  }

  net::ServerLog complaints() {
    return [this](const std::string& sentence) { log_.warning(sentence); };
  }

  static net::ServerLimits http_limits(bool listens) {
    net::ServerLimits limits;
    limits.write_timeout = kSlowReaderLimit;
    if (!listens) limits.first_timeout = kReadyConnectionLimit;
    return limits;
  }

  buildlet::Registration registration() {
    buildlet::Registration registration;
    registration.host_type = settings_.flags.host_type;
    registration.hostname = buildlet::worker_hostname(settings_.flags.hostname, environment_variable);
    registration.key = secret();
    if (settings_.flags.swarming_bot) registration.gomote_id = environment_variable("GOMOTEID").value_or("");
    registration.worker_id = buildlet::load_worker_id(state_.directory, random_);
    registration.instance_id = base::random_id(random_);
    registration.features = {"persistent-id", "runs"};
    return registration;
  }

  /// What the coordinator knows this worker by.
  std::string secret() const {
    const Flags& flags = settings_.flags;
    std::string token;
    if (flags.key_file.empty()) token = buildlet::load_worker_token(flags.token_file, environment_variable);
    if (!token.empty()) return token;
    if (flags.swarming_bot) throw std::runtime_error("-swarming-bot needs a token: GO_BUILDLET_TOKEN or -token-file");
    return buildlet::load_builder_key(flags.key_file, flags.host_type, environment_variable);
  }

  io::Task<io::StreamPtr> dial() {
    const io::HostPort address = settings_.coordinator;
    std::optional<io::Proxy> proxy = settings_.proxy;
    io::StreamPtr transport =
        co_await io::connect_via(std::move(proxy), loop_.executor(), clock_, address, kConnectLimit);
    co_return co_await tls_client_->connect(std::move(transport), address.host, clock_, kHandshakeLimit);
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
    if (worker_) worker_->stop();
    co_await buildlet_.stop();
    co_await http_.stop();
    co_await health_.stop();
    if (halt_asked_ && (settings_.flags.halt || settings_.flags.reboot)) co_await halt_machine();
    stopped_ = true;
    loop_.stop();
  }

  io::Task<> halt_machine() {
    log_.warning(settings_.flags.reboot ? "rebooting this machine" : "halting this machine");
    base::SubprocessSpec spec;
    spec.argv = {"/bin/halt", "-n", "-f", "-p"};
    if (settings_.flags.reboot) spec.argv = {"/sbin/reboot"};
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
  io::BlockingPool pool_;         // what commands see of the disk, as the user that they run as
  io::BlockingPool own_pool_{1};  // what is the worker's own
  std::unique_ptr<buildlet::WorkDirectory> workdir_;
  buildlet::MachineWatch machine_{clock_, pool_, *workdir_};
  buildlet::Server buildlet_;
  net::Server http_;
  net::Server health_;
  std::optional<io::TlsClientContext> tls_client_;  // reverse mode
  std::unique_ptr<buildlet::ReverseWorker> worker_;
  std::optional<io::TlsServerContext> tls_server_;  // listen mode
  std::unique_ptr<io::TcpListener> listener_, health_listener_;
  io::Alarm give_up_;
  bool draining_ = false;
  bool stopping_ = false;
  bool stopped_ = false;
  bool halt_asked_ = false;
  int exit_code_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == runs::kSupervisorArgument) return runs::supervise();
  // Commands may run as the same user: without this they could read the password in /proc, and the key in memory.
  ::prctl(PR_SET_DUMPABLE, 0);
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
