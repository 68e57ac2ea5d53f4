// What a hostile peer may do, and what comes of it: one line each.
#include <revdial/listener.h>
#include <revdial/server.h>
#include <revdial/switch.h>

#include "dialer_lines.h"
#include "harness.h"

#include <boost/asio/post.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

using namespace revdial;
using namespace std::chrono_literals;
using namespace testing;

namespace {

using Cause = SessionEnd::Cause;

std::string many_headers(int count) {
  std::string text;
  text.reserve(static_cast<std::size_t>(count) * 8);
  for (int i = 0; i < count; ++i) text += "A: b\r\n";
  return text;
}

std::string conn_ready_line(std::size_t size) {
  const std::string start = "{\"command\":\"conn-ready\",\"connPath\":\"/", end = "\"}\n";
  return start + std::string(size - start.size() - end.size(), 'a') + end;
}

/// Sends `text` as one byte a second.
void drip(World& world, Peer& peer, const std::string& text, const std::function<bool()>& over) {
  for (std::size_t i = 0; i < text.size() && !over(); ++i) {
    peer.send(text.substr(i, 1));
    world.advance(1s);
  }
}

/// Says of itself that it is encrypted.
class Secure final : public io::ByteStream {
 public:
  explicit Secure(io::StreamPtr inner) : inner_(std::move(inner)) {}
  io::Executor executor() override { return inner_->executor(); }
  io::Task<std::size_t> read_some(io::asio::mutable_buffer into) override { return inner_->read_some(into); }
  io::Task<> write(io::asio::const_buffer from) override { return inner_->write(from); }
  io::Task<> shutdown_write() override { return inner_->shutdown_write(); }
  void close() noexcept override { inner_->close(); }
  bool secure() const noexcept override { return true; }
  std::string peer() const override { return inner_->peer(); }

 private:
  io::StreamPtr inner_;
};

io::CertificatePem identity() {
  return io::make_self_signed("test", {"localhost"}, io::WallTime{}, std::chrono::days{1});
}

/// A Server, and connections to it that are past their handshake.
struct ServerWorld {
  explicit ServerWorld(std::size_t max_sessions = 1000)
      : server(world.executor(), world.clock, tls,
               {.dialer = {.random = [next = std::make_shared<RandomBytes>(counting())](auto bytes) { (*next)(bytes); },
                           .max_ready = 0},
                .admit =
                    [](const io::RequestHead& head) {
                      return head.fields.get("X-Secret") == "s" ? std::string() : std::string("who are you?");
                    },
                .on_session = [this](const io::RequestHead&,
                                     std::shared_ptr<Dialer> dialer) { sessions.push_back(std::move(dialer)); },
                .max_sessions = max_sessions}) {}
  ~ServerWorld() {
    world.start(server.stop());
    world.advance(20s);
  }

  enum class Transport { plain, secure };
  std::unique_ptr<Peer> connect(Transport transport = Transport::secure) {
    auto pair = io::make_memory_pair(world.executor());
    io::StreamPtr served = std::move(pair.second);
    if (transport == Transport::secure) served = std::make_unique<Secure>(std::move(served));
    world.start(server.serve(std::move(served)));
    return std::make_unique<Peer>(world, std::move(pair.first));
  }
  std::string ask(const std::string& bytes, Transport transport = Transport::secure) {
    const auto peer = connect(transport);
    peer->send(bytes);
    return peer->take();
  }
  /// Registers; the control channel's far end.
  std::unique_ptr<Peer> join() {
    auto peer = connect();
    peer->send("GET /reverse HTTP/1.1\r\nHost: \r\nX-Secret: s\r\n\r\n");
    CHECK(peer->take() == std::string(kSwitchResponse) + kKeepAliveLine);
    return peer;
  }

