// Which rows have what: from a key's hash to numbers of rows, in order. Rows are added, never taken away, and two keys
// may have one hash: whoever finds a row here looks at the row itself.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>

#include "hash_index.h"
#include "table.h"

namespace maintner {

/// A value, as Table is: a copy stays what it is while the one that it was copied from gets more.
class Postings {
 public:
  /// From here on copies that were taken before stay as they are. With `alone` there is none.
  void begin_batch(std::uint64_t batch, bool alone) {
    keys_.begin_batch(batch);
    rows_.begin_batch(alone);
  }
  /// The number of the key's list, which is made if there is none: from 0 on, without a gap.
  std::uint32_t list_of(std::uint64_t key) {
    if (const auto found = find(key)) return *found;
    const std::uint32_t number = keys_.append({key, {}, 0});
    index_.add(key, number);
    return number;
  }
  void add_to(std::uint32_t list, std::uint32_t row) {
    const std::span<const std::uint32_t> rows = (*this)[list];
    const bool last = rows.empty() || rows.back() < row;
    const auto at = last ? rows.end() : std::lower_bound(rows.begin(), rows.end(), row);
    if (at != rows.end() && *at == row) return;
    const auto index = static_cast<std::uint32_t>(at - rows.begin());
    rows_.insert(keys_.edit(list).rows, index, row);
  }
  void add(std::uint64_t key, std::uint32_t row) { add_to(list_of(key), row); }

  std::optional<std::uint32_t> find(std::uint64_t key) const {
    return index_.find(key, keys_.size(), [&](std::uint32_t number) { return keys_[number].key == key; });
  }
  std::span<const std::uint32_t> operator[](std::uint32_t list) const { return rows_[keys_[list].rows]; }
  std::span<const std::uint32_t> rows_of(std::uint64_t key) const {
    const auto found = find(key);
    return found ? (*this)[*found] : std::span<const std::uint32_t>();
  }
  std::uint32_t lists() const noexcept { return keys_.size(); }

 private:
  struct Key {
    std::uint64_t key;
    List rows;
    std::uint32_t unused;
  };

  Table<Key> keys_;
  Lists<std::uint32_t> rows_;
  HashIndex index_;
};

}  // namespace maintner
