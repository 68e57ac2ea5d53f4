#include "pinned_state.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

using maintner::PinnedState;
using maintner::Shelf;
using maintner::State;

namespace {

/// With the same space as all others, so that a state is made soon: how many have that space says how many there are.
std::unique_ptr<PinnedState> numbered(const State& like, std::uint64_t number) {
  State state = like;
  state.mutations = number;
  return std::make_unique<PinnedState>(std::move(state));
}

}  // namespace

TEST_CASE("a state is freed once, and not before all who pinned it have released it") {
  const State like;
  constexpr std::uint64_t kStates = 100'000;
  Shelf* const shelf = Shelf::make(numbered(like, 0));
  std::atomic<bool> over{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      for (std::uint64_t last = 0; !over;) {
        PinnedState* const pinned = shelf->pin();
        const std::uint64_t number = pinned->state.mutations;
        if (number < last || number > kStates || pinned->shelf != shelf) ++wrong;
        last = number;
        shelf->release(pinned);
      }
    });
  }
  for (std::uint64_t i = 1; i <= kStates; ++i) shelf->publish(numbered(like, i));
  over = true;
  for (std::thread& reader : readers) reader.join();
  CHECK(wrong == 0);
  shelf->publish(numbered(like, kStates));  // frees what readers left
  CHECK(like.space.use_count() == 2);       // ours, and the newest state's
  shelf->close();
  CHECK(like.space.use_count() == 1);
}

TEST_CASE("a shelf is gone when the last who pinned one of its states releases it, whoever is the last") {
  const State like;
  for (int round = 0; round < 5'000; ++round) {
    Shelf* const shelf = Shelf::make(numbered(like, 0));
    std::atomic<int> ready{0};
    std::vector<std::thread> readers;
    for (int i = 0; i < 2; ++i) {
      PinnedState* const pinned = shelf->pin();
      readers.emplace_back([&ready, shelf, pinned] {
        ++ready;
        while (ready < 3) std::this_thread::yield();
        shelf->release(pinned);
      });
    }
    while (ready < 2) std::this_thread::yield();
    ++ready;
    shelf->close();
    for (std::thread& reader : readers) reader.join();
    if (like.space.use_count() != 1) FAIL("a state is still there in round ", round);
  }
}
