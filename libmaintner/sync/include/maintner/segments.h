// Segments: what a mutation log is cut into when it is served and copied over the network. Each is a file of framed
// records (reclog.h) whose offsets begin at 0; numbers begin at 0 and have no gaps. The names are those of the Go
// project's maintner (golang.org/x/build/maintner, its object store and its cache directory):
//
//   0000.<SHA-224 of the content, 56 hexadecimal digits>.mutlog   whole, and never changed again ("frozen")
//   0001.growing.mutlog                                           the last one, to which is still appended
//
// All of it blocks. Errors are std::system_error, or std::runtime_error, naming the file.
#pragma once

#include <build/base/file.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace maintner {

struct SegmentName {
  std::uint64_t number = 0;
  std::string sha224;  ///< empty: it grows

  friend bool operator==(const SegmentName&, const SegmentName&) = default;
};

/// Whether it is one as it stands in names: 56 lower-case hexadecimal digits.
bool is_sha224(std::string_view text);
/// Nothing if it is not the name of a segment.
std::optional<SegmentName> parse_segment_name(std::string_view name);
std::string to_text(const SegmentName& name);

/// A segment as somebody sees it who has its file: no more than `size` of it.
struct Segment {
  std::uint64_t number = 0;
  std::uint64_t size = 0;
  std::string sha224;  ///< of those bytes
  bool frozen = false;
  std::filesystem::path file;  ///< empty if it lies elsewhere than in a file
  /// The file, if it grows: its name is another one once it is frozen.
  std::shared_ptr<const build::base::UniqueFd> open;
};

/// From 0 on, one for each number.
struct SegmentList {
  std::vector<Segment> segments;
  std::uint64_t size = 0;  ///< of all
};

/// What a directory has, by number, one that grows behind those of its number; what is not a segment is left out.
std::vector<SegmentName> segments_in(const std::filesystem::path& directory);

/// The SHA-224 of a file's first `size` bytes. Throws if it has fewer.
std::string sha224_of_file(const std::filesystem::path& file, std::uint64_t size);

}  // namespace maintner
