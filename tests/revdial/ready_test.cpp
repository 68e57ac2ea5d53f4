#include <revdial/dialer.h>

#include "dialer_lines.h"
#include "harness.h"

#include <array>
#include <memory>
#include <string>
#include <vector>

using namespace revdial;
using namespace std::chrono_literals;
using namespace testing;

namespace {

/// A Dialer whose listener picks up whatever it is asked for, unless it is told not to.
class Session {
 public:
  explicit Session(std::size_t max_ready = 4) : Session(DialerOptions{.random = counting(), .max_ready = max_ready}) {}
  explicit Session(DialerOptions options)
      : pair_(io::make_memory_pair(world.executor())),
        listener(world, std::move(pair_.second)),
        dialer(std::move(pair_.first), world.clock, pickups, std::move(options)),
        run(world.start(dialer.run())) {}

  /// Does all that was asked for: `fails` reports it as failed instead.
  void pick_up(bool fails = false) {
    asked_ += listener.take();
    for (std::size_t at; (at = asked_.find("revdial.dialer=")) != std::string::npos;) {
      const std::string token = asked_.substr(at + 15, kTokenDigits);
      asked_.erase(0, at + 15);
      ++asked;
      if (fails) {
        listener.send(failure("no", "/revdial?revdial.dialer=" + token));
        continue;
      }
      auto connection = io::make_memory_pair(world.executor());
      workers.push_back(std::make_unique<Peer>(world, std::move(connection.second)));
      pickups.offer(token, std::move(connection.first));
      world.settle();
    }
  }
  /// Lets a moment pass, and the listener do what is asked of it in it.
  void pass(io::Duration time = 10ms) {
    world.advance(time);
    pick_up();
  }
  Running<Dialed> dial(DialOptions options = {}) { return world.start(dialer.dial(options)); }
  /// A dial that has its connection when this returns.
  Dialed dial_now(DialOptions options = {}) {
    auto dialing = dial(options);
    if (!dialing.done()) pick_up();
    return std::move(dialing.value());
  }

  World world;
  Pickups pickups;

 private:
  io::StreamPair pair_;
  std::string asked_;

 public:
  Peer listener;
  Dialer dialer;
  Running<SessionEnd> run;
  std::vector<std::unique_ptr<Peer>> workers;  ///< the far ends, in the order in which they were picked up
  int asked = 0;
};

}  // namespace

TEST_CASE("no connection is made before somebody dials") {
  Session session;
  session.pass(10min);
  CHECK(session.asked == 0);
  CHECK(session.dialer.ready() == 0);
}

TEST_CASE("after a first dial the next one finds a connection that is ready") {
  Session session;
  CHECK_FALSE(session.dial_now().was_ready);
  CHECK(session.asked == 1);
  session.pass();
  CHECK(session.asked == 2);
  CHECK(session.dialer.ready() == 1);

  auto dialing = session.dial();
  REQUIRE(dialing.done());
  CHECK(dialing.value().was_ready);
  session.workers[1]->send("hello");
  CHECK(read_ready(session.world, *dialing.value().stream) == "hello");
  session.workers[1]->send("again");
  CHECK(read_ready(session.world, *dialing.value().stream) == "again");
  session.pass();
  CHECK(session.dialer.ready() == 1);
}

TEST_CASE("a connection that is ready is replaced only when the request of the dial that took it is on its way") {
  Session session;
  session.dial_now();
  session.pass();
  session.listener.take();
  Dialed dialed = session.dial_now();
  CHECK(dialed.was_ready);
  session.world.advance(4ms);
  CHECK(session.listener.take() == "");
  session.world.advance(1ms);
  CHECK(session.listener.take() == ready_line(2) + kKeepAliveLine);
}

TEST_CASE("who insists on a fresh connection gets one") {
  Session session;
  session.dial_now();
  session.pass();
  CHECK_FALSE(session.dial_now({.source = DialOptions::Source::fresh}).was_ready);
  CHECK(session.dialer.ready() == 1);
}

