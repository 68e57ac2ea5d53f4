#include "program.h"

#include <build/base/file.h>
#include <build/net/server.h>
#include <io/blocking_pool.h>
#include <io/clock.h>
#include <io/event_loop.h>
#include <io/repeated_job.h>
#include <io/tcp.h>
#include <io/tls.h>
#include <maintner/log_copier.h>
#include <maintner/log_server.h>
#include <maintner/segment_store.h>

#include <csignal>
#include <cstdint>
#include <exception>
#include <optional>
#include <utility>

namespace maintnerd {

namespace base = build::base;
namespace net = build::net;

namespace {

constexpr int kExitTrouble = 1;
/// Each waits on a connection of its own.
constexpr std::size_t kMostFollowers = 20'000;
constexpr io::Duration kLook = std::chrono::milliseconds{100};  ///< how often, whether the log has grown
constexpr io::Duration kRetry = std::chrono::seconds{5};
constexpr io::Duration kGrace = std::chrono::seconds{5};

net::ServerLimits limits() {
  net::ServerLimits limits;
  limits.max_connections = kMostFollowers;
  return limits;
}

io::Task<> answer_front(net::Request& /*request*/, net::Response& response) {
  co_await response.send(
      200, "text/html; charset=utf-8",
      "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>maintnerd</title>\n"
      "<h1>maintnerd</h1>\n<p>A mutation log for followers: <a href=\"/logs\">/logs</a></p>\n</html>\n");
}

io::Task<> answer_health(net::Request& /*request*/, net::Response& response) {
  co_await response.send(200, "text/plain; charset=utf-8", "ok");
}

}  // namespace

struct Program::Impl {
  explicit Impl(Options options)
      : options_(std::move(options)),
        log_([this] { return clock_.wall_now(); }, options_.logging),
        service_(loop_.executor(), clock_, options_.service,
                 [this](const std::string& sentence) { log_.warning(sentence); }),
        store_(options_.data_dir, static_cast<std::uint64_t>(options_.segment_size)),
        logs_(loop_.executor(), clock_, pool_, store_),
        copying_(
            loop_.executor(), clock_, pool_, {kLook, kRetry}, [this] { copier_->copy(); }, ears()),
        listener_(loop_.executor(), io::HostPort::parse(options_.listen)),
        server_(
            loop_.executor(), clock_,
            [this](net::Request& request, net::Response& response) { return router_(request, response); }, limits(),
            [this](const std::string& sentence) { log_.warning(sentence); }) {
    if (store_.cut() > 0)
      log_.warning("a record that was not whole was cut off the last segment",
                   {{"bytes", std::to_string(store_.cut())}});
    if (!options_.certificate.empty()) tls_.emplace(io::read_certificate(options_.certificate, options_.private_key));
    if (!options_.log.empty()) {
      copier_.emplace(options_.log, store_);
      copier_->copy();
    }
    logs_.add_to(router_);
    router_.add("GET", "/", answer_front);
    router_.add("GET", "/healthz", answer_health);
  }

  int run() {
    const auto fatal = [this](std::exception_ptr error) { end_with(error); };
    loop_.on_signals({SIGINT, SIGTERM}, [this, fatal](int) {
      if (!std::exchange(stopping_, true)) io::spawn(loop_.executor(), stop(), fatal);
    });
    io::spawn(loop_.executor(), server_.serve(listener_, tls_ ? &*tls_ : nullptr), fatal);
    if (copier_) io::spawn(loop_.executor(), copying_.run(), fatal);
    announce();
    loop_.run();
    return exit_code_;
  }

 private:
  io::RepeatedJob::Ears ears() {
    return {[this](const std::string& why) {
              log_.error("the log is not copied any more: it is tried again", {{"why", why}});
            },
            [this] { log_.info("the log is copied again"); }};
  }

  void announce() {
    const std::string address = io::HostPort::parse(options_.listen).for_visitors(listener_.port()).str();
    const std::string url = (tls_ ? "https://" : "http://") + address + "/logs";
    const auto list = store_.segments();
    log_.info(
        "serving a log",
        {{"url", url}, {"segments", std::to_string(list->segments.size())}, {"bytes", std::to_string(list->size)}});
    if (!options_.ready_file.empty()) base::write_file_atomically(options_.ready_file, "url=" + url + "\n");
    service_.ready("serving a log");
  }

  io::Task<> stop() {
    service_.stopping("ending");
    co_await copying_.stop();
    co_await server_.stop(logs_.waiting() > 0 ? io::Duration{0} : kGrace);
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
  maintner::SegmentStore store_;
  std::optional<maintner::LogCopier> copier_;
  maintner::LogServer logs_;
  io::RepeatedJob copying_;
  io::BlockingPool pool_;  ///< goes before those who have jobs in it
  std::optional<io::TlsServerContext> tls_;
  io::TcpListener listener_;
  net::Router router_;
  net::Server server_;
  bool stopping_ = false;
  int exit_code_ = 0;
};

Program::Program(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Program::~Program() = default;
int Program::run() { return impl_->run(); }

}  // namespace maintnerd
