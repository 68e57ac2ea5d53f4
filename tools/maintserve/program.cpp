#include "program.h"

#include <build/base/file.h>
#include <build/net/server.h>
#include <io/blocking_pool.h>
#include <io/clock.h>
#include <io/event_loop.h>
#include <io/repeated_job.h>
#include <io/tcp.h>
#include <io/tls.h>

#include <boost/asio/post.hpp>

#include <csignal>
#include <exception>
#include <iostream>
#include <optional>
#include <utility>

namespace maintserve {

namespace base = build::base;
namespace net = build::net;

namespace {

constexpr int kExitTrouble = 1;
constexpr io::Duration kLook = std::chrono::milliseconds{100};  ///< how often, whether the log has grown
constexpr io::Duration kRetry = std::chrono::seconds{5};
constexpr io::Duration kGrace = std::chrono::seconds{5};

}  // namespace

struct Program::Impl {
  explicit Impl(Options options)
      : options_(std::move(options)),
        log_([this] { return clock_.wall_now(); }, options_.logging),
        service_(loop_.executor(), clock_, options_.service, warn()),
        looking_(
            loop_.executor(), clock_, pool_, {kLook, kRetry}, [this] { source_->look(); }, ears()),
        listener_(loop_.executor(), io::HostPort::parse(options_.listen)),
        site_(loop_.executor(), clock_,
              {.view = [this] { return source_->view(); }, .queries = options_.queries, .log = warn()},
              options_.limits),
        server_(loop_.executor(), clock_, site_.handler(), {}, warn()) {
    if (!options_.certificate.empty()) tls_.emplace(io::read_certificate(options_.certificate, options_.private_key));
    options_.source.say = warn();
    options_.source.follower.log = warn();
    options_.source.changed = [this] { boost::asio::post(loop_.executor(), [this] { site_.changed(); }); };
    source_ = open_source(options_.source);
  }

  int run() {
    const auto fatal = [this](std::exception_ptr error) { end_with(error); };
    loop_.on_signals({SIGINT, SIGTERM}, [this, fatal](int) {
      if (!std::exchange(stopping_, true)) io::spawn(loop_.executor(), stop(), fatal);
    });
    io::spawn(loop_.executor(), server_.serve(listener_, tls_ ? &*tls_ : nullptr), fatal);
    if (!options_.source.log.empty()) io::spawn(loop_.executor(), looking_.run(), fatal);
    site_.start();
    announce();
    loop_.run();
    return exit_code_;
  }

 private:
  net::ServerLog warn() {
    return [this](const std::string& sentence) { log_.warning(sentence); };
  }

  io::RepeatedJob::Ears ears() {
    return {[this](const std::string& why) {
              log_.error("what is new in the log is not shown: it is tried again", {{"why", why}});
            },
            [this] { log_.info("what is new in the log is shown again"); }};
  }

  void announce() {
    const std::string address = io::HostPort::parse(options_.listen).for_visitors(listener_.port()).str();
    const std::string url = (tls_ ? "https://" : "http://") + address + "/";
    std::cout << "serving at " << url << std::endl;
    if (!options_.ready_file.empty()) base::write_file_atomically(options_.ready_file, "url=" + url + "\n");
    service_.ready("serving a corpus");
  }

  io::Task<> stop() {
    service_.stopping("ending");
    co_await looking_.stop();
    co_await site_.stop();
    co_await server_.stop(kGrace);
    loop_.stop();
  }

  void end_with(const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& failure) {
      log_.error(failure.what());
    }
    exit_code_ = kExitTrouble;
    loop_.stop();
  }

  Options options_;
  io::RealClock clock_;
  base::Logger log_;
  io::EventLoop loop_;
  io::ServiceManager service_;
  std::optional<io::TlsServerContext> tls_;
  bool stopping_ = false;
  int exit_code_ = 0;
  std::unique_ptr<CorpusSource> source_;
  io::RepeatedJob looking_;
  io::BlockingPool pool_{1};  ///< goes before those who have jobs in it
  io::TcpListener listener_;
  maintner::WebSite site_;
  net::Server server_;
};

Program::Program(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Program::~Program() = default;
int Program::run() { return impl_->run(); }

}  // namespace maintserve
