#include "peer_killed.h"

#include <doctest/doctest.h>

TEST_CASE("a peer that goes after whatever step of the protocol leaves no descriptor behind") {
  // The long form, which also looks at memory, is ./dev soak.
  const testing::Leftovers left = testing::kill_peers(10, 300);
  CHECK(left.steps > 30);
  CHECK(left.descriptors == 0);
}
