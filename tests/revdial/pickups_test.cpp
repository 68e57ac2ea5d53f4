#include <revdial/pickups.h>

#include "harness.h"

#include <string>

using namespace revdial;
using testing::World;

namespace {

constexpr const char* kToken = "09a0dfc3917dc44327b1ea017f9e7df4";

struct Collector final : Pickups::Taker {
  bool expects(std::string_view) override { return !expired; }
  PickupResult take(std::string_view, io::StreamPtr connection) override {
    connection->close();
    ++taken;
    return PickupResult::taken;
  }
  int taken = 0;
  bool expired = false;
};

}  // namespace

TEST_CASE("a token is 16 random bytes as 32 lower-case hexadecimal digits") {
  unsigned next = 0xf8;
  const std::string token = make_pickup_token([&](std::span<std::byte> bytes) {
    CHECK(bytes.size() == 16);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(next++);
  });
  CHECK(token == "f8f9fafbfcfdfeff0001020304050607");
}

TEST_CASE("a connection goes to the dial whose whole token it names, and is closed if there is none") {
  World world;
  Pickups pickups;
  Collector first, second;
  // Same first half: the second half decides.
  const std::string other = std::string(kToken).substr(0, 16) + "0000000000000000";
  pickups.add(kToken, first);
  pickups.add(other, second);
  CHECK(pickups.size() == 2);

  const auto offer = [&](std::string_view token) {
    auto [near, far] = io::make_memory_pair(world.executor());
    testing::Peer peer(world, std::move(far));
    const PickupResult result = pickups.offer(token, std::move(near));
    CHECK(peer.saw_end());
    return result;
  };
  CHECK(offer(other) == PickupResult::taken);
  CHECK(second.taken == 1);
  CHECK(first.taken == 0);
  for (const std::string& wrong :
       {std::string("x"), std::string(), std::string(kToken) + "0", std::string(kToken).substr(1), std::string(32, '0'),
        std::string("09A0DFC3917DC44327B1EA017F9E7DF4"), std::string(kToken, 16) + std::string(16, '\0')}) {
    CAPTURE(wrong);
    CHECK_FALSE(pickups.knows(wrong));
    CHECK(offer(wrong) == PickupResult::unknown_token);
  }
  CHECK(first.taken == 0);
  pickups.remove(kToken);
  pickups.remove(kToken);
  CHECK_FALSE(pickups.knows(kToken));
  CHECK(pickups.knows(other));
  pickups.remove(other);
  CHECK(pickups.size() == 0);
}

TEST_CASE("a token that its dialer does not expect any more is unknown") {
  World world;
  Pickups pickups;
  Collector collector;
  pickups.add(kToken, collector);
  CHECK(pickups.knows(kToken));
  collector.expired = true;
  CHECK_FALSE(pickups.knows(kToken));
  CHECK(check_pickup(true, "GET", kToken, pickups).status == 400);
  auto [near, far] = io::make_memory_pair(world.executor());
  CHECK(pickups.offer(kToken, std::move(near)) == PickupResult::unknown_token);
}

TEST_CASE("a token that is none, or that is taken, cannot be registered") {
  Pickups pickups;
  Collector collector;
  pickups.add(kToken, collector);
  CHECK_THROWS_AS(pickups.add(kToken, collector), std::invalid_argument);
  CHECK_THROWS_AS(pickups.add("", collector), std::invalid_argument);
  CHECK_THROWS_AS(pickups.add("09A0DFC3917DC44327B1EA017F9E7DF4", collector), std::invalid_argument);
}

TEST_CASE("a pick-up request is answered in the original's order of checks") {
  Pickups pickups;
  Collector collector;
  pickups.add(kToken, collector);
  const PickupAnswer plain = check_pickup(false, "POST", "x", pickups);
  CHECK(plain.status == 500);
  CHECK(plain.text == "handler requires TLS");
  const PickupAnswer post = check_pickup(true, "POST", "x", pickups);
  CHECK(post.status == 405);
  CHECK(post.text == "expected GET request to revdial conn handler");
  CHECK(post.allow == "GET");
  CHECK(check_pickup(true, "get", kToken, pickups).status == 405);
  const PickupAnswer unknown = check_pickup(true, "GET", "x", pickups);
  CHECK(unknown.status == 400);
  CHECK(unknown.text == "unknown dialer");
  CHECK(unknown.allow.empty());
  CHECK(check_pickup(true, "GET", kToken, pickups).status == 101);
}