  World world;
  io::TlsServerContext tls{identity()};
  Server server;
  std::vector<std::shared_ptr<Dialer>> sessions;
};

std::string get(const std::string& target, const std::string& more = "") {
  return "GET " + target + " HTTP/1.1\r\nHost: \r\n" + more + "\r\n";
}

std::string status_of(const std::string& answer) { return answer.substr(0, answer.find("\r\n")); }

/// A Dialer and what ended it.
SessionEnd dialer_meets(const std::function<void(World&, Peer&, const std::function<bool()>&)>& hostile) {
  World world;
  Pickups pickups;
  auto pair = io::make_memory_pair(world.executor());
  Peer listener(world, std::move(pair.second));
  Dialer dialer(std::move(pair.first), world.clock, pickups, {.random = counting(), .max_ready = 0});
  auto run = world.start(dialer.run());
  auto dial = world.start(dialer.dial(24h));
  hostile(world, listener, [&] { return run.done(); });
  REQUIRE(run.done());
  CHECK(dial.error() == "revdial.Dialer closed");
  CHECK(pickups.size() == 0);
  CHECK(listener.saw_end());
  return run.value();
}

SessionEnd listener_meets(const std::function<void(World&, Peer&, const std::function<bool()>&)>& hostile) {
  World world;
  auto pair = io::make_memory_pair(world.executor());
  Peer dialer(world, std::move(pair.second));
  Listener listener(
      std::move(pair.first), []() -> io::Task<io::StreamPtr> { throw std::runtime_error("no way"); }, world.clock);
  auto run = world.start(listener.run());
  auto accept = world.start(listener.accept());
  hostile(world, dialer, [&] { return run.done(); });
  REQUIRE(run.done());
  CHECK(accept.value() == nullptr);
  CHECK(dialer.saw_end());
  return run.value();
}

/// What a client makes of an answer to its request for a switch.
std::string switch_meets(const std::string& answer) {
  World world;
  auto pair = io::make_memory_pair(world.executor());
  Peer server(world, std::move(pair.second));
  auto client = world.start(switch_protocols(std::move(pair.first), switch_request("/reverse"), world.clock, 30s));
  server.send(answer);
  server.end();
  CHECK(server.saw_end());
  return client.error();
}

}  // namespace

TEST_CASE("a control channel ends, with a cause that is told, whatever its peer does") {
  struct Case {
    const char* name;
    std::function<void(World&, Peer&, const std::function<bool()>&)> hostile;
    Cause dialers, listeners;
  };
  using Over = std::function<bool()>;
  const std::string line = "{\"command\":\"keep-alive\"}\n";
  const std::vector<Case> cases{
      {"half-close", [](World&, Peer& peer, const Over&) { peer.end(); }, Cause::closed_by_peer, Cause::closed_by_peer},
      {"a line of 4,097 bytes", [](World&, Peer& peer, const Over&) { peer.send(conn_ready_line(4097)); },
       Cause::protocol_error, Cause::protocol_error},
      {"4,096 bytes without an end", [](World&, Peer& peer, const Over&) { peer.send(std::string(4096, '{')); },
       Cause::protocol_error, Cause::protocol_error},
      {"a long line, one byte a second",
       [](World& world, Peer& peer, const Over& over) { drip(world, peer, conn_ready_line(4097), over); },
       Cause::protocol_error, Cause::peer_silent},
      {"no JSON", [](World&, Peer& peer, const Over&) { peer.send("GET / HTTP/1.1\r\n"); }, Cause::protocol_error,
       Cause::protocol_error},
      {"a NUL byte", [](World&, Peer& peer, const Over&) { peer.send(std::string("{}\0\n", 4)); },
       Cause::protocol_error, Cause::protocol_error},
      {"nesting", [](World&, Peer& peer, const Over&) { peer.send(std::string(4095, '[') + "\n"); },
       Cause::protocol_error, Cause::protocol_error},
      {"an end and nothing before it for an hour",
       [](World& world, Peer& peer, const Over&) {
         world.advance(1h);
         peer.end();
       },
       Cause::closed_by_peer, Cause::peer_silent},
      {"an end inside of a line",
       [](World&, Peer& peer, const Over&) {
         peer.send("{\"command\"");
         peer.end();
       },
       Cause::protocol_error, Cause::protocol_error},
  };
  for (const Case& each : cases) {
    CAPTURE(each.name);
    CHECK(dialer_meets(each.hostile).cause == each.dialers);
    CHECK(listener_meets(each.hostile).cause == each.listeners);
  }
}

