// Peers that go without a word, after every single step of the protocol: what they leave behind must be nothing.
#pragma once

#include <cstddef>

namespace testing {

struct Leftovers {
  int steps = 0;                      ///< the most that a round had
  std::ptrdiff_t descriptors = 0;     ///< more than before the measured rounds
  double resident_bytes_a_round = 0;  ///< the slope of the resident memory over the measured rounds
};

/// A round is a session over TCP and TLS on the loopback interface with both ends in this process: registration, a
/// dial, an exchange, a second one over a connection that was ready, an orderly end. A step is a read or a write of
/// either end. Each round is cut after one more step than the one before it, until a round comes to its end; then from
/// the start, with the other end as the one that goes. What `warm_up` rounds leave behind is not counted.
Leftovers kill_peers(int warm_up, int rounds);

}  // namespace testing
