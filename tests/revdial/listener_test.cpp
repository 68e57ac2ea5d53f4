#include <revdial/listener.h>
#include <revdial/switch.h>

#include "harness.h"

#include <deque>
#include <memory>
#include <string>
#include <vector>

using namespace revdial;
using namespace std::chrono_literals;
using testing::World;

namespace {

std::string ready(const std::string& path) { return "{\"command\":\"conn-ready\",\"connPath\":\"" + path + "\"}\n"; }
std::string failed(const std::string& path, const std::string& err) {
  return "{\"command\":\"pickup-failed\",\"connPath\":\"" + path + "\",\"err\":\"" + err + "\"}\n";
}
std::string request(const std::string& path) {
  return "GET " + path + " HTTP/1.1\r\nHost: \r\nUser-Agent: Go-http-client/1.1\r\n\r\n";
}

/// The server that a listener dials: hands out the far ends, or fails, or hangs.
struct Server {
  explicit Server(World& world) : world(world) {}

  enum class Mode { connect, fail, hang };
  io::Task<io::StreamPtr> dial() {
    ++dials;
    if (mode == Mode::fail) throw std::runtime_error("connection refused by test");
    if (mode == Mode::hang) co_await world.clock.sleep_for(1h);
    auto pair = io::make_memory_pair(world.executor());
    connections.push_back(std::make_unique<testing::Peer>(world, std::move(pair.second)));
    co_return std::move(pair.first);
  }

  World& world;
  Mode mode = Mode::connect;
  int dials = 0;
  std::vector<std::unique_ptr<testing::Peer>> connections;
};

/// A Listener whose dialer is the test.
struct Session {
  explicit Session(ListenerOptions options = {})
      : server(world),
        pair(io::make_memory_pair(world.executor())),
        dialer(world, std::move(pair.second)),
        listener(
            std::move(pair.first), [this] { return server.dial(); }, world.clock, options),
        run(world.start(listener.run())) {}

  testing::Running<io::StreamPtr> accept() { return world.start(listener.accept()); }

  World world;
  Server server;
  io::StreamPair pair;
  testing::Peer dialer;
  Listener listener;
  testing::Running<SessionEnd> run;
};

}  // namespace

TEST_CASE("a connection that is ready is picked up and accepted, with what came early") {
  Session session;
  auto accepted = session.accept();
  session.dialer.send("{\"command\":\"keep-alive\"}\n" + ready("/revdial?a=1\\u0026revdial.dialer=0f"));
  REQUIRE(session.server.connections.size() == 1);
  testing::Peer& server = *session.server.connections[0];
  CHECK(server.take() == request("/revdial?a=1&revdial.dialer=0f"));
  CHECK_FALSE(accepted.done());
  server.send(std::string(kSwitchResponse) + "GET /status");
  CHECK(testing::read_ready(session.world, *accepted.value()) == "GET /status");
  CHECK(session.dialer.take() == "");
}

TEST_CASE("several connections are picked up at the same time") {
  Session session;
  session.dialer.send(ready("/1") + ready("/2") + ready("/3"));
  REQUIRE(session.server.connections.size() == 3);
  session.server.connections[2]->send(kSwitchResponse);
  CHECK(session.accept().value() != nullptr);
  session.server.connections[0]->send(kSwitchResponse);
  CHECK(session.accept().value() != nullptr);
}