TEST_CASE("as many are ready as were missing, and never more than allowed") {
  Session session(3);
  std::vector<Running<Dialed>> dials;
  for (int i = 0; i < 5; ++i) dials.push_back(session.dial());
  session.pick_up();
  for (auto& dial : dials) CHECK(dial.done());
  for (int i = 0; i < 10; ++i) session.pass();
  CHECK(session.dialer.ready() == 3);
  CHECK(session.asked == 8);
  for (int i = 0; i < 3; ++i) CHECK(session.dial_now().was_ready);
  CHECK_FALSE(session.dial_now().was_ready);
}

TEST_CASE("those that nobody needed are closed after a while, and when nobody dials there are none") {
  Session session;
  {
    std::vector<Running<Dialed>> dials;
    for (int i = 0; i < 4; ++i) dials.push_back(session.dial());
    session.pick_up();
  }
  for (int i = 0; i < 5; ++i) session.pass();
  REQUIRE(session.dialer.ready() == 4);
  // From now on one dial every 15 s: for that, one is enough.
  for (int i = 0; i < 20; ++i) {
    session.pass(15s);
    CHECK(session.dial_now().was_ready);
    session.pass();
    if (i >= 8) CHECK(session.dialer.ready() == 1);
  }
  session.pass(120s);
  CHECK(session.dialer.ready() == 0);
  for (const auto& worker : session.workers) CHECK(worker->saw_end());
  const int asked = session.asked;
  session.pass(1h);
  CHECK(session.asked == asked);
}

TEST_CASE("no connection is ready for longer than two periods") {
  Session session;
  io::Instant oldest = session.world.clock.now();
  session.dial_now();
  for (int i = 0; i < 500; ++i) {
    session.pass(1s);
    if (i % 50 == 0) {
      session.dial_now();
      oldest = session.world.clock.now();  // the one that was ready before it is gone
    }
    if (session.dialer.ready() > 0) CHECK(session.world.clock.now() - oldest <= 120s);
  }
}

TEST_CASE("one that the worker has ended is thrown away and replaced after a pause that grows") {
  Session session;
  session.dial_now();
  session.pass();
  REQUIRE(session.dialer.ready() == 1);
  session.workers.back()->end();
  CHECK(session.dialer.ready() == 0);
  CHECK(session.workers.back()->saw_end());
  session.pass(999ms);
  CHECK(session.dialer.ready() == 0);
  session.pass(2ms);
  CHECK(session.dialer.ready() == 1);
  session.workers.back()->close();
  session.pass(1999ms);
  CHECK(session.dialer.ready() == 0);
  session.pass(2ms);
  CHECK(session.dialer.ready() == 1);
  // A dial in between gets one of its own.
  session.workers.back()->close();
  CHECK_FALSE(session.dial_now().was_ready);
}

TEST_CASE("a worker that picks up nothing for keeping is asked ever less often") {
  Session session;
  session.dial_now();
  session.world.advance(10ms);
  int asked = 0;
  for (int i = 0; i < 50; ++i) {
    session.pick_up(true);
    asked = session.asked;
    session.world.advance(1s);
  }
  CHECK(asked >= 5);
  CHECK(asked <= 9);
  CHECK_FALSE(session.run.done());
}

TEST_CASE("an end that goes unnoticed until the dial is told apart by its caller") {
  Session session;
  session.dial_now();
  session.pass();
  Dialed dialed = session.dial_now();
  session.workers.back()->close();
  CHECK(dialed.was_ready);
  CHECK(read_ready(session.world, *dialed.stream) == "");  // an end, and nothing came before it
  CHECK_FALSE(session.dial_now({.source = DialOptions::Source::fresh}).was_ready);
}

