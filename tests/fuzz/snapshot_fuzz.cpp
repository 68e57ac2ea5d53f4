// A snapshot, or what somebody says is one: it is refused, and the log is read all the same. What lies behind a head is
// looked at only if the head fits the log, so an input may also be changes of the numbers in the right head. Such a one
// may be taken; it crashes nothing.
#include <maintner/corpus.h>
#include <maintner/reclog.h>

#include <libdeflate.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

namespace fs = std::filesystem;

namespace {

void require(bool right) {
  if (!right) std::abort();
}

/// With a log of one issue.
const fs::path& directory() {
  static const fs::path made = [] {
    std::string name = (fs::is_directory("/dev/shm") ? "/dev/shm" : "/tmp") + std::string("/fuzz-snapshot.XXXXXX");
    require(::mkdtemp(name.data()) != nullptr);
    std::atexit([] { fs::remove_all(directory()); });
    constexpr std::string_view kIssue("\x0a\x10\x0a\x06golang\x12\x02go\x18\x03\x68\x01", 18);
    maintner::RecordWriter(fs::path(name) / "maintner-1.mutlog").append(kIssue);
    return fs::path(name);
  }();
  return made;
}

/// A snapshot of the log.
const std::string& right_snapshot() {
  static const std::string bytes = [] {
    const fs::path snapshot = directory() / "right";
    maintner::Corpus(directory(), {.threads = 1, .compat = false, .snapshot = {}}).save(snapshot);
    std::ifstream in(snapshot, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  }();
  return bytes;
}

std::string_view right_head() {
  const std::string& bytes = right_snapshot();
  std::uint32_t size = 0;
  require(bytes.size() > 16);
  std::memcpy(&size, bytes.data() + 8, sizeof size);
  return std::string_view(bytes).substr(16, size);
}

/// Each change is of a number in the right head: one byte says which, the next two what is added to it, which counts
/// pages if it is odd.
std::string changed_head(std::string_view changes) {
  static const std::vector<std::string> parts = [] {
    // Numbers, and what is between them, begins and ends.
    std::vector<std::string> all{""};
    for (const char c : right_head()) {
      const bool digit = c >= '0' && c <= '9';
      if (digit != (all.size() % 2 == 0)) all.emplace_back();
      all.back() += c;
    }
    return all;
  }();
  std::vector<std::string> changed = parts;
  for (; changes.size() >= 3; changes.remove_prefix(3)) {
    const auto which = 1 + 2 * (static_cast<unsigned char>(changes[0]) % (parts.size() / 2));
    std::int16_t add = 0;
    std::memcpy(&add, changes.data() + 1, sizeof add);
    const std::uint64_t step = add % 2 == 0 ? 1 : 4096;
    changed[which] = std::to_string(std::stoull(changed[which]) + static_cast<std::uint64_t>(add / 2) * step);
  }
  std::string head;
  for (const std::string& part : changed) head += part;
  return head;
}

std::size_t padded(std::size_t size) { return (size + 4095) / 4096 * 4096; }

/// A head with the right checksum, which chance would never find, and behind it what is in the right snapshot.
std::string with_checksum(std::string_view head) {
  const auto size = static_cast<std::uint32_t>(head.size());
  const std::uint32_t sum = ::libdeflate_crc32(0, head.data(), head.size());
  std::string file = "xbmaint1";
  file.append(reinterpret_cast<const char*>(&size), sizeof size)
      .append(reinterpret_cast<const char*>(&sum), sizeof sum);
  file.append(head);
  file.resize(padded(file.size()));
  return file + right_snapshot().substr(padded(16 + right_head().size()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const bool is_changed = input.starts_with('!');
  const fs::path snapshot = directory() / "snapshot";
  std::ofstream(snapshot, std::ios::binary | std::ios::trunc)
      << (is_changed               ? with_checksum(changed_head(input.substr(1)))
          : input.starts_with('{') ? with_checksum(input)
                                   : std::string(input));
  const maintner::Corpus corpus(directory(), {.threads = 1, .compat = false, .snapshot = snapshot});
  // Some changes do not matter, how much of the log is in it for one.
  require(is_changed || !corpus.snapshot_refused().empty());
  const auto repo = corpus.view().github().repo("golang", "go");
  require(repo && repo->issue(3) && repo->issue(3)->not_exist());
  return 0;
}
