// How views hold on to what they see. Taking the newest state takes no lock: a counter beside the pointer to it says
// how many threads are just about to count themselves in the state.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "state.h"

namespace maintner {

class Shelf;

struct PinnedState {
  explicit PinnedState(State&& of) : state(std::move(of)) {}

  /// What counts as held by being the newest: more than any number of views, so that those who come and go while it
  /// stops being that are not the last, whatever the order in which they and the shelf count.
  static constexpr std::int64_t kNewest = std::int64_t{1} << 62;

  const State state;
  std::atomic<std::int64_t> holders{kNewest};
  Shelf* shelf = nullptr;
  PinnedState* next = nullptr;  ///< of those that nobody holds
};

/// Has the newest state, and those that nobody holds any more until somebody has time to free them: not a reader. It
/// lives as long as a state of it.
class Shelf {
 public:
  static Shelf* make(std::unique_ptr<PinnedState> first) {
    auto* const shelf = new Shelf;
    first->shelf = shelf;
    shelf->newest_ = bits_of(first.release());
    return shelf;
  }

  /// To be given back with release().
  PinnedState* pin() noexcept {
    std::uint64_t bits = newest_.fetch_add(kOne) + kOne;
    PinnedState* const state = pointer_in(bits);
    ++state->holders;
    // We are counted in the state: not beside the pointer any more, if that is still there.
    while (pointer_in(bits) == state) {
      if (newest_.compare_exchange_weak(bits, bits - kOne)) return state;
    }
    --state->holders;
    return state;
  }
  void release(PinnedState* state) noexcept { give_up(state, 1); }

  /// For one thread at a time, as all below.
  void publish(std::unique_ptr<PinnedState> next) {
    next->shelf = this;
    ++states_;
    retire(newest_.exchange(bits_of(next.release())));
    free_unheld();
  }
  const State& newest() const noexcept { return pointer_in(newest_)->state; }
  /// There will be no other state. The shelf may be gone afterwards.
  void close() noexcept {
    ++states_;  // as if one more were there, until we are ready
    closed_ = true;
    retire(newest_.exchange(0));
    free_unheld();
    leave();
  }

 private:
  static constexpr unsigned kPointerBits = 48;
  static constexpr std::uint64_t kOne = std::uint64_t{1} << kPointerBits;

  Shelf() = default;
  ~Shelf() = default;

  static std::uint64_t bits_of(PinnedState* state) noexcept { return reinterpret_cast<std::uint64_t>(state); }
  static PinnedState* pointer_in(std::uint64_t bits) noexcept {
    return reinterpret_cast<PinnedState*>(bits & (kOne - 1));
  }
  void retire(std::uint64_t bits) noexcept {
    give_up(pointer_in(bits), PinnedState::kNewest - static_cast<std::int64_t>(bits >> kPointerBits));
  }
  void give_up(PinnedState* state, std::int64_t holds) noexcept {
    if (state->holders.fetch_sub(holds) != holds) return;
    ++states_;  // we are at work here: once it is among the others, somebody may free it, and be the last to leave
    state->next = unheld_.load();
    while (!unheld_.compare_exchange_weak(state->next, state)) {
    }
    if (closed_) free_unheld();
    leave();
  }
  void free_unheld() noexcept {
    PinnedState* state = unheld_.exchange(nullptr);
    while (state != nullptr) {
      PinnedState* const next = state->next;
      delete state;
      state = next;
      leave();
    }
  }
  void leave() noexcept {
    if (--states_ == 0) delete this;
  }

  std::atomic<std::uint64_t> newest_{0};
  std::atomic<PinnedState*> unheld_{nullptr};
  std::atomic<std::int64_t> states_{1};
  std::atomic<bool> closed_{false};
};

}  // namespace maintner
