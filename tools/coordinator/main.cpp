// coordinator: the farm's centre. Reads the flags and farm.toml, wires the parts together, and serves until it is
// told to stop.

#include <build/base/cli.h>
#include <build/base/file.h>
#include <build/base/log.h>
#include <build/base/random.h>
#include <build/config/farm_config.h>
#include <build/coordinator/coordinator.h>
#include <build/git/mirror.h>
#include <build/livelog/log_store.h>
#include <build/net/server.h>
#include <build/store/store.h>
#include <build/web/coordinator_view.h>
#include <build/web/site.h>
#include <io/blocking_pool.h>
#include <io/clock.h>
#include <io/event_loop.h>
#include <io/tcp.h>
#include <io/tls.h>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

namespace {

using namespace build;

constexpr int kExitTrouble = 1;
constexpr std::size_t kTableCommits = 50;
constexpr io::Duration kStopLimit = std::chrono::seconds{10};

struct Flags {
  std::filesystem::path config = "farm.toml";
  std::filesystem::path ready_file;
  bool check_config = false;
  bool allow_dev_key = false;
  bool until_idle = false;
};

std::optional<int> parse_flags(int argc, char** argv, Flags& flags) {
  base::CommandLine cli("coordinator", "Watches repositories, builds their commits on workers, and shows the results.");
  cli.path("config", flags.config, "FILE", "the farm's configuration, see farm.toml(5)");
  cli.toggle("check-config", flags.check_config, "check the configuration and end");
  cli.toggle("allow-dev-key", flags.allow_dev_key,
             "also accept workers whose key comes from the publicly known development key; for trials only");
  cli.toggle("until-idle", flags.until_idle,
             "end when every commit found is built; print a table of the results to stdout");
  cli.path("ready-file", flags.ready_file, "FILE",
           "when serving, write the addresses and the certificate's fingerprint to FILE, a line NAME=VALUE each");
  cli.example("coordinator -config /etc/xbuild/farm.toml", "serve until SIGTERM");
  cli.example("coordinator -config farm.toml -check-config", "say whether farm.toml is in order");
  return cli.parse(argc, argv);
}

/// Everything that can be wrong with a configuration before anything is started.
config::FarmConfig load_config(const std::filesystem::path& file) {
  config::FarmConfig config = config::load(file);
  for (const config::RepositoryConfig& repository : config.repositories) {
    try {
      git::Location::parse(repository.url);
    } catch (const std::invalid_argument& error) {
      throw config::ConfigError(file.string() + ": repository \"" + repository.name.value + "\": " + error.what());
    }
  }
  return config;
}

/// The address people type: a listener on every address is reached by the machine's own name.
std::string address_of(const std::string& listen, std::uint16_t port) {
  io::HostPort address = io::HostPort::parse(listen);
  if (address.host.empty() || address.host == "0.0.0.0" || address.host == "::") address.host = "localhost";
  address.port = std::to_string(port);
  return address.str();
}

class Program {
 public:
  Program(config::FarmConfig config, const Flags& flags)
      : flags_(flags),
        log_([this] { return clock_.wall_now(); }),
        config_(std::move(config)),
        lock_(make_lock(config_.state_dir)),
        identity_(coordinator::load_identity(config_, random_, clock_)),
        store_(store::open_sqlite(config_.state_dir)),
        logs_(config_.state_dir / "logs", loop_.executor(), pool_),
        coordinator_({loop_.executor(), clock_, pool_, random_, log_}, config_,
                     {.master_key = identity_.master_key, .allow_dev_key = flags.allow_dev_key}, *store_, logs_),
        view_(coordinator_),
        site_({.store = *store_, .logs = logs_, .pool = pool_, .clock = clock_, .farm = view_}),
        tls_(identity_.certificate),
        listener_(loop_.executor(), io::HostPort::parse(config_.listen)),
        server_(loop_.executor(), clock_, routes(), {},
                [this](const std::string& sentence) { log_.warning(sentence); }) {
    if (!config_.web_listen.empty()) web_.emplace(loop_.executor(), io::HostPort::parse(config_.web_listen));
  }

