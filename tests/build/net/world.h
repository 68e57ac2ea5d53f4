// What the tests of net share: an event loop that is run by hand, a virtual clock, and a bare peer that sends and
// receives bytes.
#pragma once

#include <build/net/client.h>
#include <build/net/server.h>
#include <doctest/doctest.h>
#include <io/byte_stream.h>
#include <io/clock.h>
#include <io/event.h>
#include <io/event_loop.h>

#include <chrono>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace testing {

using namespace std::chrono_literals;

/// The outcome of a task that was started.
struct Outcome {
  bool done = false;
  std::string error;  ///< empty: none
};

inline io::Task<> watch_task(io::Task<> task, std::shared_ptr<Outcome> outcome) {
  try {
    co_await std::move(task);
  } catch (const std::exception& failure) {
    outcome->error = failure.what();
  }
  outcome->done = true;
}

struct World {
  io::EventLoop loop;
  io::VirtualClock clock;

  /// Runs everything that is ready.
  void settle() {
    while (loop.poll() > 0) {
    }
  }
  /// Runs what is ready, also what threads make ready, until `condition` holds; for ten seconds at most.
  template <typename F>
  bool until(F condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{10};
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      settle();
    }
    return true;
  }
  void advance(io::Duration amount) {
    clock.advance(amount, [this] { settle(); });
  }
  std::shared_ptr<Outcome> start(io::Task<> task) {
    auto outcome = std::make_shared<Outcome>();
    io::spawn(loop.executor(), watch_task(std::move(task), outcome), [](std::exception_ptr) {});
    return outcome;
  }
  /// Starts and settles; the task must then have ended, well.
  void run(io::Task<> task) {
    const auto outcome = start(std::move(task));
    settle();
    CHECK(outcome->error == "");
    REQUIRE(outcome->done);
  }
  /// "Date: ..." as answers carry it now.
  std::string date() const {
    return "Date: " + io::http_date(std::chrono::floor<std::chrono::seconds>(clock.wall_now())) + "\r\n";
  }
};

/// The other end of a connection, without a protocol.
class RawPeer {
 public:
  enum class Reads { yes, no };

  RawPeer(World& world, io::StreamPtr stream, Reads reads = Reads::yes) : world_(world), stream_(std::move(stream)) {
    if (reads == Reads::yes) reading_ = world_.start(read_all());
  }
  ~RawPeer() {
    stream_->close();
    world_.settle();
  }

  /// Sends and lets everybody act on it. What does not fit is sent later.
  void send(std::string text) {
    world_.start(write_all(std::move(text)));
    world_.settle();
  }
  void shutdown() { world_.run(stream_->shutdown_write()); }
  void close() {
    stream_->close();
    world_.settle();
  }
  void read() {
    reading_ = world_.start(read_all());
    world_.settle();
  }

  /// Sends for ever, counting what was taken.
  io::Task<> flood(std::size_t& sent) {
    const std::string piece(512, 'x');
    while (true) {
      co_await stream_->write(std::string_view(piece));
      sent += piece.size();
    }
  }

  const std::string& received() const { return received_; }
  std::string take() { return std::exchange(received_, {}); }
  /// The other side has ended the connection.
  bool ended() const { return reading_ && reading_->done; }

 private:
  io::Task<> write_all(std::string text) { co_await stream_->write(std::string_view(text)); }
  io::Task<> read_all() {
    std::string piece(4096, '\0');
    while (true) {
      const std::size_t count = co_await stream_->read_some(boost::asio::buffer(piece));
      if (count == 0) co_return;
      received_.append(piece, 0, count);
    }
  }

  World& world_;
  io::StreamPtr stream_;
  std::string received_;
  std::shared_ptr<Outcome> reading_;
};

/// A server on a virtual clock; each client is one connection in memory.
struct ServerWorld : World {
  explicit ServerWorld(build::net::Handler handler, build::net::ServerLimits limits = {})
      : server(loop.executor(), clock, std::move(handler), limits,
               [this](const std::string& sentence) { log.push_back(sentence); }) {}
  ~ServerWorld() {
    run(server.stop());
    CHECK(server.connections() == 0);
  }

  std::unique_ptr<RawPeer> connect(RawPeer::Reads reads = RawPeer::Reads::yes, std::size_t capacity = 64 * 1024) {
    io::StreamPair pair = io::make_memory_pair(loop.executor(), capacity);
    start(server.serve(std::move(pair.first)));
    return std::make_unique<RawPeer>(*this, std::move(pair.second), reads);
  }
  /// Everything one connection answers to `request`.
  std::string ask(std::string request) {
    auto peer = connect();
    peer->send(std::move(request));
    return peer->take();
  }
  /// The whole answer to `request`, also if a thread makes it.
  std::string answer(const std::string& request) {
    const auto peer = connect();
    peer->send(request);
    const bool head_only = request.starts_with("HEAD ");
    const auto whole = [&] { return is_whole(peer->received(), head_only); };
    CHECK(until(whole));
    return peer->take();
  }
  std::string get(const std::string& target, const std::string& fields = {}) {
    return answer("GET " + target + " HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n");
  }
  static bool is_whole(const std::string& text, bool head_only) {
    const std::size_t end = text.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    const std::string name = "Content-Length: ";
    const std::size_t at = text.find(name);
    if (head_only || at == std::string::npos || at > end) return true;
    return text.size() == end + 4 + std::strtoull(text.c_str() + at + name.size(), nullptr, 10);
  }

  std::vector<std::string> log;
  /// For handlers that wait until they are told: it lives longer than they do.
  io::Event event{loop.executor()};
  build::net::Server server;
};

}  // namespace testing
