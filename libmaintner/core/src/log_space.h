// The bytes of a whole log, at addresses that do not change as long as this lives: views of them may be kept, and a
// position in 36 bits says where they are.
#pragma once

#include <build/base/file.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string_view>

namespace maintner {

struct GuardedRange;

/// An address range that is reserved at once and filled from its beginning: files that do not grow any more are mapped
/// into it, what is still being written is copied.
///
/// Who makes a mapped file shorter takes bytes away that were handed out. A handler of SIGBUS puts zero bytes in their
/// place and remembers it: no reader is killed, damaged() says so from then on, and what is read there is wrong. It is
/// installed by the first of these, stays, and hands every other SIGBUS to the handler that was there before.
///
/// map() and keep() are for one thread at a time; all else is for any, meanwhile too.
class LogSpace {
 public:
  static constexpr std::uint64_t kCapacity = std::uint64_t{1} << 36;

  /// Throws std::system_error if so many addresses cannot be had. They take no memory.
  explicit LogSpace(std::uint64_t capacity = kCapacity);
  ~LogSpace();
  LogSpace(const LogSpace&) = delete;
  LogSpace& operator=(const LogSpace&) = delete;

  /// The first `size` bytes of a file; `file` is for what a failure says. Throws std::system_error.
  std::string_view map(const build::base::UniqueFd& fd, std::uint64_t size, const std::filesystem::path& file);
  /// A copy. Throws std::system_error.
  std::string_view keep(std::string_view bytes);

  std::uint64_t position_of(const char* byte) const noexcept { return static_cast<std::uint64_t>(byte - begin_); }
  const char* at(std::uint64_t position) const noexcept { return begin_ + position; }
  /// Whether something of what was mapped is gone.
  bool damaged() const noexcept;

 private:
  /// The next whole pages, for `size` bytes.
  char* take_pages(std::uint64_t size);

  char* begin_ = nullptr;
  std::uint64_t capacity_, used_ = 0;           ///< bytes; used_ in whole pages
  char *kept_ = nullptr, *kept_end_ = nullptr;  ///< where copies go
  GuardedRange* guard_ = nullptr;
};

}  // namespace maintner
