// A WorkerHub with a farm and a store behind it, on one thread and a virtual clock, reached over streams in memory.
#pragma once

#include <build/coordinator/worker_hub.h>
#include <io/event_loop.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/support.h"

namespace testing {

/// Says of itself that it is encrypted: the hub asks only that.
class SecureStream final : public io::ByteStream {
 public:
  using BeforeWrite = std::function<io::Task<>()>;

  explicit SecureStream(io::StreamPtr inner, BeforeWrite before_write = nullptr, std::string peer = "test")
      : inner_(std::move(inner)), before_write_(std::move(before_write)), peer_(std::move(peer)) {}
  io::Executor executor() override { return inner_->executor(); }
  io::Task<std::size_t> read_some(io::asio::mutable_buffer into) override { return inner_->read_some(into); }
  io::Task<> write(io::asio::const_buffer from) override {
    if (before_write_) co_await before_write_();
    co_await inner_->write(from);
  }
  io::Task<> shutdown_write() override { return inner_->shutdown_write(); }
  void close() noexcept override { inner_->close(); }
  bool secure() const noexcept override { return true; }
  std::string peer() const override { return peer_; }

 private:
  io::StreamPtr inner_;
  BeforeWrite before_write_;
  std::string peer_;
};

class HubWorld {
 public:
  explicit HubWorld(bool allow_dev_key, std::size_t max_sessions = build::coordinator::WorkerHub::kMaxSessions)
      : max_sessions_(max_sessions), trust_{.master_key = "secret", .allow_dev_key = allow_dev_key} {}

  io::VirtualClock clock;  // before the loop, whose tasks may have alarms
  io::EventLoop loop;

 private:
  std::size_t max_sessions_;
  const TempDir directory_;
  build::coordinator::WorkerTrust trust_;
  io::BlockingPool pool_{1};
  build::base::Logger log_{[] { return build::model::Time{}; }, [](std::string_view) {}};
  build::base::SeededRandom random_{1};
  std::unique_ptr<build::store::Store> store_ = build::store::open_sqlite(directory_.path());

 public:
  build::coordinator::FarmLoop farm{loop.executor(),
                                    clock,
                                    pool_,
                                    log_,
                                    *store_,
                                    store_->begin_epoch(),
                                    build::farm::Farm({}, store_->load_open()),
                                    [this](const build::farm::Action& action) { act(action); }};
  build::coordinator::WorkerHub hub{loop.executor(), clock, random_, log_, trust_, farm, max_sessions_};

  /// The client's end of a new connection to the hub's server.
  io::StreamPtr connect(std::string peer = "test") {
    io::StreamPair pair = io::make_memory_pair(loop.executor());
    serve(std::make_unique<SecureStream>(std::move(pair.second), nullptr, std::move(peer)));
    return std::move(pair.first);
  }
  void serve(io::StreamPtr stream) {
    io::spawn(loop.executor(), server_.serve(std::move(stream)), [](std::exception_ptr) {});
  }

  /// Lets the store's thread and the loop exchange what they have for each other.
  io::Task<> breathe() {
    const auto nothing = [] {};
    co_await pool_.run(nothing);
  }

  /// To be awaited before the world goes.
  io::Task<> stop() {
    co_await hub.stop();
    co_await server_.stop();
    farm.stop();
  }

 private:
  void act(const build::farm::Action& action) {
    if (const auto* close = std::get_if<build::farm::CloseSession>(&action)) hub.close(close->session, close->why);
  }
  build::net::Router make_router() {
    build::net::Router router;
    hub.add_routes(router);
    return router;
  }

  build::net::Server server_{loop.executor(), clock, make_router()};
};

}  // namespace testing