TEST_CASE("whole lines may come one byte a second, and 4,096 bytes are a line") {
  World world;
  auto pair = io::make_memory_pair(world.executor());
  Peer dialer(world, std::move(pair.second));
  Listener listener(
      std::move(pair.first), []() -> io::Task<io::StreamPtr> { throw std::runtime_error("no way"); }, world.clock);
  auto run = world.start(listener.run());
  for (int i = 0; i < 20; ++i) drip(world, dialer, kKeepAliveLine, [&] { return run.done(); });
  CHECK_FALSE(run.done());
  dialer.send(conn_ready_line(4096));  // its path is too long for us
  CHECK(dialer.take().find("is not a path") != std::string::npos);
  CHECK_FALSE(run.done());
}

TEST_CASE("an answer to a pick-up that is hostile is a sentence") {
  struct Case {
    const char* name;
    std::string answer, error;
  };
  const std::string million = many_headers(1'000'000);
  const std::vector<Case> cases{
      {"10^6 headers", "HTTP/1.1 101 X\r\n" + million + "\r\n", "error reading response: "},
      {"10^6 headers of a refusal", "HTTP/1.1 400 X\r\n" + million + "\r\n", "error reading response: "},
      {"Content-Length and Transfer-Encoding",
       "HTTP/1.1 400 X\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
       "want HTTP status 101 or 307; got 400 X:\n\t("},
      {"two lengths of a redirect",
       "HTTP/1.1 307 X\r\nLocation: /x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
       "error reading response: "},
      {"xchunked", "HTTP/1.1 400 X\r\nTransfer-Encoding: xchunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
       "want HTTP status 101 or 307; got 400 X:\n\t("},
      {"xchunked redirect",
       "HTTP/1.1 307 X\r\nLocation: /x\r\nTransfer-Encoding: xchunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
       "error reading response: "},
      {"a bare LF", "HTTP/1.1 101 X\n\n", "error reading response: "},
      {"no HTTP", "SSH-2.0-x\r\n\r\n", "error reading response: "},
      {"an end in the head", "HTTP/1.1 101 X\r\n", "error reading response: unexpected EOF"},
      {"nothing", "", "error reading response: unexpected EOF"},
  };
  for (const Case& each : cases) {
    CAPTURE(each.name);
    const std::string error = switch_meets(each.answer);
    CAPTURE(error);
    CHECK(error.starts_with(each.error));
    CHECK(error.size() < 1024);
  }
}

TEST_CASE("an answer that comes one byte a second comes too late") {
  World world;
  auto pair = io::make_memory_pair(world.executor());
  Peer server(world, std::move(pair.second));
  auto client = world.start(switch_protocols(std::move(pair.first), switch_request("/reverse"), world.clock, 30s));
  drip(world, server, std::string(kSwitchResponse), [&] { return client.done(); });
  CHECK(client.error() == "no answer within 30 s");
  CHECK(server.saw_end());
}