TEST_CASE("a pick-up that fails is reported with the original's text") {
  Session session;
  SUBCASE("no connection") {
    session.server.mode = Server::Mode::fail;
    session.dialer.send(ready("/p"));
    CHECK(session.dialer.take() == failed("/p", "connection refused by test"));
  }
  SUBCASE("another status") {
    session.dialer.send(ready("/p"));
    session.server.connections[0]->send("HTTP/1.1 400 Bad Request\r\nContent-Length: 15\r\n\r\nunknown dialer\n");
    CHECK(session.dialer.take() ==
          failed("/p", "switch failed: want HTTP status 101 or 307; got 400 Bad Request:\\n\\tunknown dialer\\n"));
    CHECK(session.server.connections[0]->saw_end());
  }
  SUBCASE("two redirects") {
    session.dialer.send(ready("/p"));
    const std::string redirect = "HTTP/1.1 307 T\r\nLocation: /q\r\nContent-Length: 0\r\n\r\n";
    session.server.connections[0]->send(redirect);
    CHECK(session.server.connections[0]->take() == request("/p") + request("/q"));
    session.server.connections[0]->send(redirect);
    CHECK(session.dialer.take() == failed("/p", "too many redirects"));
  }
  SUBCASE("a connection that ends") {
    session.dialer.send(ready("/p"));
    session.server.connections[0]->close();
    CHECK(session.dialer.take() == failed("/p", "switch failed: error reading response: unexpected EOF"));
  }
  SUBCASE("no answer") {
    session.dialer.send(ready("/p"));
    session.world.advance(30s);
    CHECK(session.dialer.take() == failed("/p", "switch failed: no answer within 30 s"));
  }
  SUBCASE("a dial that hangs") {
    session.server.mode = Server::Mode::hang;
    session.dialer.send(ready("/p"));
    session.world.advance(49'999ms);
    CHECK(session.dialer.take() == "");
    session.world.advance(1ms);
    CHECK(session.dialer.take() == failed("/p", "dialing the server took longer than 50 s"));
  }
  SUBCASE("a path that is none") {
    for (const std::string path : {"", "revdial", "/a b", "/a\\r\\nX: y", "/\\u0000", "/ü", "/a#b", "http://x/y"}) {
      CAPTURE(path);
      session.dialer.send(ready(path));
      CHECK(session.dialer.take() ==
            "{\"command\":\"pickup-failed\",\"err\":\"connPath of a conn-ready message is not a path\"}\n");
    }
    session.dialer.send("{\"command\":\"conn-ready\"}\n");
    CHECK(session.dialer.take() ==
          "{\"command\":\"pickup-failed\",\"err\":\"connPath of a conn-ready message is not a path\"}\n");
    CHECK(session.server.dials == 0);
  }
  SUBCASE("a path that is too long to repeat") {
    session.server.mode = Server::Mode::fail;
    std::string path = "/";
    path.append(1500, '&');
    session.dialer.send(ready(path));
    CHECK(session.dialer.take() == "{\"command\":\"pickup-failed\",\"err\":\"connection refused by test\"}\n");
  }
  // None of it ends the session.
  CHECK_FALSE(session.run.done());
  session.server.mode = Server::Mode::connect;
  session.dialer.send(ready("/again"));
  session.server.connections.back()->send(kSwitchResponse);
  CHECK(session.accept().value() != nullptr);
}

TEST_CASE("a text that is too long is cut so that the line stays readable for the original") {
  Session session;
  session.dialer.send(ready("/p"));
  session.server.connections[0]->send("HTTP/1.1 500 X\r\nContent-Length: 9000\r\n\r\n" + std::string(9000, '&'));
  const std::string line = session.dialer.take();
  CHECK(line.size() <= 4096);
  CHECK(line.size() > 4080);
  CHECK(line.ends_with("...\"}\n"));
}

TEST_CASE("at most sixteen pick-ups are under way, the others get their turn, and too many are refused") {
  Session session({.max_pickups = 16, .max_pending = 40});
  std::string requests;
  for (int i = 0; i < 57; ++i) requests += ready("/" + std::to_string(i));
  session.dialer.send(requests);
  CHECK(session.server.connections.size() == 16);
  CHECK(session.dialer.take() == failed("/56", "too many pick-ups wait already"));
  int accepted = 0;
  for (std::size_t i = 0; i < session.server.connections.size(); ++i) {
    session.server.connections[i]->send(kSwitchResponse);
    auto accept = session.accept();
    if (accept.done() && accept.value() != nullptr) ++accepted;
  }
  CHECK(session.server.connections.size() == 56);
  CHECK(accepted == 56);
}

TEST_CASE("connections wait for being accepted, but not more than the queue holds") {
  Session session({.max_pickups = 4, .accept_queue = 2});
  std::string requests;
  for (int i = 0; i < 10; ++i) requests += ready("/" + std::to_string(i));
  session.dialer.send(requests);
  for (std::size_t i = 0; i < session.server.connections.size(); ++i)
    session.server.connections[i]->send(kSwitchResponse);
  // Two in the queue, four that wait for room there.
  CHECK(session.server.connections.size() == 6);
  for (std::size_t i = 0; i < 10; ++i) {
    CHECK(session.accept().value() != nullptr);
    if (i + 6 < session.server.connections.size()) session.server.connections[i + 6]->send(kSwitchResponse);
  }
  CHECK(session.server.connections.size() == 10);
}

TEST_CASE("an accept that is cancelled takes no connection with it") {
  Session session;
  auto cancelled = session.accept();
  cancelled.cancel();
  session.world.settle();
  CHECK(cancelled.was_cancelled());
  session.dialer.send(ready("/p"));
  session.server.connections[0]->send(kSwitchResponse);
  CHECK(session.accept().value() != nullptr);
}

TEST_CASE("a server that is silent for a hundred seconds counts as gone") {
  Session session;
  for (int i = 0; i < 10; ++i) {
    session.world.advance(99s);
    session.dialer.send("{\"command\":\"keep-alive\"}\n");
  }
  session.world.advance(99'999ms);
  CHECK_FALSE(session.run.done());
  session.dialer.send("{\"comm");  // a beginning is no message
  session.world.advance(1ms);
  CHECK(session.run.value().cause == SessionEnd::Cause::peer_silent);
  CHECK(session.run.value().text == "nothing was heard from the server for 100 s");
  CHECK(session.dialer.saw_end());
}

TEST_CASE("a server that says how often it speaks counts as gone when it misses three times") {
  Session session;
  session.dialer.send("{\"command\":\"keep-alive\",\"period\":\"5\"}\n");
  session.world.advance(15s);
  session.dialer.send("{\"command\":\"keep-alive\",\"period\":\"5\"}\n");
  SUBCASE("also when another message came in between") { session.dialer.send("{\"command\":\"dance\"}\n"); }
  SUBCASE("whatever it says after that and is no number") {
    for (const char* period : {"", "0", "-1", "5s", "x", "99999999999"})
      session.dialer.send(std::string("{\"command\":\"keep-alive\",\"period\":\"") + period + "\"}\n");
  }
  session.world.advance(15'999ms);
  CHECK_FALSE(session.run.done());
  session.world.advance(1ms);
  CHECK(session.run.value().cause == SessionEnd::Cause::peer_silent);
  CHECK(session.run.value().text == "nothing was heard from the server for 16 s");
}

TEST_CASE("silence may be allowed for ever") {
  Session session({.silence_limit = 0s});
  session.world.advance(24h);
  CHECK_FALSE(session.run.done());
}

TEST_CASE("the end of the session ends everything that is under way") {
  Session session;
  auto accepted = session.accept();
  session.dialer.send(ready("/p") + ready("/q"));
  session.server.connections[1]->send(kSwitchResponse);
  CHECK(accepted.value() != nullptr);
  session.server.mode = Server::Mode::hang;
  session.dialer.send(ready("/hangs"));
  session.server.mode = Server::Mode::connect;
  session.dialer.send(ready("/queued"));
  session.server.connections.back()->send(kSwitchResponse);

  const auto is_over = [&](SessionEnd::Cause cause) {
    session.world.settle();
    CHECK(session.run.value().cause == cause);
    CHECK(session.listener.closed());
    CHECK(session.accept().value() == nullptr);
    CHECK(session.server.connections[0]->saw_end());
    CHECK_FALSE(session.server.connections[1]->saw_end());  // accepted before: it lives on
    CHECK(session.server.connections[2]->saw_end());
  };
  using Cause = SessionEnd::Cause;
  SUBCASE("closed by the server") {
    session.dialer.end();
    CHECK(session.run.value().text == "the server closed the session");
    is_over(Cause::closed_by_peer);
  }
  SUBCASE("closed here") {
    session.listener.close();
    session.listener.close();
    is_over(Cause::closed_here);
    CHECK(session.dialer.saw_end());
  }
  SUBCASE("bad JSON") {
    session.dialer.send("nonsense\n");
    is_over(Cause::protocol_error);
    CHECK(session.dialer.saw_end());
  }
  SUBCASE("a long line") {
    session.dialer.send("{\"command\":\"" + std::string(4096, 'x'));
    CHECK(session.run.value().text == "a control line is longer than 4096 bytes");
    is_over(Cause::protocol_error);
  }
  SUBCASE("cut inside a line") {
    session.dialer.send("{");
    session.dialer.close();
    is_over(Cause::protocol_error);
  }
}

TEST_CASE("cancelling the session closes it") {
  Session session;
  auto accepted = session.accept();
  session.dialer.send(ready("/p"));
  session.run.cancel();
  session.world.settle();
  CHECK(session.run.was_cancelled());
  CHECK(accepted.value() == nullptr);
  CHECK(session.server.connections[0]->saw_end());
  CHECK(session.dialer.saw_end());
}

TEST_CASE("a server that takes no reports loses the session") {
  World world;
  Server server(world);
  server.mode = Server::Mode::fail;
  auto pair = io::make_memory_pair(world.executor(), 32);
  testing::Peer dialer(world, std::move(pair.second), testing::Peer::Reads::no);
  Listener listener(
      std::move(pair.first), [&] { return server.dial(); }, world.clock);
  auto run = world.start(listener.run());
  dialer.send(ready("/p"));
  world.advance(10s);
  CHECK(run.value().cause == SessionEnd::Cause::peer_silent);
  CHECK(run.value().text == "a control message was not taken by the other side within 10 s");
}

TEST_CASE("a listener may go while its task still ends") {
  World world;
  Server server(world);
  auto pair = io::make_memory_pair(world.executor());
  testing::Peer dialer(world, std::move(pair.second));
  auto listener = std::make_unique<Listener>(
      std::move(pair.first), [&] { return server.dial(); }, world.clock);
  SUBCASE("never run") { listener.reset(); }
  SUBCASE("running") {
    auto run = world.start(listener->run());
    auto accepted = world.start(listener->accept());
    dialer.send(ready("/p"));
    listener.reset();
    world.settle();
    CHECK(run.value().cause == SessionEnd::Cause::closed_here);
    CHECK(accepted.value() == nullptr);
  }
  CHECK(dialer.saw_end());
}

TEST_CASE("a dial function that gives nothing is a failed pick-up") {
  World world;
  auto pair = io::make_memory_pair(world.executor());
  testing::Peer dialer(world, std::move(pair.second));
  Listener listener(
      std::move(pair.first), []() -> io::Task<io::StreamPtr> { co_return nullptr; }, world.clock);
  auto run = world.start(listener.run());
  dialer.send(ready("/p"));
  CHECK(dialer.take() == failed("/p", "dialing the server gave no connection"));
}