TEST_CASE("what a worker says before it is asked is kept, and a worker that talks without end is not listened to") {
  Session session;
  session.dial_now();
  session.pass();
  session.workers.back()->send("SSH-2.0-");
  CHECK(session.dialer.ready() == 1);
  session.workers.back()->send("x\r\n");
  Dialed dialed = session.dial_now();
  CHECK(dialed.was_ready);
  CHECK(read_ready(session.world, *dialed.stream) == "SSH-2.0-x\r\n");
  session.workers.back()->send("more");
  CHECK(read_ready(session.world, *dialed.stream) == "more");

  session.pass();
  const std::string much(100'000, 'm');
  session.workers.back()->send(much);
  dialed = session.dial_now();
  CHECK(dialed.was_ready);
  std::string got;
  while (got.size() < much.size()) got += read_ready(session.world, *dialed.stream);
  CHECK(got == much);
}

TEST_CASE("a worker that says something and ends is not ready") {
  Session session;
  session.dial_now();
  session.pass();
  session.workers.back()->send("HTTP/1.1 408 Request Timeout\r\n\r\n");
  session.workers.back()->end();
  CHECK(session.dialer.ready() == 0);
}

TEST_CASE("each way of a connection that was ready ends by itself") {
  Session session;
  session.dial_now();
  session.pass();
  Dialed dialed = session.dial_now();
  REQUIRE(dialed.was_ready);
  session.world.start(dialed.stream->shutdown_write());
  CHECK(session.workers.back()->saw_end());
  session.workers.back()->send("still here");
  CHECK(read_ready(session.world, *dialed.stream) == "still here");
  session.workers.back()->end();
  CHECK(read_ready(session.world, *dialed.stream) == "");
}

TEST_CASE("a read of a connection that was ready can be cancelled, and loses nothing") {
  Session session;
  session.dial_now();
  session.pass();
  Dialed dialed = session.dial_now();
  REQUIRE(dialed.was_ready);
  std::array<char, 16> piece;
  auto read = session.world.start(dialed.stream->read_some(io::asio::buffer(piece)));
  read.cancel();
  session.world.settle();
  CHECK(read.was_cancelled());
  session.workers.back()->send("here");
  CHECK(read_ready(session.world, *dialed.stream) == "here");
  read = session.world.start(dialed.stream->read_some(io::asio::buffer(piece)));
  dialed.stream->close();
  session.world.settle();
  CHECK(read.was_cancelled());
  CHECK(session.workers.back()->saw_end());
}

TEST_CASE("a connection that was to be kept serves the dial that waits, whose own is kept instead") {
  Session session;
  session.dial_now();
  session.world.advance(10ms);
  const std::string asked = session.listener.take();  // to be kept; on its way
  CHECK(asked.find(token(1)) != std::string::npos);
  auto dialing = session.dial();
  auto connection = io::make_memory_pair(session.world.executor());
  CHECK(session.pickups.offer(token(1), std::move(connection.first)) == PickupResult::taken);
  session.world.settle();
  CHECK(dialing.done());
  CHECK_FALSE(dialing.value().was_ready);
  connection = io::make_memory_pair(session.world.executor());
  CHECK(session.pickups.offer(token(2), std::move(connection.first)) == PickupResult::kept);
  CHECK(session.dialer.ready() == 1);
}

TEST_CASE("a failure of a pick-up that was to be kept fails no dial") {
  Session session;
  session.dial_now();
  session.world.advance(10ms);
  auto dialing = session.dial();
  session.listener.send(failure("not for you", 1));
  session.listener.send(failure("whose?", ""));
  CHECK(dialing.done());  // only one is left that it can mean
  auto next = session.dial();
  session.listener.send(failure("late", 1));
  CHECK_FALSE(next.done());
}

TEST_CASE("the end of the session closes what is ready") {
  Session session;
  session.dial_now();
  session.pass();
  SUBCASE("closed here") { session.dialer.close(); }
  SUBCASE("closed by the listener") { session.listener.end(); }
  SUBCASE("cancelled") { session.run.cancel(); }
  session.world.settle();
  CHECK(session.run.done());
  CHECK(session.dialer.ready() == 0);
  CHECK(session.workers.back()->saw_end());
  CHECK(session.pickups.size() == 0);
  CHECK(session.world.start(session.dialer.dial(1s)).error() == "revdial.Dialer closed");
  session.world.advance(10min);
}

TEST_CASE("a token expires: that of a dial that gave up, and that of a connection to be kept") {
  Session session;
  {
    auto dialing = session.dial({.limit = 1s});
    session.world.advance(1s);
    CHECK(dialing.done());
  }
  CHECK(session.pickups.knows(token(0)));
  session.world.advance(89s);
  CHECK(session.pickups.knows(token(0)));
  session.world.advance(2s);
  CHECK_FALSE(session.pickups.knows(token(0)));
  auto connection = io::make_memory_pair(session.world.executor());
  CHECK(session.pickups.offer(token(0), std::move(connection.first)) == PickupResult::unknown_token);
}
