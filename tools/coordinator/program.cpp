#include "program.h"

#include <build/base/file.h>
#include <build/base/log.h>
#include <build/base/random.h>
#include <build/config/farm_config.h>
#include <build/coordinator/coordinator.h>
#include <build/coordinator/worker_tokens.h>
#include <build/git/mirror.h>
#include <build/livelog/log_store.h>
#include <build/net/server.h>
#include <build/store/store.h>
#include <build/web/access.h>
#include <build/web/coordinator_view.h>
#include <build/web/metrics.h>
#include <build/web/site.h>
#include <io/blocking_pool.h>
#include <io/clock.h>
#include <io/event_loop.h>
#include <io/tcp.h>
#include <io/tls.h>
#include <io/watch.h>

#include <boost/system/system_error.hpp>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace build::coordinator {

namespace {

constexpr int kExitTrouble = 1;
constexpr std::size_t kTableCommits = 50;
constexpr io::Duration kStopLimit = std::chrono::seconds{10};
constexpr io::Duration kTokenRetry = std::chrono::seconds{5};

}  // namespace

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

struct Program::Impl {
  Impl(config::FarmConfig config, ProgramOptions options)
      : options_(std::move(options)),
        log_([this] { return clock_.wall_now(); }, options_.log),
        service_(loop_.executor(), clock_, options_.service,
                 [this](const std::string& sentence) { log_.warning(sentence); }),
        config_(std::move(config)),
        lock_(make_lock(config_.state_dir)),
        identity_(coordinator::load_identity(config_, random_, clock_)),
        store_(open_store()),
        logs_(config_.state_dir / "logs", loop_.executor(), pool_),
        coordinator_({loop_.executor(), clock_, pool_, random_, log_}, config_,
                     {.master_key = identity_.master_key, .allow_dev_key = options_.allow_dev_key}, *store_, logs_),
        view_(coordinator_),
        control_(coordinator_),
        site_({.store = *store_,
               .logs = logs_,
               .pool = pool_,
               .clock = clock_,
               .farm = view_,
               .changed = coordinator_.changed(),
               .control = control_,
               .master_key = identity_.master_key}),
        metrics_({.farm = view_, .site = site_, .pool = pool_, .clock = clock_}),
        access_({.clock = clock_, .random = random_, .farm = view_}, config_.access, identity_.admin_token),
        tls_(identity_.certificate),
        listener_(loop_.executor(), io::HostPort::parse(config_.listen)),
        server_(loop_.executor(), clock_, routes(), {},
                [this](const std::string& sentence) { log_.warning(sentence); }) {
    if (!config_.web_listen.empty()) web_.emplace(loop_.executor(), io::HostPort::parse(config_.web_listen));
  }

