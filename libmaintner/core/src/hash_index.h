// From a key's hash to numbers of rows, by open addressing. Numbers are only added: so all copies of an index share one
// table, and whoever has an older copy passes over what is not in it yet.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "arena.h"
#include "prefetch.h"

namespace maintner {

/// What spreads the bits of a number over all of it.
constexpr std::uint64_t mixed(std::uint64_t value) noexcept {
  value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9U;
  value = (value ^ (value >> 27U)) * 0x94d049bb133111ebU;
  return value ^ (value >> 31U);
}

class HashIndex {
 public:
  /// The number for which `is_it` is true, among those below `size`, that were added with this hash.
  template <class IsIt>
  std::optional<std::uint32_t> find(std::uint64_t hash, std::uint32_t size, const IsIt& is_it) const {
    const std::uint64_t mask = slots_->mask;
    for (std::uint64_t i = place(hash) & mask;; i = (i + 1) & mask) {
      const std::uint64_t entry = slots_->entries()[i].load(std::memory_order_relaxed);
      if (entry == 0) return std::nullopt;
      if ((entry ^ hash) >> 32U != 0) continue;
      const auto number = static_cast<std::uint32_t>(entry) - 1;
      if (number < size && is_it(number)) return number;
    }
  }
  /// Somebody will ask for it soon.
  void prefetch(std::uint64_t hash) const noexcept {
    maintner::prefetch(&slots_->entries()[place(hash) & slots_->mask]);
  }
  /// A number that was added with this hash, or with one that begins like it.
  std::optional<std::uint32_t> guess(std::uint64_t hash, std::uint32_t size) const {
    return find(hash, size, [](std::uint32_t) { return true; });
  }
  void add(std::uint64_t hash, std::uint32_t number) {
    if ((slots_->used + 1) * 4 > (slots_->mask + 1) * 3) grow(2 * (slots_->mask + 1));
    put(*slots_, hash, number);
  }
  /// So that adding does not have to grow until there are so many.
  void expect(std::uint64_t count) {
    std::uint64_t capacity = slots_->mask + 1;
    while (capacity * 3 < count * 4) capacity *= 2;
    if (capacity > slots_->mask + 1) grow(capacity);
  }

  std::uint64_t capacity() const noexcept { return slots_->mask + 1; }
  std::uint64_t used() const noexcept { return slots_->used; }
  std::string_view bytes() const noexcept { return {slots_->memory.begin(), capacity() * sizeof(Entry)}; }
  static constexpr std::size_t kRowSize = sizeof(std::uint64_t);
  /// Takes a table from a file; `capacity` is a power of two.
  void map(int fd, std::uint64_t offset, std::uint64_t capacity, std::uint64_t used) {
    slots_ = std::make_shared<Slots>(capacity, fd, offset);
    slots_->used = used;
  }

 private:
  /// An entry has the upper half of the hash in its upper half, and the number and 1 in its lower.
  using Entry = std::atomic<std::uint64_t>;

  struct Slots {
    explicit Slots(std::uint64_t capacity) : memory(capacity * sizeof(Entry)), mask(capacity - 1) {
      memory.need(capacity * sizeof(Entry));
    }
    Slots(std::uint64_t capacity, int fd, std::uint64_t offset) : memory(capacity * sizeof(Entry)), mask(capacity - 1) {
      memory.map(fd, offset, capacity * sizeof(Entry));
    }
    Entry* entries() const noexcept { return reinterpret_cast<Entry*>(memory.begin()); }

    Reserved memory;
    std::uint64_t mask, used = 0;
  };

  static void put(Slots& slots, std::uint64_t hash, std::uint32_t number) {
    std::uint64_t i = place(hash) & slots.mask;
    while (slots.entries()[i].load(std::memory_order_relaxed) != 0) i = (i + 1) & slots.mask;
    slots.entries()[i].store((hash >> 32U << 32U) | (number + 1), std::memory_order_relaxed);
    ++slots.used;
  }
  /// Where to begin to look: by the upper half alone, which an entry keeps.
  static std::uint64_t place(std::uint64_t hash) noexcept { return mixed(hash >> 32U); }
  void grow(std::uint64_t capacity) {
    const auto larger = std::make_shared<Slots>(capacity);
    for (std::uint64_t i = 0; i <= slots_->mask; ++i) {
      const std::uint64_t entry = slots_->entries()[i].load(std::memory_order_relaxed);
      if (entry != 0) put(*larger, entry, static_cast<std::uint32_t>(entry) - 1);
    }
    slots_ = larger;
  }

  static constexpr std::uint64_t kFirst = 512;
  std::shared_ptr<Slots> slots_ = std::make_shared<Slots>(kFirst);
};

}  // namespace maintner
