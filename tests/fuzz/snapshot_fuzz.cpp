// A snapshot, or what somebody says is one: it is refused, or fits the log; the log is read in any case.
#include <maintner/corpus.h>
#include <maintner/reclog.h>

#include <libdeflate.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

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

/// A head with the right checksum, which chance would never find.
std::string with_checksum(std::string_view head) {
  const auto size = static_cast<std::uint32_t>(head.size());
  const std::uint32_t sum = ::libdeflate_crc32(0, head.data(), head.size());
  std::string file = "xbmaint1";
  file.append(reinterpret_cast<const char*>(&size), sizeof size)
      .append(reinterpret_cast<const char*>(&sum), sizeof sum);
  file.append(head);
  file.resize((file.size() + 4095) / 4096 * 4096 + 8192);
  return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const fs::path snapshot = directory() / "snapshot";
  std::ofstream(snapshot, std::ios::binary | std::ios::trunc)
      << (input.starts_with('{') ? with_checksum(input) : std::string(input));
  const maintner::Corpus corpus(directory(), {.threads = 1, .compat = false, .snapshot = snapshot});
  require(!corpus.snapshot_refused().empty());
  const auto repo = corpus.view().github().repo("golang", "go");
  require(repo && repo->issue(3) && repo->issue(3)->not_exist());
  return 0;
}
