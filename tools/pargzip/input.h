// What is read: a file, or standard input.
#pragma once

#include "file.h"

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <sys/stat.h>

namespace pargzip::tool {

class Input {
 public:
  enum class Links { follow, refuse };

  static Input standard();
  /// nullopt, with errno, if it cannot be opened. A fifo is not waited for.
  static std::optional<Input> open(const std::string& path, Links links);

  Input(Input&& other) noexcept;

  const std::string& name() const { return name_; }
  int fd() const { return fd_.get(); }
  const struct stat& status() const { return status_; }
  bool is_standard() const { return standard_; }
  /// How much there is to be read, if that can be known.
  std::optional<std::uint64_t> size() const;

  /// The beginning: two bytes at least if there are two, up to 64 KiB if they are there already. read() gives them
  /// again. Throws FileError.
  std::span<const char> peek();
  /// At least one byte, 0 at the end. Throws FileError. Any thread, one at a time.
  std::size_t read(std::span<char> into);
  /// How much has been read. Any thread.
  std::uint64_t taken() const { return taken_.load(std::memory_order_relaxed); }

 private:
  Input(Fd fd, std::string name, bool standard);

  Fd fd_;
  std::string name_;
  struct stat status_ {};
  bool standard_;
  std::vector<char> peeked_;
  std::size_t given_ = 0;  ///< of peeked_
  std::atomic<std::uint64_t> taken_ = 0;
};

}  // namespace pargzip::tool
