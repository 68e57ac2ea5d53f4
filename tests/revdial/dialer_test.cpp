#include <revdial/dialer.h>

#include "dialer_lines.h"
#include "harness.h"

#include <string>
#include <vector>

using namespace revdial;
using namespace std::chrono_literals;
using namespace testing;

namespace {

/// Each dial shall have to wait for its own connection (ready_test.cpp has the others).
DialerOptions without_ready(DialerOptions options) {
  options.max_ready = 0;
  return options;
}

/// A Dialer whose listener is the test.
struct Session {
  explicit Session(std::size_t capacity = 64 * 1024, testing::Peer::Reads reads = testing::Peer::Reads::yes,
                   DialerOptions options = {.random = counting()})
      : pair(io::make_memory_pair(world.executor(), capacity)),
        listener(world, std::move(pair.second), reads),
        dialer(std::move(pair.first), world.clock, pickups, without_ready(std::move(options))),
        run(world.start(dialer.run())) {}

  testing::Running<io::StreamPtr> dial(io::Duration limit = 60s) { return world.start(dialer.dial(limit)); }
  /// The listener picks the `number`th connection up; `far` gets its other end.
  PickupResult pick_up(int number, io::StreamPtr* far = nullptr) {
    auto connection = io::make_memory_pair(world.executor());
    const PickupResult result = pickups.offer(token(number), std::move(connection.first));
    world.settle();
    if (far != nullptr) *far = std::move(connection.second);
    return result;
  }

  World world;
  Pickups pickups;
  io::StreamPair pair;
  testing::Peer listener;
  Dialer dialer;
  testing::Running<SessionEnd> run;
};

}  // namespace

TEST_CASE("keep-alives say how soon the next one comes, where that is asked for") {
  Session session(64 * 1024, testing::Peer::Reads::yes,
                  {.random = counting(), .keep_alive = 4500ms, .announce_keep_alive = true});
  const std::string line = "{\"command\":\"keep-alive\",\"period\":\"5\"}\n";
  CHECK(session.listener.take() == line);
  session.world.advance(4499ms);
  CHECK(session.listener.take() == "");
  session.world.advance(1ms);
  CHECK(session.listener.take() == line);
}

TEST_CASE("when keep-alives are to come more or less often the listener is told at once") {
  Session session(64 * 1024, testing::Peer::Reads::yes,
                  {.random = counting(), .keep_alive = 15s, .announce_keep_alive = true});
  session.listener.take();
  for (const int seconds : {5, 15}) {
    session.world.advance(1s);
    session.dialer.set_keep_alive(std::chrono::seconds{seconds});
    session.world.settle();
    const std::string line = "{\"command\":\"keep-alive\",\"period\":\"" + std::to_string(seconds) + "\"}\n";
    CHECK(session.listener.take() == line);
    session.world.advance(std::chrono::seconds{seconds} - 1ms);
    CHECK(session.listener.take() == "");
    session.world.advance(1ms);
    CHECK(session.listener.take() == line);
  }
}

