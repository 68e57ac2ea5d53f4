// The bytes of a whole log, at addresses that do not change as long as this lives: views of them may be kept, and a
// position in 36 bits says where they are.
#pragma once

#include <build/base/file.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace maintner {

struct GuardedRange;

/// An address range that is reserved at once and filled from its beginning: each file of the log begins on a page of
/// its own and lies there in one piece. What a file has when it comes is mapped, but for its last page; what is added
/// to it later is read. Only the last file grows.
///
/// Who makes a mapped file shorter takes bytes away that were handed out. A handler of SIGBUS puts zero bytes in their
/// place and remembers it: no reader is killed, damaged() says so from then on, and what is read there is wrong. It is
/// installed by the first of these, stays, and hands every other SIGBUS to the handler that was there before.
///
/// add() and extend() are for one thread at a time, keep() for any; what is read may be read by any, meanwhile too.
class LogSpace {
 public:
  static constexpr std::uint64_t kCapacity = std::uint64_t{1} << 36;
  /// Of that, the end is for keep().
  static constexpr std::uint64_t kForKeeping = std::uint64_t{1} << 30;

  /// Throws std::system_error if so many addresses cannot be had. They take no memory.
  explicit LogSpace(std::uint64_t capacity = kCapacity);
  ~LogSpace();
  LogSpace(const LogSpace&) = delete;
  LogSpace& operator=(const LogSpace&) = delete;

  /// The next file, as long as it was when it was opened, `size` bytes. Returns where it begins. Throws
  /// std::system_error, naming `file`.
  std::uint64_t add(const build::base::UniqueFd& fd, std::uint64_t size, const std::filesystem::path& file);
  /// Makes the file that was added last longer. Throws std::system_error, naming `file`; also if the file is shorter.
  void extend(const build::base::UniqueFd& fd, std::uint64_t size, const std::filesystem::path& file);
  /// A copy of bytes that are in no file. Throws std::system_error.
  std::string_view keep(std::string_view bytes);
  /// All that was kept, in order.
  std::string_view kept() const noexcept { return {kept_begin_, static_cast<std::size_t>(kept_ - kept_begin_)}; }

  std::uint64_t position_of(const char* byte) const noexcept { return static_cast<std::uint64_t>(byte - begin_); }
  const char* at(std::uint64_t position) const noexcept { return begin_ + position; }
  /// Whether something of what was mapped is gone.
  bool damaged() const noexcept;

 private:
  void read(const build::base::UniqueFd& fd, std::uint64_t offset, std::uint64_t end,
            const std::filesystem::path& file);

  char* begin_ = nullptr;
  std::uint64_t capacity_;
  std::uint64_t last_begin_ = 0, last_size_ = 0;  ///< where the last file is
  std::uint64_t readable_ = 0;                    ///< up to here there is memory; in whole pages
  std::mutex keeping_;
  char *kept_begin_ = nullptr, *kept_ = nullptr, *kept_end_ = nullptr;
  GuardedRange* guard_ = nullptr;
};

}  // namespace maintner
