// Rounds of sessions whose peers go away: peer_killed_soak [ROUNDS]. Status 1 if they leave something behind.
#include "peer_killed.h"

#include <cstdlib>
#include <iostream>

int main(int count, char** args) {
  constexpr int kWarmUp = 1000;
  constexpr double kMostBytes = 16;
  const int rounds = count > 1 ? std::atoi(args[1]) : 10'000;
  const testing::Leftovers left = testing::kill_peers(kWarmUp, rounds - kWarmUp);
  std::cout << rounds << " rounds, cut after up to " << left.steps << " steps: " << left.descriptors
            << " descriptors more, " << left.resident_bytes_a_round << " bytes of memory a round\n";
  const bool clean = left.descriptors == 0 && left.resident_bytes_a_round < kMostBytes;
  return clean ? EXIT_SUCCESS : EXIT_FAILURE;
}
