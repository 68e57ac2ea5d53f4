#include "table.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "hash_index.h"

using namespace maintner;

namespace {

std::vector<std::uint64_t> rows_of(const Table<std::uint64_t>& table) {
  std::vector<std::uint64_t> rows;
  for (std::uint32_t i = 0; i < table.size(); ++i) rows.push_back(table[i]);
  return rows;
}

}  // namespace

TEST_CASE("copies of a table stay what they are") {
  std::mt19937 random(1);
  Table<std::uint64_t> table;
  std::vector<std::uint64_t> model;
  std::vector<std::pair<Table<std::uint64_t>, std::vector<std::uint64_t>>> copies;
  for (std::uint64_t batch = 1; batch <= 60; ++batch) {
    table.begin_batch(batch);
    for (int i = 0; i < 200; ++i) {
      const std::uint64_t value = random();
      if (model.empty() || random() % 3 == 0) {
        CHECK(table.append(value) == model.size());
        model.push_back(value);
      } else {
        const auto number = static_cast<std::uint32_t>(random() % model.size());
        table.edit(number) = value;
        model[number] = value;
      }
    }
    copies.emplace_back(table, model);
  }
  for (const auto& [copy, rows] : copies) CHECK(rows_of(copy) == rows);
}

TEST_CASE("rows that were written before anybody had a copy are changed in place") {
  Table<std::uint64_t> table;
  table.begin_batch(1);
  for (std::uint64_t i = 0; i < 3000; ++i) table.append(i);
  for (std::uint32_t i = 0; i < 3000; ++i) table.edit(i) += 1;
  CHECK(table.rows_used() == 3000);
  table.begin_batch(2);
  table.edit(7) = 0;
  table.edit(7) = 1;
  CHECK(table.rows_used() == 3001);
  CHECK(table.wasted() == 1);
}

TEST_CASE("copies of lists stay what they are") {
  for (const bool reuse : {false, true}) {
    std::mt19937 random(2);
    constexpr std::size_t kLists = 20;
    Lists<std::uint64_t> lists;
    std::vector<List> places(kLists);
    std::vector<std::vector<std::uint64_t>> model(kLists);
    std::vector<std::tuple<Lists<std::uint64_t>, std::vector<List>, std::vector<std::vector<std::uint64_t>>>> copies;
    for (int batch = 0; batch < 60; ++batch) {
      // Only the first may use again what is free: nobody has a copy.
      lists.begin_batch(reuse && batch == 0);
      for (int i = 0; i < 300; ++i) {
        const std::size_t which = random() % kLists;
        List& list = places[which];
        std::vector<std::uint64_t>& items = model[which];
        const std::uint64_t value = random();
        const auto index = static_cast<std::uint32_t>(items.empty() ? 0 : random() % items.size());
        switch (random() % 5) {
          case 0:
          case 1:
            lists.append(list, value);
            items.push_back(value);
            break;
          case 2:
            lists.insert(list, index, value);
            items.insert(items.begin() + index, value);
            break;
          case 3:
            if (items.empty()) break;
            lists.erase(list, index);
            items.erase(items.begin() + index);
            break;
          default:
            if (items.empty()) break;
            lists.edit(list)[index] = value;
            items[index] = value;
        }
      }
      copies.emplace_back(lists, places, model);
    }
    for (const auto& [copy, at, rows] : copies) {
      for (std::size_t i = 0; i < kLists; ++i) {
        const auto items = copy[at[i]];
        CHECK(std::vector<std::uint64_t>(items.begin(), items.end()) == rows[i]);
      }
    }
  }
}

TEST_CASE("an index finds what was added, and in an older copy only that") {
  HashIndex index;
  std::vector<std::uint64_t> keys;
  std::mt19937_64 random(3);
  std::vector<std::pair<HashIndex, std::uint32_t>> copies;
  for (std::uint32_t i = 0; i < 5000; ++i) {
    keys.push_back(random() % 2 == 0 ? random() : random() << 32U);  // some differ in their lower half alone
    index.add(keys.back(), i);
    if (i % 500 == 0) copies.emplace_back(index, i + 1);
  }
  copies.emplace_back(index, 5000);
  for (const auto& [copy, size] : copies) {
    for (std::uint32_t i = 0; i < 5000; ++i) {
      const auto found = copy.find(keys[i], size, [&](std::uint32_t n) { return keys[n] == keys[i]; });
      if (i < size)
        CHECK(found == i);
      else
        CHECK_FALSE(found);
    }
  }
  CHECK_FALSE(index.find(random(), 5000, [](std::uint32_t) { return false; }));
}