  int run() {
    const io::Executor executor = loop_.executor();
    const auto fatal = [this](std::exception_ptr error) { end_with(error); };
    io::spawn(executor, coordinator_.run(), fatal);
    io::spawn(executor, server_.serve(listener_, &tls_), fatal);
    if (web_) io::spawn(executor, server_.serve(*web_), fatal);
    loop_.on_signals({SIGINT, SIGTERM}, [this](int) { begin_stop(0); });
    if (flags_.until_idle) io::spawn(executor, end_when_idle(), fatal);
    announce();
    loop_.run();
    std::cout << std::flush;
    // Something that could not be ended in time still refers to the parts of this object.
    if (!stopped_) std::_Exit(exit_code_);
    return exit_code_;
  }

 private:
  static std::unique_ptr<base::LockFile> make_lock(const std::filesystem::path& state_dir) {
    base::ensure_private_directory(state_dir);
    return std::make_unique<base::LockFile>(state_dir / "lock");
  }

  net::Router routes() {
    net::Router router;
    coordinator_.add_worker_routes(router);
    site_.add_routes(router);
    return router;
  }

  void announce() {
    const std::string secure = address_of(config_.listen, listener_.port());
    std::string ready = "https=" + secure + "\n";
    log_.info("serving workers and pages", {{"url", "https://" + secure + "/"}});
    if (web_) {
      const std::string plain = address_of(config_.web_listen, web_->port());
      ready += "http=" + plain + "\n";
      log_.info("serving pages without TLS", {{"url", "http://" + plain + "/"}});
    }
    log_.info("workers trust this certificate by -coordinator-fingerprint", {{"fingerprint", identity_.fingerprint}});
    ready += "fingerprint=" + identity_.fingerprint + "\nmaster_key_file=" + identity_.master_key_file.string() + "\n";
    if (flags_.allow_dev_key)
      log_.warning("workers with the publicly known development key are accepted (-allow-dev-key)");
    if (!flags_.ready_file.empty()) base::write_file_atomically(flags_.ready_file, ready, 0600);
  }

  io::Task<> end_when_idle() {
    co_await coordinator_.until_idle();
    std::cout << coordinator::results_table(config_, *store_, kTableCommits);
    begin_stop(coordinator_.in_trouble() || farm_failed() ? kExitTrouble : 0);
  }

  bool farm_failed() const {
    for (const model::Build& build : store_->recent_builds(kTableCommits * config_.builders.size()))
      if (build.result == model::Result::lost) return true;
    return false;
  }

  void end_with(std::exception_ptr error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& e) {
      log_.error("the coordinator ends", {{"why", e.what()}});
    }
    begin_stop(kExitTrouble);
  }

  void begin_stop(int exit_code) {
    if (stopping_) return;
    stopping_ = true;
    exit_code_ = exit_code;
    stop_limit_ = clock_.call_after(loop_.executor(), kStopLimit, [this] { loop_.stop(); });
    io::spawn(loop_.executor(), stop(), [this](std::exception_ptr) { loop_.stop(); });
  }

  io::Task<> stop() {
    co_await coordinator_.stop();
    co_await server_.stop();
    stopped_ = true;
    stop_limit_.cancel();
    loop_.stop();
  }

  Flags flags_;
  io::RealClock clock_;
  base::Logger log_;
  base::SystemRandom random_;
  io::EventLoop loop_;
  io::BlockingPool pool_;
  config::FarmConfig config_;
  std::unique_ptr<base::LockFile> lock_;
  coordinator::Identity identity_;
  std::unique_ptr<store::Store> store_;
  livelog::LogStore logs_;
  coordinator::Coordinator coordinator_;
  web::CoordinatorView view_;
  web::Site site_;
  io::TlsServerContext tls_;
  io::TcpListener listener_;
  std::optional<io::TcpListener> web_;
  net::Server server_;
  io::Alarm stop_limit_;
  bool stopping_ = false, stopped_ = false;
  int exit_code_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  if (const auto exit_code = parse_flags(argc, argv, flags)) return *exit_code;
  try {
    config::FarmConfig config = load_config(flags.config);
    if (flags.check_config) {
      std::cout << flags.config.string() << ": in order\n";
      return 0;
    }
    return Program(std::move(config), flags).run();
  } catch (const std::exception& error) {
    std::cerr << "coordinator: " << error.what() << "\n";
    return kExitTrouble;
  }
}
