// Bringing a log of daily files (reclog.h) into segments, and keeping up with it: what a leader writes to a directory
// can so be served.
#pragma once

#include <maintner/segment_store.h>

#include <cstdint>
#include <filesystem>

namespace maintner {

/// Blocks; for one thread at a time.
class LogCopier {
 public:
  /// Goes through what the store has already, which must be the beginning of the log in `directory`. Throws
  /// std::runtime_error if it is not; RecordError or std::system_error if the log cannot be read.
  LogCopier(std::filesystem::path directory, SegmentStore& store);

  /// Appends what is new, and commits. Returns how many records that were. A record that is torn at the log's end is
  /// being written: its turn comes later. Throws std::runtime_error, naming the file, if the log is damaged or has lost
  /// something; std::system_error. What was copied before stays.
  std::uint64_t copy();

 private:
  /// Calls `take` with each payload from here on. It says whether it wants more.
  template <typename Take>
  void go_on(Take take);

  std::filesystem::path directory_;
  SegmentStore& store_;
  std::filesystem::path file_;  ///< at which it is; empty: before the first
  std::uint64_t offset_ = 0;    ///< in it
};

}  // namespace maintner
