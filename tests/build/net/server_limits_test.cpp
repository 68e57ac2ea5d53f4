// Time limits of every phase, on the virtual clock, and limits on numbers.
#include "world.h"

#include <io/event.h>

using namespace build::net;
using testing::RawPeer;
using testing::ServerWorld;
using namespace std::chrono_literals;

namespace {

const std::string kGet = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

io::Task<> greet(Request&, Response& response) { co_await response.send(200, "hello"); }

io::Task<> swallow(Request& request, Response& response) {
  co_await request.body().read_all(1024 * 1024);
  co_await response.send(200, "swallowed");
}

io::Task<> flood(Request&, Response& response) {
  co_await response.start(200);
  const std::string piece(10'000, 'x');
  for (int i = 0; i < 1000; ++i) co_await response.write(piece);
}

}  // namespace

TEST_CASE("a connection that never says a word is closed") {
  ServerWorld world(greet);
  auto peer = world.connect();
  world.advance(9s);
  CHECK_FALSE(peer->ended());
  world.advance(2s);
  CHECK(peer->ended());
  CHECK(peer->received().empty());
}

TEST_CASE("a half-sent head is closed by its time limit") {
  ServerWorld world(greet);
  auto peer = world.connect();
  peer->send("GET / HTTP/1.1\r\nHos");
  world.advance(9s);
  CHECK_FALSE(peer->ended());
  world.advance(2s);
  CHECK(peer->ended());
  CHECK(peer->received().empty());
  CHECK(world.log.size() == 1);
}

TEST_CASE("a head that comes byte by byte has no more time than any other") {
  ServerWorld world(greet);
  auto peer = world.connect();
  const std::string head = "GET / HTTP/1.1\r\nHost: h\r\nX-Slow: " + std::string(100, 'x');
  int seconds = 0;
  for (; seconds < 60 && !peer->ended(); ++seconds) {
    peer->send(head.substr(static_cast<std::size_t>(seconds), 1));
    world.advance(1s);
  }
  CHECK(seconds == 10);
}

TEST_CASE("a half-sent body is closed by its time limit, one that goes on is not") {
  ServerWorld world(swallow);
  for (const std::string framing : {"Content-Length: 100\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n64\r\n"}) {
    CAPTURE(framing);
    auto peer = world.connect();
    peer->send("PUT / HTTP/1.1\r\nHost: h\r\n" + framing + "some");
    for (int i = 0; i < 5; ++i) {
      world.advance(29s);
      CHECK_FALSE(peer->ended());
      peer->send("more");
    }
    world.advance(31s);
    CHECK(peer->ended());
    CHECK(peer->received().empty());
  }
}

TEST_CASE("a body that nobody wants is not waited for without end") {
  ServerWorld world(greet);
  auto peer = world.connect();
  peer->send("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n");
  CHECK(peer->received().ends_with("hello"));
  // Drops keep coming, and still it ends.
  int seconds = 0;
  for (; seconds < 99 && !peer->ended(); ++seconds) {
    peer->send("x");
    world.advance(1s);
  }
  CHECK(seconds == 30);
}

TEST_CASE("a client that does not read its answer is cut off, one that reads slowly is not") {
  ServerWorld world(flood);
  auto idle = world.connect(RawPeer::Reads::no);
  idle->send(kGet);
  CHECK(world.server.connections() == 1);
  world.advance(29s);
  CHECK(world.server.connections() == 1);
  world.advance(2s);
  CHECK(world.server.connections() == 0);

  auto peer = world.connect();
  peer->send(kGet);
  CHECK(peer->received().size() > 10'000'000);
  CHECK(peer->received().ends_with("0\r\n\r\n"));
}

TEST_CASE("a kept connection is closed when it was idle for long") {
  ServerWorld world(greet);
  auto peer = world.connect();
  for (int i = 0; i < 3; ++i) {
    peer->send(kGet);
    CHECK(peer->take().ends_with("hello"));
    world.advance(119s);
    CHECK_FALSE(peer->ended());
  }
  world.advance(2s);
  CHECK(peer->ended());
  CHECK(peer->received().empty());
  CHECK(world.log.empty());
}

TEST_CASE("a client that is refused and goes on sending is listened to for a moment only") {
  ServerWorld world(greet);
  auto peer = world.connect();
  peer->send("GARBAGE\r\n\r\n");
  CHECK(peer->ended());
  peer->send(std::string(1'000'000, 'x'));
  CHECK(world.server.connections() == 1);
  world.advance(1s);
  CHECK(world.server.connections() == 0);
}

TEST_CASE("stop lets a running handler end within the grace, then not") {
  struct Waits {
    static io::Task<> run(io::Event& go_on, Request& request, Response& response) {
      bool gone = false;
      response.on_client_gone([&] {
        gone = true;
        go_on.notify_all();
      });
      if (!gone) co_await go_on.wait();
      co_await response.send(200, "done");
      static_cast<void>(request);
    }
  };
  ServerWorld world([&](Request& request, Response& response) { return Waits::run(world.event, request, response); });
  auto busy = world.connect();
  auto idle = world.connect();
  busy->send(kGet);
  const auto stopped = world.start(world.server.stop(10s));
  world.settle();
  CHECK(idle->ended());
  CHECK_FALSE(busy->ended());
  SUBCASE("in time") {
    world.event.notify_all();
    world.settle();
    CHECK(busy->received().find("Connection: close\r\n") != std::string::npos);
    CHECK(busy->received().ends_with("done"));
    CHECK(stopped->done);
  }
  SUBCASE("too late") {
    world.advance(11s);
    CHECK(busy->ended());
    CHECK(busy->received().empty());
    CHECK(stopped->done);
  }
}
