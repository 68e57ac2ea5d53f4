// Archives of any content, unpacked into a directory made for it: nothing may appear beside that directory.
//
// An odd first byte: the rest is the tar.gz. An even one: the rest is the tar, and gzip is put around it here.

#include <tarutil/extract.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>

#include <fcntl.h>

namespace fs = std::filesystem;

namespace {

/// The work directory lies several levels deep in a directory of its own.
struct Place {
  fs::path root, base;
  Place() {
    std::string pattern = (fs::temp_directory_path() / "tar-fuzz.XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    root = pattern;
    base = root / "a" / "b" / "c" / "d" / "base";
  }
  ~Place() {
    std::error_code ignored;
    fs::remove_all(root, ignored);
  }
};

std::string stored_gzip(std::string_view content) {
  std::string out("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
  do {
    const std::size_t size = std::min<std::size_t>(content.size(), 65535);
    out += size == content.size() ? '\1' : '\0';
    for (const std::size_t value : {size, ~size}) {
      out += static_cast<char>(value & 0xff);
      out += static_cast<char>(value >> 8 & 0xff);
    }
    out += content.substr(0, size);
    content.remove_prefix(size);
  } while (!content.empty());
  return out + std::string(8, '\0');
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Place place;
  if (size == 0) return 0;
  const std::string rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string archive = data[0] % 2 == 1 ? rest : stored_gzip(rest);
  fs::remove_all(place.base);
  fs::create_directories(place.base);
  const tarutil::Fd directory(::open(place.base.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::size_t at = 0;
  const tarutil::Source source = [&](std::span<char> into) {
    const std::size_t count = std::min(into.size(), archive.size() - at);
    std::copy_n(archive.data() + at, count, into.data());
    at += count;
    return count;
  };
  tarutil::ExtractOptions options = tarutil::ExtractOptions::as_original();
  options.limits = {.entries = 100, .total_bytes = 1 << 20, .file_bytes = 1 << 19, .path_bytes = 300, .depth = 10};
  options.method = size % 2 == 0 ? tarutil::Beneath::Method::automatic : tarutil::Beneath::Method::walk;
  // Threads take most of the time, and seldom see more than one file.
  options.threads = size % 16 == 0 ? 2 : 1;
  try {
    tarutil::extract(source, directory.get(), options);
  } catch (const tarutil::ExtractError& error) {
    if (std::string_view(error.what()).empty()) std::abort();
  }
  for (fs::path path = place.base; path != place.root; path = path.parent_path()) {
    const auto siblings = std::distance(fs::directory_iterator(path.parent_path()), fs::directory_iterator());
    if (siblings != 1) std::abort();
  }
  for (const auto& entry : fs::recursive_directory_iterator(place.base)) {
    if (entry.path().filename().string().starts_with(".extract-") || entry.is_symlink()) std::abort();
  }
  return 0;
}
