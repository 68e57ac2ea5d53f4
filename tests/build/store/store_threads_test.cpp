#include <build/store/store.h>
#include <doctest/doctest.h>

#include "records.h"
#include "support/support.h"

#include <atomic>
#include <thread>

using namespace build;
using namespace testing;

TEST_CASE("queries from several threads see whole groups of changes while more are applied") {
  TempDir dir;
  const auto store = store::open_sqlite(dir.path());
  const model::Epoch epoch = store->begin_epoch();
  constexpr int kGroups = 200;
  std::atomic<bool> done = false;
  std::atomic<int> queries = 0, torn = 0;

  const auto look = [&] {
    std::size_t seen = 0;
    while (!done) {
      const auto page = store->branch_page(kRepository, kBranch, {.limit = 1000});
      // A group is one commit with two builds; the page only grows.
      if (page.size() < seen) ++torn;
      seen = page.size();
      for (const auto& row : page)
        if (row.builds.size() != 2) ++torn;
      if (!page.empty()) {
        const auto details = store->build(page.front().builds.front().id);
        if (!details || details->attempts.size() != 1) ++torn;
      }
      ++queries;
    }
  };
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) readers.emplace_back(look);
  for (int i = 1; i <= kGroups; ++i) {
    const int first = i * 2, second = i * 2 + 1;
    store->apply({commit(i), place(i), waiting_build(first, i, "linux"), waiting_build(second, i, "mac"),
                  running_attempt(first, 1), running_attempt(second, 1)},
                 epoch);
  }
  done = true;
  for (std::thread& reader : readers) reader.join();

  CHECK(torn == 0);
  CHECK(queries > 0);
  CHECK(store->branch_page(kRepository, kBranch, {.limit = 1000}).size() == kGroups);
}