TEST_CASE("sessions that began at different times send their keep-alives at the same") {
  Session session(64 * 1024, testing::Peer::Reads::yes, {.random = counting(), .keep_alive = 15s});
  session.world.advance(100ms);
  session.dialer.set_keep_alive(15s);
  session.world.settle();
  CHECK(session.listener.take() == std::string(kKeepAliveLine) + std::string(kKeepAliveLine));
  // Not 15 seconds later, which is 100 ms behind a quarter of a second.
  session.world.advance(14'899ms);
  CHECK(session.listener.take() == "");
  session.world.advance(1ms);
  CHECK(session.listener.take() == kKeepAliveLine);
}

TEST_CASE("a keep-alive is sent at once and then thirty seconds after the last control message") {
  Session session;
  CHECK(session.listener.take() == kKeepAliveLine);
  session.world.advance(29'999ms);
  CHECK(session.listener.take() == "");
  session.world.advance(1ms);
  CHECK(session.listener.take() == kKeepAliveLine);

  session.world.advance(10s);
  auto dial = session.dial();
  CHECK(session.listener.take() == ready_line(0) + kKeepAliveLine);
  session.world.advance(29'999ms);
  CHECK(session.listener.take() == "");
  session.world.advance(1ms);
  CHECK(session.listener.take() == kKeepAliveLine);
  session.world.advance(300s);
  std::string ten;
  for (int i = 0; i < 10; ++i) ten += kKeepAliveLine;
  CHECK(session.listener.take() == ten);
  CHECK_FALSE(session.run.done());
}

TEST_CASE("a dial gets the connection that is picked up") {
  Session session;
  auto dial = session.dial();
  CHECK(session.dialer.waiting() == 1);
  CHECK_FALSE(dial.done());
  io::StreamPtr far;
  CHECK(session.pick_up(0, &far) == PickupResult::taken);
  testing::Peer worker(session.world, std::move(far));
  worker.send("hello");
  CHECK(testing::read_ready(session.world, *dial.value()) == "hello");
  CHECK(session.dialer.waiting() == 0);
}

TEST_CASE("a path with a query gets the token as one more parameter") {
  Session session(64 * 1024, testing::Peer::Reads::yes, {.random = counting(), .conn_path = "/revdial?a=<1>"});
  auto dial = session.dial();
  CHECK(session.listener.take() ==
        std::string(kKeepAliveLine) +
            "{\"command\":\"conn-ready\",\"connPath\":\"/revdial?a=\\u003c1\\u003e\\u0026revdial.dialer=" + token(0) +
            "\"}\n" + kKeepAliveLine);
}

TEST_CASE("a dialer is not made with a path that cannot work or without random bytes") {
  World world;
  Pickups pickups;
  const auto make = [&](DialerOptions options) {
    auto pair = io::make_memory_pair(world.executor());
    Dialer dialer(std::move(pair.first), world.clock, pickups, std::move(options));
  };
  CHECK_THROWS_AS(make({}), std::invalid_argument);
  CHECK_THROWS_AS(make({.random = counting(), .conn_path = "revdial"}), std::invalid_argument);
  CHECK_THROWS_AS(make({.random = counting(), .conn_path = "/a b"}), std::invalid_argument);
  CHECK_THROWS_AS(make({.random = counting(), .conn_path = "/" + std::string(600, 'a')}), std::invalid_argument);
  CHECK(pickups.size() == 0);
  make({.random = counting()});
  CHECK(pickups.size() == 0);
}

TEST_CASE("dials are asked for in the order they came, and each gets its own connection") {
  Session session;
  std::vector<testing::Running<io::StreamPtr>> dials;
  for (int i = 0; i < 3; ++i) dials.push_back(session.dial());
  CHECK(session.listener.take() == kKeepAliveLine + ready_line(0) + kKeepAliveLine + ready_line(1) + kKeepAliveLine +
                                       ready_line(2) + kKeepAliveLine);
  session.listener.send(failure("no", 1));
  CHECK(dials[1].error() == "revdial listener failed to pick up connection: no");
  CHECK(session.pick_up(2) == PickupResult::taken);
  CHECK(dials[2].value() != nullptr);
  CHECK_FALSE(dials[0].done());
  CHECK(session.pick_up(1) == PickupResult::unknown_token);
  CHECK(session.pick_up(0) == PickupResult::taken);
  CHECK(dials[0].value() != nullptr);
}

TEST_CASE("a failed pick-up fails its dial with the listener's text, named or not") {
  for (const std::string& named : {path(0), std::string()}) {
    CAPTURE(named);
    Session session;
    auto dial = session.dial();
    session.listener.send(failure("want HTTP status 101 or 307; got 400 Bad Request:\\n\\tunknown dialer\\n", named));
    CHECK(dial.error() ==
          "revdial listener failed to pick up connection: want HTTP status 101 or 307; got 400 Bad "
          "Request:\n\tunknown dialer\n");
    try {
      dial.value();
    } catch (const DialError& error) {
      CHECK(error.reason() == DialError::Reason::pickup_failed);
    }
    CHECK(session.pickups.size() == 0);
  }
}

TEST_CASE("a failure that names no dial of this session fails none") {
  Session session, other;
  auto dial = session.dial(), second = session.dial();
  for (const std::string& named : {path(2), std::string("/revdial"), std::string("/x"), path(0) + "0", std::string()}) {
    CAPTURE(named);
    session.listener.send(failure("no", named));
    CHECK_FALSE(dial.done());
    CHECK_FALSE(second.done());
  }
  CHECK_FALSE(session.run.done());
}

TEST_CASE("a dial that nobody answers ends when its time is over, and leaves nothing behind") {
  Session session;
  auto dial = session.dial(5s);
  session.world.advance(4'999ms);
  CHECK_FALSE(dial.done());
  session.world.advance(1ms);
  CHECK(dial.error() == "revdial: no connection from memory within 5 s");
  CHECK(session.dialer.waiting() == 0);

  // What comes now comes too late: it is closed, and serves nobody later.
  io::StreamPtr far;
  CHECK(session.pick_up(0, &far) == PickupResult::nobody_waiting);
  testing::Peer worker(session.world, std::move(far));
  CHECK(worker.saw_end());
  CHECK(session.pick_up(0) == PickupResult::unknown_token);
  auto next = session.dial();
  CHECK_FALSE(next.done());
  CHECK(session.pick_up(1) == PickupResult::taken);
  CHECK(next.done());
}

TEST_CASE("a dial that is cancelled leaves nothing behind") {
  Session session;
  auto dial = session.dial();
  dial.cancel();
  session.world.settle();
  CHECK(dial.was_cancelled());
  CHECK(session.dialer.waiting() == 0);
  CHECK(session.pick_up(0) == PickupResult::nobody_waiting);
  CHECK_FALSE(session.run.done());
}

TEST_CASE("a dial that is cancelled in the moment it is served closes its connection") {
  Session session;
  auto dial = session.dial();
  auto connection = io::make_memory_pair(session.world.executor());
  CHECK(session.pickups.offer(token(0), std::move(connection.first)) == PickupResult::taken);
  dial.cancel();
  session.world.settle();
  testing::Peer worker(session.world, std::move(connection.second));
  if (dial.was_cancelled()) {
    CHECK(worker.saw_end());
  } else {
    CHECK_FALSE(worker.saw_end());
    CHECK(dial.value() != nullptr);
  }
}

TEST_CASE("a late failure or connection of a dial that gave up does nothing to the next one") {
  Session session;
  auto first = session.dial(5s), second = session.dial(5s);
  session.world.advance(5s);
  CHECK(first.done());
  auto third = session.dial();
  session.listener.send(failure("late", 0));
  session.listener.send(failure("whose?", ""));
  CHECK(session.pick_up(1) == PickupResult::nobody_waiting);
  CHECK_FALSE(third.done());
  session.listener.send(failure("its own", 2));
  CHECK(third.error() == "revdial listener failed to pick up connection: its own");
}

TEST_CASE("a failure that nobody waits for is dropped") {
  Session session;
  session.listener.send(failure("nobody asked", 0));
  auto dial = session.dial();
  CHECK_FALSE(dial.done());
  CHECK(session.pick_up(0) == PickupResult::taken);
  session.listener.send(failure("again", 0));
  CHECK(dial.value() != nullptr);
  CHECK_FALSE(session.run.done());
}

TEST_CASE("tokens of dials that gave up are forgotten after a while, and there are never many") {
  Session session(64 * 1024, testing::Peer::Reads::yes, {.random = counting(), .max_waiting = 4});
  for (int i = 0; i < 30; ++i) {
    auto dial = session.dial(1s);
    session.world.advance(1s);
    CHECK(dial.done());
    CHECK(session.pickups.size() <= 8);
  }
  CHECK(session.pick_up(29) == PickupResult::nobody_waiting);
  CHECK(session.pick_up(0) == PickupResult::unknown_token);
  session.world.advance(90s);
  auto dial = session.dial();
  CHECK(session.pickups.size() == 1);
  session.listener.send(failure("real", ""));
  CHECK(dial.error() == "revdial listener failed to pick up connection: real");
}

TEST_CASE("a pick-up made twice serves one dial") {
  Session session;
  auto dial = session.dial(), other = session.dial();
  CHECK(session.pick_up(0) == PickupResult::taken);
  CHECK(session.pick_up(0) == PickupResult::unknown_token);
  CHECK(dial.done());
  CHECK_FALSE(other.done());
}

TEST_CASE("another session's token serves nobody here") {
  World world;
  Pickups pickups;
  auto one = io::make_memory_pair(world.executor()), two = io::make_memory_pair(world.executor());
  testing::Peer first_listener(world, std::move(one.second)), second_listener(world, std::move(two.second));
  int calls = 0;
  const RandomBytes numbered = [&calls](std::span<std::byte> bytes) {
    std::fill(bytes.begin(), bytes.end(), std::byte{});
    bytes.back() = static_cast<std::byte>(calls++);
  };
  Dialer first(std::move(one.first), world.clock, pickups, without_ready({.random = numbered}));
  Dialer second(std::move(two.first), world.clock, pickups, without_ready({.random = numbered}));
  auto first_run = world.start(first.run()), second_run = world.start(second.run());
  auto first_dial = world.start(first.dial(60s)), second_dial = world.start(second.dial(60s));
  second_listener.send(failure("not yours", 0));
  CHECK_FALSE(first_dial.done());
  CHECK_FALSE(second_dial.done());
  auto connection = io::make_memory_pair(world.executor());
  CHECK(pickups.offer(token(1), std::move(connection.first)) == PickupResult::taken);
  world.settle();
  CHECK(second_dial.value() != nullptr);
  CHECK_FALSE(first_dial.done());
}

TEST_CASE("too many dials at once are refused with a sentence") {
  Session session(64 * 1024, testing::Peer::Reads::yes, {.random = counting(), .max_waiting = 2});
  auto first = session.dial(), second = session.dial(), third = session.dial();
  CHECK_FALSE(first.done());
  CHECK_FALSE(second.done());
  CHECK(third.error() == "revdial: 2 dials to this worker wait already");
}

TEST_CASE("a thousand dials one after another and fifty at once all get their connections") {
  Session session;
  for (int i = 0; i < 1000; ++i) {
    auto dial = session.dial();
    REQUIRE(session.pick_up(i) == PickupResult::taken);
    REQUIRE(dial.value() != nullptr);
  }
  std::string all = kKeepAliveLine;
  for (int i = 0; i < 1000; ++i) all += ready_line(i) + kKeepAliveLine;
  CHECK(session.listener.take() == all);

  std::vector<testing::Running<io::StreamPtr>> dials;
  for (int i = 0; i < 50; ++i) dials.push_back(session.dial());
  for (int i = 49; i >= 0; --i) CHECK(session.pick_up(1000 + i) == PickupResult::taken);
  for (auto& dial : dials) CHECK(dial.value() != nullptr);
  CHECK(session.pickups.size() == 0);
}

TEST_CASE("the session ends with a sentence about its cause") {
  using Cause = SessionEnd::Cause;
  SUBCASE("closed by the listener") {
    Session session;
    auto dial = session.dial();
    session.listener.end();
    CHECK(session.run.value().cause == Cause::closed_by_peer);
    CHECK(session.run.value().text == "the listener closed the session");
    CHECK(dial.error() == "revdial.Dialer closed");
    CHECK(session.dialer.closed());
    CHECK(session.listener.saw_end());
    CHECK(session.pickups.size() == 0);
    CHECK(session.pick_up(0) == PickupResult::unknown_token);
    CHECK(session.dial().error() == "revdial.Dialer closed");
  }
  SUBCASE("a line that is no message") {
    Session session;
    session.listener.send("{\"command\":\n");
    CHECK(session.run.value().cause == Cause::protocol_error);
    CHECK(session.run.value().text.starts_with("a control line is not JSON: "));
    CHECK(session.listener.saw_end());
  }
  SUBCASE("a line that is too long") {
    Session session;
    session.listener.send(failure(std::string(4096 - failure("", 0).size(), 'x'), 0));
    CHECK_FALSE(session.run.done());
    session.listener.send(failure(std::string(4097 - failure("", 0).size(), 'x'), 0));
    CHECK(session.run.value().cause == Cause::protocol_error);
    CHECK(session.run.value().text == "a control line is longer than 4096 bytes");
  }
  SUBCASE("cut in the middle of a line") {
    Session session;
    session.listener.send("{\"comm");
    session.listener.close();
    CHECK(session.run.value().cause == Cause::protocol_error);
  }
  SUBCASE("a listener that takes nothing more") {
    Session session(8, testing::Peer::Reads::no);
    session.world.advance(9'999ms);
    CHECK_FALSE(session.run.done());
    auto dial = session.dial();
    session.world.advance(1ms);
    CHECK(session.run.value().cause == Cause::peer_silent);
    CHECK(session.run.value().text == "a control message was not taken by the other side within 10 s");
    CHECK(dial.error() == "revdial.Dialer closed");
  }
  SUBCASE("closed here") {
    Session session;
    auto dial = session.dial();
    session.dialer.close();
    session.dialer.close();
    CHECK(session.pickups.size() == 0);
    session.world.settle();
    CHECK(session.run.value().cause == Cause::closed_here);
    CHECK(dial.error() == "revdial.Dialer closed");
    CHECK(session.listener.saw_end());
  }
  SUBCASE("closed here while the listener takes nothing") {
    Session session(8, testing::Peer::Reads::no);
    session.dialer.close();
    session.world.advance(10s);
    CHECK(session.run.value().cause == Cause::closed_here);
  }
  SUBCASE("cancelled") {
    Session session;
    auto dial = session.dial();
    session.run.cancel();
    session.world.settle();
    CHECK(session.run.was_cancelled());
    CHECK(dial.error() == "revdial.Dialer closed");
    CHECK(session.listener.saw_end());
  }
}

TEST_CASE("commands that are not known are ignored") {
  Session session;
  session.listener.send("{\"command\":\"dance\"}\n{}\n{\"command\":\"keep-alive\"}\n{\"command\":\"conn-ready\"}\n");
  CHECK_FALSE(session.run.done());
  CHECK(session.listener.take() == kKeepAliveLine);
}

TEST_CASE("a dialer may go before its session was run, and while its task still ends") {
  World world;
  Pickups pickups;
  auto pair = io::make_memory_pair(world.executor());
  testing::Peer listener(world, std::move(pair.second));
  auto dialer =
      std::make_unique<Dialer>(std::move(pair.first), world.clock, pickups, DialerOptions{.random = counting()});
  SUBCASE("never run") {
    dialer.reset();
    CHECK(listener.saw_end());
  }
  SUBCASE("running") {
    auto run = world.start(dialer->run());
    auto dial = world.start(dialer->dial(10s));
    dialer.reset();
    world.settle();
    CHECK(run.value().cause == SessionEnd::Cause::closed_here);
    CHECK(dial.error() == "revdial.Dialer closed");
    CHECK(listener.saw_end());
  }
  CHECK(pickups.size() == 0);
}
