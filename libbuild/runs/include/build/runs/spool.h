// The output of one run, in files: written by its supervisor while others read.
//
// Output has offsets, from 0, that never shift. The beginning is kept whole, up to a cap (`head`), and behind it the
// newest bytes, in a ring (`tail`). What lies between was left out: a reader that asks for it is told where output goes
// on. When the disk is full, the head ends early and the ring is what was set aside for it at the start.
//
// Format: docs/run-spool.md. A spool has one writer, and readers in any number of processes; a reader sees each byte as
// it was written, or is told that it is gone.
//
// Threads: a SpoolWriter is used by one thread at a time, a SpoolReader by any number. Calls block on files only.
// Errors: std::system_error naming the file.
#pragma once

#include <build/base/file.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

namespace build::runs {

struct SpoolLimits {
  std::uint64_t head = 192ull << 20;  ///< bytes kept from the beginning
  std::uint64_t tail = 64ull << 20;   ///< bytes kept from the end, at least kSetAside
  /// Of the tail, made sure of before the run begins: the end of the output is kept on a full disk, too.
  static constexpr std::uint64_t kSetAside = 64 << 10;

  /// A quarter of `cap` for the tail, the rest for the head.
  static SpoolLimits of(std::uint64_t cap);
};

struct SpoolState;

/// A mapped SpoolState: what the writer and the readers share.
class SpoolIndex {
 public:
  SpoolIndex() = default;
  SpoolIndex(const base::UniqueFd& fd, bool writable);
  SpoolIndex(SpoolIndex&& other) noexcept;
  SpoolIndex& operator=(SpoolIndex&& other) noexcept;
  ~SpoolIndex();
  SpoolState* operator->() const noexcept { return state_; }

 private:
  SpoolState* state_ = nullptr;
};

class SpoolWriter {
 public:
  /// Makes the files in the directory open as `directory`, which has none. Throws if there is not even room for what
  /// is set aside.
  SpoolWriter(int directory, SpoolLimits limits);

  /// Never fails for lack of room.
  void append(const char* bytes, std::size_t size);
  /// No more will come.
  void close();
  std::uint64_t size() const noexcept { return size_; }
  /// Bytes that can be appended before any at `offset` or behind it are left out, whatever becomes of the disk. Not 0
  /// for a reader who has read everything.
  std::uint64_t room_behind(std::uint64_t offset) const noexcept;

 private:
  std::size_t append_to_head(const char* bytes, std::size_t size);
  void append_to_tail(const char* bytes, std::size_t size, std::uint64_t at);
  void begin_tail();

  SpoolLimits limits_;
  base::UniqueFd head_, tail_;
  SpoolIndex index_;
  std::uint64_t size_ = 0;
  std::uint64_t head_size_ = 0;
  std::uint64_t tail_capacity_ = 0;  ///< 0: the head goes on
};

class SpoolReader {
 public:
  /// `directory` is open, and needed only for the call. Throws if it holds no spool, or one in another format.
  explicit SpoolReader(int directory);

  /// Bytes so far, of which some may be gone.
  std::uint64_t size() const noexcept;
  /// No more will come; size() is final.
  bool closed() const noexcept;

  struct Piece {
    std::uint64_t offset = 0;  ///< of its first byte: greater than what was asked for if bytes before it are gone
    std::size_t size = 0;      ///< 0: there is nothing at or after that offset yet
  };
  /// Copies what is there from `offset` on.
  Piece read(std::uint64_t offset, char* into, std::size_t capacity) const;
  /// The same without waiting for a disk. Nothing if it would have to, or if the file system does not say.
  std::optional<Piece> read_cached(std::uint64_t offset, char* into, std::size_t capacity) const;

  /// What is gone for good: bytes in [begin, end); none if both are equal. While the run goes on `end` grows.
  struct Gap {
    std::uint64_t begin = 0, end = 0;
  };
  Gap gap() const noexcept;
  /// Bytes that are kept of what comes after the beginning; 0 as long as all is kept.
  std::uint64_t tail_capacity() const noexcept;

 private:
  enum class Disk { wait, avoid };
  std::optional<Piece> read(std::uint64_t offset, char* into, std::size_t capacity, Disk disk) const;

  base::UniqueFd head_, tail_;
  SpoolIndex index_;
};

}  // namespace build::runs
