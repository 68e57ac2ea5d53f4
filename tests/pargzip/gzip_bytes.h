// Gzip files for tests: made by hand, by zlib, by Writer; and read by zlib alone.
#pragma once

#include <pargzip/reader.h>
#include <pargzip/writer.h>

#include <zlib.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace testing {

/// Lines that compress well: "line 7: the quick brown fox ...".
std::string text(std::size_t size);
/// Bytes that do not compress.
std::string noise(std::size_t size, std::uint64_t seed = 42);

/// Raw deflate by zlib.
std::string deflated(std::string_view content, int level = 6);
std::string little_endian(std::uint64_t value, std::size_t bytes);

/// A member made by hand; every part of it can be another.
struct Member {
  std::string content;
  unsigned flags = 0;
  std::string after_fixed_header;  ///< extra field, name and so on, as `flags` say
  std::optional<std::string> data;
  std::optional<std::uint32_t> crc, length;

  std::string bytes() const;
};

/// An extra field with one subfield, XLEN first.
std::string extra_field(std::string_view id, std::string_view content);
/// A member whose extra field says `size`, its own one unless given.
std::string sized_member(std::string_view content, std::optional<std::uint32_t> size = {});
/// The same as BGZF says it.
std::string bgzf_member(std::string_view content);

std::string compressed(std::string_view content, const pargzip::WriterOptions& options = {});

/// The members of a gzip file as zlib alone sees them.
struct SeenMember {
  std::size_t begin = 0, end = 0;
  std::string header, content;
};
/// nullopt if zlib does not like it.
std::optional<std::vector<SeenMember>> seen_by_zlib(std::string_view file);
/// Their content; fails the test if zlib does not like it.
std::string unzipped(std::string_view file);

/// What a Reader gives, and how it ends.
struct Outcome {
  std::string output;
  std::optional<pargzip::ReadErrorKind> error;
  std::uint64_t offset = 0;
  std::string sentence;
  std::uint64_t members = 0, bytes_in = 0;

  friend bool operator==(const Outcome&, const Outcome&) = default;
};
/// The source gives at most `at_once` bytes each time.
Outcome read_all(std::string_view file, const pargzip::ReaderOptions& options = {}, std::size_t at_once = 1 << 20);
pargzip::Source source_of(std::string_view file, std::size_t at_once = 1 << 20);

}  // namespace testing
