#pragma once

namespace maintner {

/// Memory that is soon needed may be on its way meanwhile.
inline void prefetch(const void* place) noexcept {
  __builtin_prefetch(place);
  // A function that does nothing but this is taken for one that does nothing, and calls of it are left out; not if
  // something in it is volatile.
  asm volatile("");
}

}  // namespace maintner