TEST_CASE("a request to the server that is hostile gets a status and no more") {
  struct Case {
    const char* name;
    std::string request, status;
  };
  const std::vector<Case> cases{
      {"10^6 headers", get("/reverse", many_headers(1'000'000)), "HTTP/1.1 431 Request Header Fields Too Large"},
      {"Content-Length and Transfer-Encoding",
       get("/reverse", "X-Secret: s\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n"),
       "HTTP/1.1 400 Bad Request"},
      {"xchunked", get("/reverse", "X-Secret: s\r\nTransfer-Encoding: xchunked\r\n"), "HTTP/1.1 501 Not Implemented"},
      {"a body", get("/reverse", "X-Secret: s\r\nContent-Length: 3\r\n") + "abc",
       "HTTP/1.1 413 Request Entity Too Large"},
      {"no secret", get("/reverse"), "HTTP/1.1 403 Forbidden"},
      {"another method", "POST /reverse HTTP/1.1\r\nHost: \r\n\r\n", "HTTP/1.1 405 Method Not Allowed"},
      {"another path", get("/"), "HTTP/1.1 404 Not Found"},
      {"a pick-up by another method", "POST /revdial HTTP/1.1\r\nHost: \r\n\r\n", "HTTP/1.1 405 Method Not Allowed"},
      {"a token that is none", get("/revdial?revdial.dialer=x"), "HTTP/1.1 400 Bad Request"},
      {"a token that was never given", get("/revdial?revdial.dialer=" + token(7)), "HTTP/1.1 400 Bad Request"},
      {"no token", get("/revdial"), "HTTP/1.1 400 Bad Request"},
      {"a bare LF", "GET / HTTP/1.1\n\n", "HTTP/1.1 400 Bad Request"},
      {"HTTP/2", "PRI * HTTP/2.0\r\n\r\n", "HTTP/1.1 505 HTTP Version Not Supported"},
  };
  for (const Case& each : cases) {
    CAPTURE(each.name);
    ServerWorld world;
    CHECK(status_of(world.ask(each.request)) == each.status);
    CHECK(world.sessions.empty());
  }
  ServerWorld world;
  CHECK(status_of(world.ask(get("/reverse", "X-Secret: s\r\n"), ServerWorld::Transport::plain)) ==
        "HTTP/1.1 500 Internal Server Error");
  CHECK(status_of(world.ask(get("/revdial"), ServerWorld::Transport::plain)) == "HTTP/1.1 500 Internal Server Error");
}

TEST_CASE("a request that comes one byte a second is not waited for") {
  ServerWorld world;
  const auto peer = world.connect();
  drip(world.world, *peer, get("/reverse", "X-Secret: s\r\n"), [&] { return peer->saw_end(); });
  CHECK(peer->saw_end());
  CHECK(peer->take() == "");
  CHECK(world.sessions.empty());
}

TEST_CASE("a client that does not read its refusal is not waited for") {
  ServerWorld world;
  auto pair = io::make_memory_pair(world.world.executor(), 16);
  world.world.start(world.server.serve(std::make_unique<Secure>(std::move(pair.second))));
  Peer peer(world.world, std::move(pair.first), Peer::Reads::no);
  peer.send(get("/"));
  world.world.advance(10s);
  world.world.start(world.server.stop());  // would wait for ever
}

TEST_CASE("a token serves one pick-up, of its own session, whoever comes with it") {
  ServerWorld world;
  const auto first = world.join(), second = world.join();
  REQUIRE(world.sessions.size() == 2);
  auto dial = world.world.start(world.sessions[1]->dial(60s)), other = world.world.start(world.sessions[0]->dial(60s));
  CHECK(second->take().find(token(0)) != std::string::npos);
  CHECK(first->take().find(token(1)) != std::string::npos);
  // The first session's worker has seen only its own token; it cannot fail the other's dial.
  first->send(failure("not mine", 0));
  CHECK_FALSE(dial.done());
  const auto pickup = world.connect();
  pickup->send(get("/revdial?revdial.dialer=" + token(0)));
  CHECK(pickup->take() == kSwitchResponse);
  CHECK(dial.done());
  CHECK_FALSE(other.done());
  CHECK(status_of(world.ask(get("/revdial?revdial.dialer=" + token(0)))) == "HTTP/1.1 400 Bad Request");
  pickup->send("hello");
  CHECK(read_ready(world.world, *dial.value()) == "hello");
  // With the session its tokens go.
  world.sessions[0]->close();
  world.world.settle();
  CHECK(status_of(world.ask(get("/revdial?revdial.dialer=" + token(1)))) == "HTTP/1.1 400 Bad Request");
}

