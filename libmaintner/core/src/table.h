// What a corpus keeps its things in. A table is a value: a copy of it is what it was then, and stays that, while the
// one that it was copied from goes on changing; both share what has not changed.
//
// One thread changes tables. Copies that were handed to other threads are only read.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "arena.h"

namespace maintner {

/// Rows by number. A row is written anew when it changes; which one is a number's row now, a tree of two levels says.
template <class Row>
class Table {
 public:
  std::uint32_t size() const noexcept { return size_; }
  const Row& operator[](std::uint32_t number) const noexcept { return (*rows_)[place_of(number)]; }

  /// From here on changes leave copies that were taken before as they are. `batch` is another number each time.
  void begin_batch(std::uint64_t batch) {
    batch_ = batch;
    batch_begin_ = rows_->size();
    own_root_ = false;
  }
  std::uint32_t append(const Row& row) {
    const std::uint32_t place = rows_->append(row), number = size_++;
    if (place != number || has_leaf(number)) set_place(number, place);
    return number;
  }
  /// To be changed; good until the next append() or edit().
  Row& edit(std::uint32_t number) {
    std::uint32_t place = place_of(number);
    if (place < batch_begin_) {
      const Row row = (*rows_)[place];
      place = rows_->append(row);
      set_place(number, place);
    }
    return (*rows_)[place];
  }

  /// Calls `each` with the numbers of the rows that have changed since `before` was copied from this, and of those that
  /// have come since.
  template <class Each>
  void for_each_changed(const Table& before, const Each& each) const {
    for (std::uint32_t first = 0; first < before.size_; first += kLeaf) {
      if (before.leaf_of(first) == leaf_of(first)) continue;
      const std::uint32_t end = std::min(before.size_, first + kLeaf);
      for (std::uint32_t number = first; number < end; ++number)
        if (before.place_of(number) != place_of(number)) each(number);
    }
    for (std::uint32_t number = before.size_; number < size_; ++number) each(number);
  }

  /// How many rows are there in all, also those that nothing but old copies know.
  std::uint32_t rows_used() const noexcept { return rows_->size(); }
  std::uint32_t wasted() const noexcept { return rows_->size() - size_; }
  /// All rows as they lie there: those of the table in order, if it is compact.
  std::string_view bytes() const noexcept { return rows_->bytes(); }
  static constexpr std::size_t kRowSize = sizeof(Row);
  /// Takes all rows from a file, see Arena.
  void map(int fd, std::uint64_t offset, std::uint32_t count) {
    rows_->map(fd, offset, count);
    size_ = count;
  }

 private:
  static constexpr std::uint32_t kLeaf = 1024;
  struct Leaf {
    std::uint64_t batch = 0;  ///< in which it was made
    std::array<std::uint32_t, kLeaf> places;
  };
  /// A null leaf: each number's row is at that place.
  using Root = std::vector<std::shared_ptr<Leaf>>;

  const Leaf* leaf_of(std::uint32_t number) const noexcept {
    return root_ && number / kLeaf < root_->size() ? (*root_)[number / kLeaf].get() : nullptr;
  }
  bool has_leaf(std::uint32_t number) const noexcept { return leaf_of(number) != nullptr; }
  std::uint32_t place_of(std::uint32_t number) const noexcept {
    return has_leaf(number) ? (*root_)[number / kLeaf]->places[number % kLeaf] : number;
  }
  void set_place(std::uint32_t number, std::uint32_t place) {
    if (!own_root_) {
      root_ = root_ ? std::make_shared<Root>(*root_) : std::make_shared<Root>();
      own_root_ = true;
    }
    const std::uint32_t index = number / kLeaf;
    if (index >= root_->size()) root_->resize(index + 1);
    std::shared_ptr<Leaf>& leaf = (*root_)[index];
    if (!leaf || leaf->batch != batch_) {
      auto changed = std::make_shared<Leaf>();
      if (leaf) {
        changed->places = leaf->places;
      } else {
        for (std::uint32_t i = 0; i < kLeaf; ++i) changed->places[i] = index * kLeaf + i;
      }
      changed->batch = batch_;
      leaf = std::move(changed);
    }
    leaf->places[number % kLeaf] = place;
  }

