// Rows that never move: an address range is reserved at once, and filled from its beginning.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <system_error>
#include <type_traits>

#include <sys/mman.h>

namespace maintner {

/// Bytes of a reserved range, of which a growing part is memory. One thread at a time makes it longer; others may read
/// what it was before.
class Reserved {
 public:
  /// Throws std::system_error.
  explicit Reserved(std::uint64_t capacity) : capacity_(capacity) {
    void* const place = ::mmap(nullptr, capacity, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (place == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "cannot reserve addresses");
    begin_ = static_cast<char*>(place);
    // What is looked up all over it is found faster in large pages, where the system has them to give.
    ::madvise(place, capacity, MADV_HUGEPAGE);
  }
  ~Reserved() { ::munmap(begin_, capacity_); }
  Reserved(const Reserved&) = delete;
  Reserved& operator=(const Reserved&) = delete;

  char* begin() const noexcept { return begin_; }
  /// Makes the first `size` bytes memory. Throws std::system_error.
  void need(std::uint64_t size) {
    if (size <= ready_) return;
    // In pieces that grow: a system call for each would be too many.
    constexpr std::uint64_t kPiece = 1 << 20;
    const std::uint64_t wanted = (size + std::max(kPiece, size / 4)) / kPiece * kPiece;
    if (size > capacity_) throw std::system_error(ENOMEM, std::generic_category(), "the corpus is too large");
    const std::uint64_t end = std::min(std::max(wanted, size), capacity_);
    if (::mprotect(begin_ + ready_, end - ready_, PROT_READ | PROT_WRITE) != 0)
      throw std::system_error(errno, std::generic_category(), "cannot get memory for the corpus");
    ready_ = end;
  }
  /// Puts the first `size` bytes at `offset` of a file, a multiple of the page size, in place of what is there. Writing
  /// to them does not write to the file. Nothing has been needed before. Throws std::system_error.
  void map(int fd, std::uint64_t offset, std::uint64_t size) {
    constexpr std::uint64_t kPage = 4096;
    const std::uint64_t whole = (size + kPage - 1) / kPage * kPage;
    if (whole > capacity_) throw std::system_error(ENOMEM, std::generic_category(), "the corpus is too large");
    if (size > 0 && ::mmap(begin_, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, fd,
                           static_cast<off_t>(offset)) == MAP_FAILED)
      throw std::system_error(errno, std::generic_category(), "cannot map a snapshot");
    ready_ = whole;
  }

 private:
  char* begin_ = nullptr;
  std::uint64_t capacity_, ready_ = 0;
};

/// Rows with a number each, from 0 on. Only the last ones, which nobody else has been told of, may still be written.
template <class Row>
class Arena {
  // Nothing between the members: a row's bytes are the same whenever it is.
  static_assert(std::is_trivially_copyable_v<Row> && std::has_unique_object_representations_v<Row>);

 public:
  Arena() : bytes_(kCapacity) {}

  std::uint32_t size() const noexcept { return size_; }
  const Row& operator[](std::uint32_t number) const noexcept { return rows()[number]; }
  Row& operator[](std::uint32_t number) noexcept { return rows()[number]; }
  std::span<const Row> slice(std::uint32_t begin, std::uint32_t count) const noexcept {
    return {rows() + begin, count};
  }

  std::string_view bytes() const noexcept { return {bytes_.begin(), std::size_t{size_} * sizeof(Row)}; }

  /// Room for `count` rows, of zero bytes; returns the first one's number. Throws std::system_error.
  std::uint32_t grow(std::uint32_t count) {
    const std::uint64_t end = std::uint64_t{size_} + count;
    if (end > UINT32_MAX) throw std::system_error(ENOMEM, std::generic_category(), "the corpus is too large");
    bytes_.need(end * sizeof(Row));
    const std::uint32_t first = size_;
    size_ = static_cast<std::uint32_t>(end);
    return first;
  }
  std::uint32_t append(const Row& row) {
    const std::uint32_t number = grow(1);
    rows()[number] = row;
    return number;
  }
  /// Takes the first rows from a file, see Reserved::map().
  void map(int fd, std::uint64_t offset, std::uint32_t count) {
    bytes_.map(fd, offset, std::uint64_t{count} * sizeof(Row));
    size_ = count;
  }

 private:
  static constexpr std::uint64_t kCapacity = std::uint64_t{1} << 35;

  Row* rows() const noexcept { return reinterpret_cast<Row*>(bytes_.begin()); }

  Reserved bytes_;
  std::uint32_t size_ = 0;
};

}  // namespace maintner
