// Archives written byte by byte, and a place to unpack them in that notices what leaves it.
#pragma once

#include <tarutil/extract.h>

#include <doctest/doctest.h>
#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/support.h"

namespace tar_tests {

using namespace tarutil;
namespace fs = std::filesystem;

inline constexpr Beneath::Method kMethods[] = {Beneath::Method::automatic, Beneath::Method::walk};
inline constexpr std::chrono::sys_seconds kNow{std::chrono::seconds{1'700'000'000}};

inline ExtractOptions like_original() {
  ExtractOptions options = ExtractOptions::as_original();
  options.now = kNow;
  return options;
}

struct Entry {
  std::string name, content;
  char type = '0';
  unsigned mode = 0644;
  long mtime = 1'500'000'000;
  std::string link;
};

inline std::string header(const Entry& entry, std::uint64_t size) {
  std::string block(512, '\0');
  const auto put = [&](std::size_t at, const std::string& text) { block.replace(at, text.size(), text); };
  const auto octal = [&](std::size_t at, int width, std::uint64_t value) {
    char text[24];
    std::snprintf(text, sizeof text, "%0*llo", width, static_cast<unsigned long long>(value));
    put(at, text);
  };
  REQUIRE(entry.name.size() <= 100);
  put(0, entry.name);
  octal(100, 7, entry.mode);
  octal(108, 7, 0);
  octal(116, 7, 0);
  octal(124, 11, size);
  octal(136, 11, static_cast<std::uint64_t>(entry.mtime));
  put(148, "        ");
  block[156] = entry.type;
  put(157, entry.link);
  put(257, "ustar");
  put(263, "00");
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  octal(148, 6, sum);
  block[154] = '\0';
  return block;
}

inline std::string tar(const std::vector<Entry>& entries) {
  std::string bytes;
  for (const Entry& entry : entries) {
    bytes += header(entry, entry.content.size()) + entry.content;
    bytes.resize((bytes.size() + 511) / 512 * 512);
  }
  return bytes + std::string(1024, '\0');
}

inline std::string gzip(const std::string& content) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, content.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

/// Gives `bytes` in pieces of at most `piece`.
inline Source source_of(const std::string& bytes, std::size_t piece = SIZE_MAX) {
  return [&bytes, piece, at = std::size_t{0}](std::span<char> into) mutable {
    const std::size_t size = std::min({into.size(), bytes.size() - at, piece});
    std::copy_n(bytes.data() + at, size, into.data());
    at += size;
    return size;
  };
}

/// A directory to unpack into, with something beside it that must stay as it is.
struct Fixture {
  testing::TempDir dir;
  fs::path base = dir / "base";
  ExtractOptions options = like_original();

  Fixture() {
    fs::create_directory(base);
    testing::write_file(dir / "outside" / "victim", "untouched");
  }
  ~Fixture() {
    CHECK(testing::read_file(dir / "outside" / "victim") == "untouched");
    CHECK(count(dir / "outside") == 1);
    CHECK(count(dir.path()) == 2);
    for (const auto& entry : fs::recursive_directory_iterator(base)) {
      CHECK_FALSE(entry.path().filename().string().starts_with(".extract-"));
    }
  }

  static std::size_t count(const fs::path& path) {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(path), fs::directory_iterator()));
  }
  ExtractReport unpack_bytes(const std::string& bytes, std::size_t piece = SIZE_MAX) {
    const Fd fd(::open(base.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return extract(source_of(bytes, piece), fd.get(), options);
  }
  ExtractReport unpack(const std::vector<Entry>& entries) { return unpack_bytes(gzip(tar(entries))); }
  /// The error's text, checked to be of `kind`.
  std::string refusal_of_bytes(ExtractErrorKind kind, const std::string& bytes) {
    try {
      unpack_bytes(bytes);
    } catch (const ExtractError& error) {
      CHECK((error.kind() == kind));
      return error.what();
    }
    return "no error";
  }
  std::string refusal(ExtractErrorKind kind, const std::vector<Entry>& entries) {
    return refusal_of_bytes(kind, gzip(tar(entries)));
  }
  struct stat look(const std::string& name) {
    struct stat status {};
    REQUIRE(::lstat((base / name).c_str(), &status) == 0);
    return status;
  }
};

}  // namespace tar_tests