  std::shared_ptr<Arena<Row>> rows_ = std::make_shared<Arena<Row>>();
  std::shared_ptr<Root> root_;
  std::uint32_t size_ = 0;
  std::uint32_t batch_begin_ = 0;  ///< rows from here on are nobody else's
  std::uint64_t batch_ = 0;
  bool own_root_ = false;
};

/// Where a row's list lies in its Lists.
struct List {
  std::uint32_t begin = 0, size = 0, capacity = 0;
};

/// Lists, which belong to the rows of tables.
template <class Item>
class Lists {
 public:
  std::span<const Item> operator[](const List& list) const noexcept { return items_->slice(list.begin, list.size); }

  /// As Table::begin_batch(). With `reuse` nobody has a copy, and what becomes free is used again.
  void begin_batch(bool reuse) {
    batch_begin_ = items_->size();
    reuse_ = reuse;
    for (std::vector<std::uint32_t>& places : free_) places.clear();
  }
  void append(List& list, const Item& item) {
    if (list.size == list.capacity) move(list, std::max<std::uint32_t>(1, 2 * list.capacity));
    // A copy of the list is shorter: nobody who has one looks there.
    (*items_)[list.begin + list.size++] = item;
  }
  /// Puts it before the item at `index`.
  void insert(List& list, std::uint32_t index, const Item& item) {
    append(list, item);
    if (index + 1 == list.size) return;
    const std::span<Item> items = edit(list);
    std::rotate(items.begin() + index, items.end() - 1, items.end());
  }
  void erase(List& list, std::uint32_t index) {
    const std::span<Item> items = edit(list);
    std::copy(items.begin() + index + 1, items.end(), items.begin() + index);
    --list.size;
  }
  /// All of them, to be changed; good until the next call of one of these.
  std::span<Item> edit(List& list) {
    if (list.begin < batch_begin_ && list.size > 0) move(list, list.capacity);
    return {list.size > 0 ? &(*items_)[list.begin] : nullptr, list.size};
  }
  void assign(List& list, std::span<const Item> items) {
    list = List{};
    if (items.empty()) return;
    list.size = list.capacity = static_cast<std::uint32_t>(items.size());
    list.begin = items_->grow(list.size);
    std::copy(items.begin(), items.end(), &(*items_)[list.begin]);
  }

  std::uint32_t items_used() const noexcept { return items_->size(); }
  /// Of them, those that no list has any more, but old copies may.
  std::uint32_t wasted() const noexcept { return wasted_; }
  std::string_view bytes() const noexcept { return items_->bytes(); }
  static constexpr std::size_t kRowSize = sizeof(Item);
  /// Takes all items from a file, see Arena.
  void map(int fd, std::uint64_t offset, std::uint32_t count) { items_->map(fd, offset, count); }

 private:
  void move(List& list, std::uint32_t capacity) {
    const std::uint32_t place = take(capacity);
    if (list.size > 0) std::copy_n(&(*items_)[list.begin], list.size, &(*items_)[place]);
    if (reuse_ && list.capacity > 0)
      free_[class_of(list.capacity)].push_back(list.begin);
    else
      wasted_ += list.capacity;
    list.begin = place;
    list.capacity = capacity;
  }
  std::uint32_t take(std::uint32_t capacity) {
    std::vector<std::uint32_t>& places = free_[class_of(capacity)];
    if (places.empty() || (capacity & (capacity - 1)) != 0) return items_->grow(capacity);
    const std::uint32_t place = places.back();
    places.pop_back();
    return place;
  }
  /// Each class has room for that power of two, or more.
  static std::size_t class_of(std::uint32_t capacity) noexcept {
    std::size_t result = 0;
    while (result < 31 && std::uint32_t{2} << result <= capacity) ++result;
    return result;
  }

  std::shared_ptr<Arena<Item>> items_ = std::make_shared<Arena<Item>>();
  std::uint32_t batch_begin_ = 0;
  std::uint32_t wasted_ = 0;
  bool reuse_ = false;
  std::array<std::vector<std::uint32_t>, 32> free_;
};

}  // namespace maintner
