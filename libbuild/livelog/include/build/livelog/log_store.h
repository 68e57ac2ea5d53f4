// Log objects: one file of bytes per run, appended at offsets, read by any number of followers while it grows.
//
// The offset of a byte never changes, and the next offset is the length. Bytes are in the file before a follower is
// told of them; memory use does not depend on the log's length. Lives on one executor (see io/task.h); file
// calls run on the blocking pool. The store must outlive its writers and every call; docs/livelog.md describes the
// files.
//
// A run's id names its file: 1 to 200 of A-Z a-z 0-9 . _ -, not beginning with a dot. Ids that are not like that come
// from outside and are simply unknown to info() and read(); open_writer() throws std::invalid_argument.
#pragma once

#include <build/model/ids.h>
#include <io/blocking_pool.h>
#include <io/byte_stream.h>
#include <io/event.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string_view>

namespace build::livelog {

class LogStore;

/// A log that is being written. One call at a time; a call that was begun ends before the writer is destroyed.
class Writer {
 public:
  ~Writer();  ///< a log whose writer goes without finish() stays readable and counts as cut short; followers end
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  std::uint64_t size() const noexcept;
  /// Appends `bytes` at `offset`, which must be size() (what lies below is already there and is skipped;
  /// an offset beyond throws std::invalid_argument). Throws std::runtime_error naming the file when the disk fails;
  /// size() is then what it was, and the same bytes may be appended again. Cancellation does not interrupt it.
  /// After finish() throws std::logic_error.
  io::Task<> append(std::uint64_t offset, std::string_view bytes);
  /// No more will come; followers end. When it returns the log is on the disk to stay. Throws like append().
  io::Task<> finish();

 private:
  friend class LogStore;
  struct Object;
  Writer(std::shared_ptr<Object> object, io::BlockingPool& pool);
  std::shared_ptr<Object> object_;
  io::BlockingPool& pool_;
};

class LogStore {
 public:
  /// `directory` is made if missing (0700).
  LogStore(std::filesystem::path directory, io::Executor executor, io::BlockingPool& pool);
  ~LogStore();
  LogStore(const LogStore&) = delete;
  LogStore& operator=(const LogStore&) = delete;

  /// Begins the log of `run`, or goes on with it after a restart (its size is then what the file holds). Throws
  /// std::runtime_error if the log is finished, has a writer already, or cannot be opened.
  io::Task<std::unique_ptr<Writer>> open_writer(model::RunId run);

  struct Info {
    std::uint64_t size = 0;
    bool growing = false;   ///< it has a writer, here and now
    bool complete = false;  ///< ended by finish(); false for one that grows or was cut short
  };
  /// nullopt if there is no such log.
  io::Task<std::optional<Info>> info(model::RunId run);

  /// Removes a log that has no writer and gives its size in bytes; 0 if there is none. Who reads it at the moment may
  /// find it ended or unknown. Throws std::runtime_error naming the file.
  io::Task<std::uint64_t> remove(model::RunId run);
  /// The bytes of all logs together, counted file by file: it takes a moment, but keeps nothing waiting.
  io::Task<std::uint64_t> total_size();

  /// Bytes from `offset`: at least 1, at most into.size(), which must not be 0. At the end of a growing log: waits
  /// for more if `follow`; 0 means the end (of a finished log, or of what is there now without `follow`). Throws
  /// std::out_of_range for an unknown log, std::runtime_error naming the file when the disk fails. Cancellation ends
  /// the wait with operation_aborted.
  enum class Follow { no, yes };
  io::Task<std::size_t> read(model::RunId run, std::uint64_t offset, io::asio::mutable_buffer into, Follow follow);

 private:
  std::shared_ptr<Writer::Object> growing(const model::RunId& run) const;
  io::Task<std::size_t> read_growing(std::shared_ptr<Writer::Object> object, std::uint64_t offset, std::span<char> into,
                                     Follow follow);

  std::filesystem::path directory_;
  io::Executor executor_;
  io::BlockingPool& pool_;
  /// Logs with a writer, and some that had one until lately.
  std::map<model::RunId, std::weak_ptr<Writer::Object>> growing_;
  std::set<model::RunId> opening_;
  io::Event opened_;  ///< one of them is, or could not be
};

}  // namespace build::livelog
