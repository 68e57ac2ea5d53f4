// A log that is cut at every byte, and one with bits turned over, wherever: nothing that a corpus makes of them may end
// the program, take forever or much memory. For the soak, and for sanitizers.
//
//   corpus_faults [--flips N] [--big DIRECTORY] [LOG-DIRECTORY]
//
// Of the log (golden data maintner-small, if none is named) the beginnings of all files are taken, 20 KB together. The
// big one has 1,000 bits turned over, 100 at a time, and turned back.
#include <maintner/corpus.h>
#include <maintner/reclog.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/resource.h>

#include "summary_of_view.h"
#include "support/support.h"

namespace fs = std::filesystem;
using namespace maintner;

namespace {

struct Outcome {
  std::uint64_t loads = 0, problems = 0, torn = 0, texts = 0;
};

void load(const fs::path& directory, Outcome& outcome) {
  const Corpus corpus(directory, {.threads = 1, .compat = outcome.loads % 2 == 0, .snapshot = {}});
  ++outcome.loads;
  outcome.problems += corpus.problem_count();
  outcome.torn += corpus.torn() ? 1 : 0;
  outcome.texts += testing::summary_of(corpus.view()).size();
}

void print(const char* what, const Outcome& outcome) {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  std::printf("%s: %ju loads, %ju problems named, %ju torn, %ju bytes of answers; peak memory %ld MiB\n", what,
              static_cast<std::uintmax_t>(outcome.loads), static_cast<std::uintmax_t>(outcome.problems),
              static_cast<std::uintmax_t>(outcome.torn), static_cast<std::uintmax_t>(outcome.texts),
              usage.ru_maxrss / 1024);
  std::fflush(stdout);
}

/// Whole records, up to `size` bytes.
std::string beginning(const std::string& log, std::size_t size) {
  RecordReader records(log);
  std::size_t end = 0;
  while (const auto record = records.next()) {
    if (record->end() > size) break;
    end = record->end();
  }
  return log.substr(0, end);
}

std::string small_log(const fs::path& directory) {
  const std::vector<fs::path> files = log_files(directory);
  std::string all;
  for (const fs::path& file : files) {
    const std::string part = beginning(testing::read_file(file), 20'000 / files.size());
    RecordReader records(part);
    while (const auto record = records.next()) all += framed(all.size(), record->payload);
  }
  return all;
}

void cut_everywhere(const std::string& log) {
  testing::TempDir temp;
  Outcome outcome;
  for (std::size_t size = 0; size <= log.size(); ++size) {
    testing::write_file(temp / "maintner-1.mutlog", std::string_view(log).substr(0, size));
    load(temp.path(), outcome);
  }
  print("cut at every byte", outcome);
}

void flip_bits(const std::string& log, int flips) {
  testing::TempDir temp;
  std::mt19937 random(1);
  Outcome outcome;
  for (int i = 0; i < flips; ++i) {
    std::string bad = log;
    for (unsigned left = 1 + random() % 3; left > 0; --left)
      bad[random() % bad.size()] ^= static_cast<char>(1U << random() % 8);
    testing::write_file(temp / "maintner-1.mutlog", bad);
    load(temp.path(), outcome);
  }
  print("bits turned over", outcome);
}

void flip_big(const fs::path& directory) {
  std::mt19937_64 random(1);
  Outcome outcome;
  const std::vector<fs::path> files = log_files(directory);
  for (int round = 0; round < 10; ++round) {
    std::vector<std::pair<fs::path, std::uint64_t>> flipped;
    const auto flip = [](const fs::path& file, std::uint64_t at, unsigned bit) {
      std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
      stream.seekg(static_cast<std::streamoff>(at));
      const char byte = static_cast<char>(stream.get() ^ static_cast<int>(1U << bit));
      stream.seekp(static_cast<std::streamoff>(at));
      stream.put(byte);
    };
    for (int i = 0; i < 100; ++i) {
      const fs::path& file = files[random() % files.size()];
      flipped.emplace_back(file, random() % fs::file_size(file));
      flip(file, flipped.back().second, static_cast<unsigned>(i) % 8);
    }
    {
      const Corpus corpus(directory);
      ++outcome.loads;
      outcome.problems += corpus.problem_count();
      outcome.texts += corpus.view().mutations();
    }
    for (std::size_t i = flipped.size(); i-- > 0;)
      flip(flipped[i].first, flipped[i].second, static_cast<unsigned>(i) % 8);
  }
  print("bits turned over in a big log", outcome);
}

}  // namespace

int main(int argc, char** argv) {
  int flips = 100'000;
  fs::path big, directory;
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    if (arg == "--flips" && i + 1 < argc)
      flips = std::atoi(argv[++i]);
    else if (arg == "--big" && i + 1 < argc)
      big = argv[++i];
    else
      directory = arg;
  }
  if (directory.empty()) {
    const auto golden = testing::golden("maintner-small", "corpus_faults");
    if (!golden) return 77;
    directory = *golden;
  }
  try {
    const std::string log = small_log(directory);
    std::printf("a log of %zu bytes\n", log.size());
    cut_everywhere(log);
    flip_bits(log, flips);
    if (!big.empty()) flip_big(big);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "corpus_faults: %s\n", error.what());
    return 1;
  }
}
