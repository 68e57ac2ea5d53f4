// A real log (golden data maintner-small) that a corpus follows as it grows, through snapshots, and damaged in many
// ways.
#include <maintner/corpus.h>
#include <maintner/reclog.h>

#include <doctest/doctest.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "summary_of_view.h"
#include "support/support.h"

namespace fs = std::filesystem;
using namespace maintner;
using testing::summary_of;

namespace {

struct GoldenLog {
  std::vector<std::string> names, contents;
};

std::optional<GoldenLog> golden_log(const char* what) {
  const auto data = testing::golden("maintner-small", what);
  if (!data) return std::nullopt;
  GoldenLog log;
  for (const fs::path& file : log_files(*data)) {
    log.names.push_back(file.filename().string());
    log.contents.push_back(testing::read_file(file));
  }
  return log;
}

CorpusOptions with_snapshot(const fs::path& file) { return {.threads = 2, .compat = false, .snapshot = file}; }

}  // namespace

TEST_CASE("a corpus that followed its log knows what one knows that reads it in one go") {
  const auto log = golden_log("following");
  if (!log) return;
  testing::TempDir whole;
  for (std::size_t i = 0; i < log->names.size(); ++i) testing::write_file(whole / log->names[i], log->contents[i]);
  const Corpus expected(whole.path());
  const std::string summary = summary_of(expected.view());
  for (const unsigned seed : {1U, 2U, 3U}) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    testing::TempDir temp;
    const fs::path snapshot = temp / "snapshot";
    std::optional<Corpus> corpus(temp.path());
    std::vector<std::pair<View, std::string>> views;
    int updates = 0, reopened = 0;
    for (std::size_t i = 0; i < log->names.size(); ++i) {
      const std::string& content = log->contents[i];
      // Pieces end anywhere, also within records.
      for (std::size_t size = 0; size < content.size(); ++updates) {
        size = std::min<std::size_t>(content.size(), size + 1 + random() % 4000);
        testing::write_file(temp / log->names[i], content.substr(0, size));
        corpus->update();
        if (random() % 20 == 0) views.emplace_back(corpus->view(), summary_of(corpus->view()));
        if (random() % 20 != 0) continue;
        corpus->save(snapshot);
        corpus.emplace(temp.path(), with_snapshot(snapshot));
        CHECK(corpus->snapshot_refused() == "");
        ++reopened;
      }
    }
    CHECK(updates > 100);
    CHECK(reopened > 2);
    CHECK_FALSE(corpus->torn());
    CHECK(corpus->problem_count() == expected.problem_count());
    CHECK((summary_of(corpus->view()) == summary));
    for (const auto& [view, then] : views) CHECK((summary_of(view) == then));
  }
}

TEST_CASE("a log that was cut anywhere is read up to there") {
  const auto log = golden_log("cuts");
  if (!log) return;
  // A beginning of at most 20 KB that ends with a record.
  RecordReader records(log->contents[0]);
  std::vector<std::uint64_t> ends{0};
  while (const auto record = records.next()) {
    if (record->end() > 20'000) break;
    ends.push_back(record->end());
  }
  testing::TempDir temp;
  const fs::path file = temp / log->names[0];
  std::size_t whole = 0;
  // Every one, in the soak: corpus_faults.
  for (std::uint64_t size = 0; size <= ends.back(); size += size % 97 == 0 ? 1 : 13) {
    while (whole + 1 < ends.size() && ends[whole + 1] <= size) ++whole;
    testing::write_file(file, log->contents[0].substr(0, size));
    const Corpus corpus(temp.path(), {.threads = 1, .compat = false, .snapshot = {}});
    CHECK(corpus.view().mutations() == whole);
    CHECK(corpus.torn().has_value() == (size != ends[whole]));
    if (corpus.torn()) CHECK(corpus.torn()->offset == ends[whole]);
  }
}

TEST_CASE("a snapshot that is damaged or does not fit is refused, and the log is read") {
  const auto log = golden_log("snapshots");
  if (!log) return;
  testing::TempDir temp;
  for (std::size_t i = 0; i < log->names.size(); ++i) testing::write_file(temp / log->names[i], log->contents[i]);
  const fs::path snapshot = temp / "snapshot";
  const Corpus first(temp.path());
  const std::string summary = summary_of(first.view());
  first.save(snapshot);
  const std::string good = testing::read_file(snapshot);
  const auto refusal = [&](bool compat = false) {
    const Corpus corpus(temp.path(), {.threads = 1, .compat = compat, .snapshot = snapshot});
    if (!compat) CHECK((summary_of(corpus.view()) == summary));
    return corpus.snapshot_refused();
  };
  CHECK(refusal() == "");
  CHECK(refusal(true) == "it was made with another value of compat");

  std::mt19937 random(1);
  int refused = 0;
  for (int i = 0; i < 200; ++i) {
    std::string bad = good;
    bad[random() % bad.size()] ^= static_cast<char>(1U << random() % 8);
    testing::write_file(snapshot, bad);
    // What only fills a page may change.
    if (!refusal().empty()) ++refused;
  }
  CHECK(refused > 100);
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{7}, std::size_t{15}, std::size_t{100}, good.size() / 2, good.size() - 4096}) {
    testing::write_file(snapshot, good.substr(0, size));
    CHECK(refusal() != "");
  }
  fs::remove(snapshot);
  CHECK(refusal().find("No such file") != std::string::npos);

  testing::write_file(snapshot, good);
  CHECK(refusal() == "");
  const fs::path middle = temp / log->names[1];
  SUBCASE("a file was written again") {
    testing::write_file(temp / "other", log->contents[1]);
    fs::rename(temp / "other", middle);
    CHECK(refusal() == log->names[1] + " is not what it was then");
  }
  SUBCASE("a file is gone") {
    fs::rename(middle, temp / "gone");
    CHECK(Corpus(temp.path(), with_snapshot(snapshot)).snapshot_refused().find("other files") != std::string::npos);
  }
  SUBCASE("the last file ends otherwise") {
    std::string other = log->contents[2];
    other[other.size() - 5] ^= 1;
    testing::write_file(temp / log->names[2], other);
    CHECK(Corpus(temp.path(), with_snapshot(snapshot)).snapshot_refused() ==
          log->names[2] + " is not what it was then");
  }
}