  int run() {
    const io::Executor executor = loop_.executor();
    coordinator_.on_written(
        [this](const model::Changes& changes, io::Duration took) { metrics_.wrote(changes, took); });
    const auto fatal = [this](std::exception_ptr error) { end_with(error); };
    io::spawn(executor, coordinator_.run(), fatal);
    io::spawn(executor, watch_tokens(), fatal);
    io::spawn(executor, server_.serve(listener_, &tls_), fatal);
    if (web_) io::spawn(executor, server_.serve(*web_), fatal);
    loop_.on_signals({SIGINT, SIGTERM, SIGHUP}, [this](int signal) { on_signal(signal); });
    if (options_.until_idle) io::spawn(executor, end_when_idle(), fatal);
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

  std::unique_ptr<store::Store> open_store() {
    std::unique_ptr<store::Store> real = store::open_sqlite(config_.state_dir);
    return options_.wrap_store ? options_.wrap_store(std::move(real)) : std::move(real);
  }

  net::Handler routes() {
    net::Router router;
    coordinator_.add_worker_routes(router);
    site_.add_routes(router);
    access_.add_routes(router);
    metrics_.add_routes(router);
    return metrics_.count(access_.guard(router));
  }

  void on_signal(int signal) {
    const auto failed = [this](std::exception_ptr error) { end_with(error); };
    if (signal == SIGHUP) {
      reload_wanted_ = true;
      if (!reloading_ && !going()) io::spawn(loop_.executor(), reload(), failed);
    } else if (signal == SIGINT || coordinator_.draining() || coordinator_.config().drain_limit.count() == 0) {
      begin_stop(0);
    } else if (!stopping_) {
      io::spawn(loop_.executor(), drain(), failed);
    }
  }

  io::Task<> drain() {
    const std::chrono::seconds limit = coordinator_.config().drain_limit;
    log_.info("draining: what runs may end, nothing new is begun", {{"limit", std::to_string(limit.count()) + " s"}});
    service_.stopping("draining: waiting for what runs to end");
    drain_limit_ = clock_.call_after(loop_.executor(), limit, [this] {
      log_.warning("draining took too long: builds that still run are lost");
      begin_stop(0);
    });
    try {
      co_await coordinator_.drain();
    } catch (const boost::system::system_error&) {
      // The coordinator stops already.
    }
    begin_stop(0);
  }

  /// The service manager has heard STOPPING: nothing may tell it otherwise.
  bool going() const { return stopping_ || coordinator_.draining(); }

  /// A SIGHUP that arrives while the file is read may mean a newer file: it is read once more.
  io::Task<> reload() {
    reloading_ = true;
    while (reload_wanted_ && !going()) {
      reload_wanted_ = false;
      service_.reloading("reading the configuration again");
      co_await reload_once();
      if (!going()) service_.ready("serving workers and pages");
    }
    reloading_ = false;
  }

  io::Task<> reload_once() {
    std::string trouble;
    try {
      const auto load = [this] { return load_config(options_.config_file); };
      config::FarmConfig config = co_await pool_.run(load);
      for (const std::string& sentence : coordinator_.reload(std::move(config))) log_.warning(sentence);
      access_.set_config(coordinator_.config().access);
      log_.info("the configuration was read again and taken over", {{"file", options_.config_file.string()}});
    } catch (const std::exception& error) {
      trouble = error.what();
    }
    if (!trouble.empty()) {
      log_.error("the configuration was not taken over, the one from before stays", {{"why", trouble}});
      coordinator_.reload_failed(std::move(trouble));
    }
  }

  void announce() {
    const std::string secure = io::HostPort::parse(config_.listen).for_visitors(listener_.port()).str();
    std::string ready = "https=" + secure + "\n";
    log_.info("serving workers and pages", {{"url", "https://" + secure + "/"}});
    if (web_) {
      const std::string plain = io::HostPort::parse(config_.web_listen).for_visitors(web_->port()).str();
      ready += "http=" + plain + "\n";
      log_.info("serving pages without TLS", {{"url", "http://" + plain + "/"}});
    }
    log_.info("workers trust this certificate by -coordinator-fingerprint", {{"fingerprint", identity_.fingerprint}});
    ready += "fingerprint=" + identity_.fingerprint + "\nmaster_key_file=" + identity_.master_key_file.string() + "\n";
    ready += "admin_token_file=" + identity_.admin_token_file.string() + "\n";
    log_.info("whoever has the token in this file may do everything on the pages",
              {{"file", identity_.admin_token_file.string()}});
    if (options_.allow_dev_key)
      log_.warning("workers with the publicly known development key are accepted (-allow-dev-key)");
    if (!options_.ready_file.empty()) base::write_file_atomically(options_.ready_file, ready, 0600);
    service_.ready("serving workers and pages at https://" + secure + "/");
  }

  /// Tokens that are made or revoked count at once.
  io::Task<> watch_tokens() {
    const std::filesystem::path directory = worker_tokens_directory(config_.state_dir);
    while (!stopping_) {
      std::string trouble;
      try {
        const auto ensure = [&directory] { base::ensure_private_directory(directory); };
        co_await pool_.run(ensure);
        token_watch_ = std::make_unique<io::DirectoryWatch>(loop_.executor(), directory);
        while (true) {
          co_await read_tokens(directory);
          co_await token_watch_->changed();
        }
      } catch (const std::exception& error) {
        trouble = error.what();
      }
      if (stopping_) co_return;
      log_.error("the workers' tokens cannot be watched; trying again", {{"why", trouble}});
      co_await clock_.sleep_for(kTokenRetry);
    }
  }

  io::Task<> read_tokens(const std::filesystem::path& directory) {
    std::vector<std::string> complaints;
    const auto read = [&] { return read_worker_tokens(directory, complaints); };
    std::vector<WorkerToken> tokens = co_await pool_.run(read);
    for (const std::string& complaint : complaints) log_.warning(complaint);
    coordinator_.set_worker_tokens(std::move(tokens));
  }

  io::Task<> end_when_idle() {
    co_await coordinator_.until_idle();
    std::cout << coordinator::results_table(coordinator_.config(), *store_, kTableCommits);
    begin_stop(coordinator_.in_trouble() || farm_failed() ? kExitTrouble : 0);
  }

  bool farm_failed() const {
    for (const model::Build& build : store_->recent_builds(kTableCommits * coordinator_.config().builders.size()))
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
    drain_limit_.cancel();
    exit_code_ = exit_code;
    service_.stopping("stopping");
    if (token_watch_) token_watch_->close();
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

  ProgramOptions options_;
  io::RealClock clock_;
  base::Logger log_;
  base::SystemRandom random_;
  io::EventLoop loop_;
  io::ServiceManager service_;
  io::BlockingPool pool_;
  config::FarmConfig config_;
  std::unique_ptr<base::LockFile> lock_;
  coordinator::Identity identity_;
  std::unique_ptr<store::Store> store_;
  livelog::LogStore logs_;
  coordinator::Coordinator coordinator_;
  web::CoordinatorView view_;
  web::CoordinatorControl control_;
  web::Site site_;
  web::Metrics metrics_;
  web::Access access_;
  io::TlsServerContext tls_;
  io::TcpListener listener_;
  std::optional<io::TcpListener> web_;
  std::unique_ptr<io::DirectoryWatch> token_watch_;
  net::Server server_;
  io::Alarm stop_limit_, drain_limit_;
  bool reloading_ = false, reload_wanted_ = false, stopping_ = false, stopped_ = false;
  int exit_code_ = 0;
};

Program::Program(config::FarmConfig config, ProgramOptions options)
    : impl_(std::make_unique<Impl>(std::move(config), std::move(options))) {}
Program::~Program() = default;

int Program::run() { return impl_->run(); }

}  // namespace build::coordinator