TEST_CASE("what comes right behind a request belongs to the connection") {
  ServerWorld world;
  const auto control = world.join();
  auto dial = world.world.start(world.sessions[0]->dial(60s));
  const auto pickup = world.connect();
  pickup->send(get("/revdial?revdial.dialer=" + token(0)) + "early");
  CHECK(read_ready(world.world, *dial.value()) == "early");
}

TEST_CASE("sessions beyond the limit are refused, and one that ends makes room") {
  ServerWorld world(1);
  const auto control = world.join();
  CHECK(status_of(world.ask(get("/reverse", "X-Secret: s\r\n"))) == "HTTP/1.1 503 Service Unavailable");
  control->close();
  CHECK(world.server.sessions() == 0);
  world.join();
}

namespace {

/// Leaps: whatever is due in between is called afterwards, all at once, as after a machine's sleep.
class LeapingClock final : public io::Clock {
 public:
  io::Instant now() const override { return now_; }
  io::WallTime wall_now() const override { return wall_; }
  io::Alarm call_at(io::Executor executor, io::Instant when, std::function<void()> callback) override {
    auto state = std::make_shared<State>();
    state->executor = std::move(executor);
    state->callback = std::move(callback);
    alarms_.emplace(when, state);
    return io::Alarm(state);
  }
  void leap(io::Duration time) {
    now_ += time;
    const auto due = alarms_.upper_bound(now_);
    for (auto alarm = alarms_.begin(); alarm != due; ++alarm) {
      io::asio::post(alarm->second->executor, [state = alarm->second] {
        if (const auto callback = std::exchange(state->callback, nullptr)) callback();
      });
    }
    alarms_.erase(alarms_.begin(), due);
  }
  void set_wall(io::WallTime time) { wall_ = time; }

 private:
  struct State final : io::Alarm::State {
    void cancel() noexcept override { callback = nullptr; }
    io::Executor executor;
    std::function<void()> callback;
  };
  io::Instant now_{};
  io::WallTime wall_{std::chrono::hours{24 * 365 * 50}};
  std::multimap<io::Instant, std::shared_ptr<State>> alarms_;
};

}  // namespace

TEST_CASE("a clock that leaps ends what was to end meanwhile, once, and nothing else") {
  World world;
  LeapingClock clock;
  Pickups pickups;
  auto pair = io::make_memory_pair(world.executor());
  Peer listener(world, std::move(pair.second));
  Dialer dialer(std::move(pair.first), clock, pickups, {.random = counting()});
  auto run = world.start(dialer.run());
  CHECK(listener.take() == kKeepAliveLine);
  auto short_dial = world.start(dialer.dial(10s)), long_dial = world.start(dialer.dial(24h));
  listener.take();
  clock.leap(1h);
  CHECK(listener.take() == kKeepAliveLine);  // one, not a hundred and twenty
  CHECK(short_dial.error() == "revdial: no connection from memory within 10 s");
  CHECK_FALSE(long_dial.done());
  CHECK_FALSE(run.done());
  // The listener has heard nothing for an hour, as far as it knows; it cannot tell this from a dead server.
  auto other = io::make_memory_pair(world.executor());
  Peer server(world, std::move(other.second));
  Listener sleeper(
      std::move(other.first), []() -> io::Task<io::StreamPtr> { co_return nullptr; }, clock);
  auto sleep = world.start(sleeper.run());
  clock.leap(1h);
  world.settle();
  CHECK(sleep.value().cause == Cause::peer_silent);
  // The calendar may say what it likes.
  clock.set_wall({});
  clock.set_wall(io::WallTime{std::chrono::hours{24 * 365 * 500}});
  clock.leap(29s);
  world.settle();
  CHECK_FALSE(run.done());
  run.cancel();
  clock.leap(10s);
  world.settle();
  CHECK(run.done());
}
