// A log, as a corpus takes it in: in one go, in two updates, and from a snapshot in between, it says the same, whatever
// the bytes are.
#include <maintner/corpus.h>
#include <maintner/reclog.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

#include <unistd.h>

#include "maintner/summary_of_view.h"

namespace fs = std::filesystem;
using maintner::Corpus;

namespace {

void require(bool right) {
  if (!right) std::abort();
}

const fs::path& directory() {
  static const fs::path made = [] {
    std::string name = (fs::is_directory("/dev/shm") ? "/dev/shm" : "/tmp") + std::string("/fuzz-corpus.XXXXXX");
    require(::mkdtemp(name.data()) != nullptr);
    std::atexit([] { fs::remove_all(directory()); });
    return fs::path(name);
  }();
  return made;
}

void write(const fs::path& file, std::string_view bytes) {
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
}

/// The input's pieces, each behind a size of one byte or two, as records: most inputs are no records at all.
std::string as_records(std::string_view input) {
  std::string log;
  while (input.size() > 1) {
    std::size_t size = static_cast<unsigned char>(input[0]);
    input.remove_prefix(1);
    if (size >= 0x80) {
      size = (size & 0x7fU) << 8U | static_cast<unsigned char>(input[0]);
      input.remove_prefix(1);
    }
    const std::string_view payload = input.substr(0, size);
    input.remove_prefix(payload.size());
    log += maintner::framed(log.size(), payload);
  }
  return log;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string log = (input[0] & 1) != 0 ? as_records(input.substr(2)) : std::string(input.substr(2));
  const std::size_t cut = log.size() * static_cast<unsigned char>(input[1]) / 256;
  const fs::path file = directory() / "maintner-1.mutlog", snapshot = directory() / "snapshot";
  write(file, log);
  const Corpus whole(directory(), {.threads = 1, .compat = false, .snapshot = {}});
  const std::string summary = testing::summary_of(whole.view());
  write(file, std::string_view(log).substr(0, cut));
  Corpus growing(directory(), {.threads = 2, .compat = false, .snapshot = {}});
  growing.save(snapshot);
  write(file, log);
  growing.update();
  const Corpus reopened(directory(), {.threads = 1, .compat = false, .snapshot = snapshot});
  require(testing::summary_of(growing.view()) == testing::summary_of(reopened.view()));
  // Where a log is damaged, what is passed over depends on how much of it there is.
  if (whole.problem_count() == 0 && growing.problem_count() == 0)
    require(testing::summary_of(growing.view()) == summary);
  return 0;
}
