#include <revdial/dialer.h>

#include "harness.h"

#include <string>
#include <vector>

using namespace revdial;
using namespace std::chrono_literals;
using testing::World;

namespace {

constexpr const char* kId = "09a0dfc3917dc44327b1ea017f9e7df4";
constexpr const char* kKeepAliveLine = "{\"command\":\"keep-alive\"}\n";
const std::string kReadyLine =
    "{\"command\":\"conn-ready\",\"connPath\":\"/revdial?revdial.dialer=" + std::string(kId) + "\"}\n";

std::string failure(const std::string& err) {
  return "{\"command\":\"pickup-failed\",\"connPath\":\"/x\",\"err\":\"" + err + "\"}\n";
}

/// A Dialer whose listener is the test.
struct Session {
  explicit Session(std::size_t capacity = 64 * 1024, testing::Peer::Reads reads = testing::Peer::Reads::yes,
                   DialerOptions options = {.id = kId})
      : pair(io::make_memory_pair(world.executor(), capacity)),
        listener(world, std::move(pair.second), reads),
        dialer(std::move(pair.first), world.clock, pickups, std::move(options)),
        run(world.start(dialer.run())) {}

  testing::Running<io::StreamPtr> dial(io::Duration limit = 60s) { return world.start(dialer.dial(limit)); }
  /// A connection that the listener picks up; `far` gets its other end.
  PickupResult pick_up(io::StreamPtr* far = nullptr, const char* id = kId) {
    auto connection = io::make_memory_pair(world.executor());
    const PickupResult result = pickups.offer(id, std::move(connection.first));
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

TEST_CASE("a keep-alive is sent at once and then thirty seconds after the last control message") {
  Session session;
  CHECK(session.listener.take() == kKeepAliveLine);
  session.world.advance(29'999ms);
  CHECK(session.listener.take() == "");
  session.world.advance(1ms);
  CHECK(session.listener.take() == kKeepAliveLine);

  session.world.advance(10s);
  auto dial = session.dial();
  CHECK(session.listener.take() == kReadyLine + kKeepAliveLine);
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
  CHECK(session.pick_up(&far) == PickupResult::taken);
  testing::Peer worker(session.world, std::move(far));
  worker.send("hello");
  CHECK(testing::read_ready(session.world, *dial.value()) == "hello");
  CHECK(session.dialer.waiting() == 0);
}

TEST_CASE("a path with a query gets the id as one more parameter") {
  Session session(64 * 1024, testing::Peer::Reads::yes, {.id = kId, .conn_path = "/revdial?a=<1>"});
  auto dial = session.dial();
  CHECK(session.listener.take() ==
        std::string(kKeepAliveLine) +
            "{\"command\":\"conn-ready\",\"connPath\":\"/revdial?a=\\u003c1\\u003e\\u0026revdial.dialer=" + kId +
            "\"}\n" + kKeepAliveLine);
}

TEST_CASE("a dialer is not made with an id or a path that cannot work") {
  World world;
  Pickups pickups;
  const auto make = [&](DialerOptions options) {
    auto pair = io::make_memory_pair(world.executor());
    Dialer dialer(std::move(pair.first), world.clock, pickups, std::move(options));
  };
  CHECK_THROWS_AS(make({.id = ""}), std::invalid_argument);
  CHECK_THROWS_AS(make({.id = kId, .conn_path = "revdial"}), std::invalid_argument);
  CHECK_THROWS_AS(make({.id = kId, .conn_path = "/a b"}), std::invalid_argument);
  CHECK_THROWS_AS(make({.id = kId, .conn_path = "/" + std::string(600, 'a')}), std::invalid_argument);
  CHECK(pickups.size() == 0);
  make({.id = kId});
  CHECK(pickups.size() == 0);
}

TEST_CASE("dials are served in the order they came") {
  Session session;
  std::vector<testing::Running<io::StreamPtr>> dials;
  for (int i = 0; i < 3; ++i) dials.push_back(session.dial());
  CHECK(session.listener.take() ==
        kKeepAliveLine + kReadyLine + kKeepAliveLine + kReadyLine + kKeepAliveLine + kReadyLine + kKeepAliveLine);
  session.pick_up();
  CHECK(dials[0].done());
  CHECK_FALSE(dials[1].done());
  session.listener.send(failure("no"));
  CHECK(dials[1].error() == "revdial listener failed to pick up connection: no");
  CHECK_FALSE(dials[2].done());
  session.pick_up();
  CHECK(dials[2].value() != nullptr);
}

TEST_CASE("a failed pick-up fails its dial with the listener's text") {
  Session session;
  auto dial = session.dial();
  session.listener.send(failure("want HTTP status 101 or 307; got 400 Bad Request:\\n\\tunknown dialer\\n"));
  CHECK(dial.error() ==
        "revdial listener failed to pick up connection: want HTTP status 101 or 307; got 400 Bad Request:\n\tunknown "
        "dialer\n");
  try {
    dial.value();
  } catch (const DialError& error) {
    CHECK(error.reason() == DialError::Reason::pickup_failed);
  }
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
  CHECK(session.pick_up(&far) == PickupResult::nobody_waiting);
  testing::Peer worker(session.world, std::move(far));
  CHECK(worker.saw_end());
  auto next = session.dial();
  CHECK_FALSE(next.done());
  CHECK(session.pick_up() == PickupResult::taken);
  CHECK(next.done());
}

TEST_CASE("a dial that is cancelled leaves nothing behind") {
  Session session;
  auto dial = session.dial();
  dial.cancel();
  session.world.settle();
  CHECK(dial.was_cancelled());
  CHECK(session.dialer.waiting() == 0);
  CHECK(session.pick_up() == PickupResult::nobody_waiting);
  CHECK_FALSE(session.run.done());
}

TEST_CASE("a dial that is cancelled in the moment it is served closes its connection") {
  Session session;
  auto dial = session.dial();
  auto connection = io::make_memory_pair(session.world.executor());
  CHECK(session.pickups.offer(kId, std::move(connection.first)) == PickupResult::taken);
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

TEST_CASE("a late failure of a dial that gave up does not fail the next one") {
  Session session;
  auto first = session.dial(5s);
  session.world.advance(5s);
  CHECK(first.done());
  auto second = session.dial();
  session.listener.send(failure("late"));
  CHECK_FALSE(second.done());
  session.listener.send(failure("its own"));
  CHECK(second.error() == "revdial listener failed to pick up connection: its own");
}

TEST_CASE("a failure that nobody waits for is dropped") {
  Session session;
  session.listener.send(failure("nobody asked"));
  auto dial = session.dial();
  CHECK_FALSE(dial.done());
  CHECK(session.pick_up() == PickupResult::taken);
  session.listener.send(failure("again"));
  CHECK(dial.value() != nullptr);
  CHECK_FALSE(session.run.done());
}

TEST_CASE("a pick-up that was lost without a word does not hide failures for ever") {
  Session session;
  auto lost = session.dial(5s);
  session.world.advance(5s);
  CHECK(lost.done());
  session.world.advance(90s);
  auto dial = session.dial();
  session.listener.send(failure("real"));
  CHECK(dial.error() == "revdial listener failed to pick up connection: real");
}

TEST_CASE("a pick-up made twice serves one dial") {
  Session session;
  auto dial = session.dial();
  CHECK(session.pick_up() == PickupResult::taken);
  CHECK(session.pick_up() == PickupResult::nobody_waiting);
  CHECK(session.pick_up(nullptr, "00000000000000000000000000000000") == PickupResult::unknown_dialer);
  CHECK(dial.done());
}

TEST_CASE("too many dials at once are refused with a sentence") {
  Session session(64 * 1024, testing::Peer::Reads::yes, {.id = kId, .max_waiting = 2});
  auto first = session.dial(), second = session.dial(), third = session.dial();
  CHECK_FALSE(first.done());
  CHECK_FALSE(second.done());
  CHECK(third.error() == "revdial: 2 dials to this worker wait already");
}

TEST_CASE("a thousand dials one after another and fifty at once all get their connections") {
  Session session;
  for (int i = 0; i < 1000; ++i) {
    auto dial = session.dial();
    REQUIRE(session.pick_up() == PickupResult::taken);
    REQUIRE(dial.value() != nullptr);
  }
  std::string all = kKeepAliveLine;
  for (int i = 0; i < 1000; ++i) all += kReadyLine + kKeepAliveLine;
  CHECK(session.listener.take() == all);

  std::vector<testing::Running<io::StreamPtr>> dials;
  for (int i = 0; i < 50; ++i) dials.push_back(session.dial());
  for (int i = 0; i < 50; ++i) CHECK(session.pick_up() == PickupResult::taken);
  for (auto& dial : dials) CHECK(dial.value() != nullptr);
  CHECK(session.pick_up() == PickupResult::nobody_waiting);
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
    CHECK_FALSE(session.pickups.knows(kId));
    CHECK(session.pick_up() == PickupResult::unknown_dialer);
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
    session.listener.send(failure(std::string(4096 - failure("").size(), 'x')));
    CHECK_FALSE(session.run.done());
    session.listener.send(failure(std::string(4097 - failure("").size(), 'x')));
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
    CHECK_FALSE(session.pickups.knows(kId));
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
  auto dialer = std::make_unique<Dialer>(std::move(pair.first), world.clock, pickups, DialerOptions{.id = kId});
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
