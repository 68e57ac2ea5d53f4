// A mutation log in segments that this process writes: what a log server serves.
//
// Nothing is visible that could be lost: append() writes, commit() returns when all that was appended survives a loss
// of power, and shows it. The original shows at once and stores ten minutes later; what it loses when it is restarted
// splits its followers' history.
//
// The segment that grows is a file of a directory; frozen ones are blobs: files of that directory, too, or elsewhere.
//
// Threads: append() and commit() for one thread at a time; segments() and open() for any. All but segments() block.
#pragma once

#include <build/base/digest.h>
#include <build/base/file.h>
#include <build/blob/blobs.h>
#include <maintner/reclog.h>
#include <maintner/segments.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>

namespace maintner {

class SegmentStore {
 public:
  /// A segment to which so many bytes were appended is full.
  static constexpr std::uint64_t kSegmentSize = 16 << 20;
  /// When a store is opened, a segment that lacks no more than this is full.
  static constexpr std::uint64_t kNearlyFull = 4096;

  /// Makes `directory` if it is missing, takes its lock and reads the segment that grows. A record that is torn there
  /// is cut off: it was never shown. Frozen segments are believed to be what their names say. Throws
  /// build::base::LockedError; std::runtime_error if a segment is missing or there twice; RecordError.
  explicit SegmentStore(const std::filesystem::path& directory, std::uint64_t segment_size = kSegmentSize);
  /// With frozen segments elsewhere: there may be other blobs, and nobody else freezes segments. A segment that is
  /// still in the directory, too, since the process died when it was frozen, is removed from there.
  SegmentStore(const std::filesystem::path& directory, std::shared_ptr<build::blob::Blobs> frozen,
               std::uint64_t segment_size = kSegmentSize);

  /// Records are never split: one that is larger than a segment has one of its own. Throws std::system_error; then all
  /// is as before.
  void append(std::string_view payload);
  /// Throws std::system_error; what was appended since the last time is then not shown.
  void commit();
  /// Called by commit(), on its thread, when there is something new to see. It must not throw.
  void on_commit(std::function<void()> listener) { listener_ = std::move(listener); }

  /// What is visible. Never null; it does not change.
  std::shared_ptr<const SegmentList> segments() const;
  /// One of those. Throws std::system_error or std::runtime_error, naming it.
  std::shared_ptr<const build::blob::Blob> open(const Segment& segment) const;

  /// In which a segment grows.
  const std::filesystem::path& directory() const noexcept { return directory_; }

  /// Bytes of a torn record that were cut off at the start.
  std::uint64_t cut() const noexcept { return cut_; }

 private:
  void add_frozen(const SegmentName& name, std::uint64_t size);
  bool is_frozen_copy(const SegmentName& growing) const;
  void grow(std::uint64_t number);
  void freeze();
  std::uint64_t next_number() const noexcept { return frozen_.segments.size(); }

  std::filesystem::path directory_;
  std::uint64_t segment_size_;
  build::base::LockFile lock_;
  std::shared_ptr<build::blob::Blobs> blobs_;
  std::uint64_t cut_ = 0;
  std::function<void()> listener_;

  SegmentList frozen_;
  std::optional<RecordWriter> writer_;  ///< of the segment that grows, if there is one
  std::shared_ptr<const build::base::UniqueFd> growing_;
  build::base::Sha224 digest_;
  bool dirty_ = false;  ///< not all of it has been shown
  bool taken_ = false;  ///< a blob may not be there yet after a loss of power

  mutable std::mutex visible_mutex_;
  std::shared_ptr<const SegmentList> visible_ = std::make_shared<SegmentList>();
};

}  // namespace maintner
