// The file of a segment that grows, in a follower's cache.
#pragma once

#include <build/base/digest.h>
#include <build/base/file.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace maintner {

/// Blocks; for one thread at a time. Throws std::system_error, naming the file. Other processes may append to the file,
/// or put another one in its place, while its directory is not locked.
class GrowingFile {
 public:
  /// Makes it if it is missing, and reads all that is there.
  explicit GrowingFile(std::filesystem::path file);

  /// Whether it still has its name and all its bytes.
  bool is_there() const;
  /// Reads what somebody else has appended.
  void catch_up();
  void append(std::string_view bytes);
  /// Under its new name it is not changed any more.
  void rename(const std::filesystem::path& to);

  std::uint64_t size() const noexcept { return size_; }
  /// Of all of it.
  std::string sha224() const { return digest_.hex(); }
  const std::filesystem::path& path() const noexcept { return file_; }
  std::shared_ptr<const build::base::UniqueFd> open() const noexcept { return fd_; }

 private:
  std::filesystem::path file_;
  std::shared_ptr<build::base::UniqueFd> fd_;
  ino_t inode_ = 0;
  dev_t device_ = 0;
  std::uint64_t size_ = 0;
  build::base::Sha224 digest_;
};

}  // namespace maintner
