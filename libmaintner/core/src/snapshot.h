// A corpus as a file, and back: docs/maintner-snapshot.md says what stands in it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "state.h"

namespace maintner {

/// A snapshot that cannot be used. what() says why.
struct SnapshotRefused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// CRC-32, as zlib's.
std::uint32_t checksum(std::string_view bytes) noexcept;

/// A file of the log, as it was.
struct SnapshotFile {
  std::string name;  ///< in the log's directory
  std::uint64_t inode = 0;
  std::int64_t mtime = 0;  ///< nanoseconds since 1970
  std::uint64_t size = 0;  ///< bytes; of the last file: what has been read of it, it may have grown since
  std::uint64_t applied = 0;
  std::uint64_t begin = 0;                     ///< where its first byte is in positions
  std::uint32_t first = 0, last = 0, all = 0;  ///< checksums: of the first and last kFileEnds bytes, and all
};
inline constexpr std::uint64_t kFileEnds = 64 << 10;

struct SnapshotProblem {
  std::size_t file = 0;  ///< in Snapshot::files
  std::uint64_t offset = 0;
  std::string why;
};

/// What it says beside the state.
struct Snapshot {
  bool compat = false;
  std::vector<SnapshotFile> files;
  std::vector<SnapshotProblem> problems;
  std::uint64_t problem_count = 0;
};

/// Throws std::system_error; `file` is whole then, or as it was.
void write_snapshot(const State& state, const Snapshot& snapshot, const std::filesystem::path& file);

/// What a snapshot says of its log. Throws SnapshotRefused, also if it cannot be read.
Snapshot read_snapshot_head(const std::filesystem::path& file);
/// All of it. `check` is asked before much has been read whether the log is as it was then; it throws SnapshotRefused.
/// `threads` look at the checksums.
Snapshot read_snapshot(const std::filesystem::path& file, State& state, unsigned threads,
                       const std::function<void(const Snapshot&)>& check);

}  // namespace maintner
