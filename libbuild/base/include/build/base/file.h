// Files that must not be lost, torn or shared by accident. All of it blocks: call it from main or on a
// BlockingPool. Errors are std::runtime_error (std::system_error where the kernel said why) naming the path.
#pragma once

#include <cstddef>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace build::base {

/// Closes a descriptor when it goes. -1 is none.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  ~UniqueFd() { reset(); }

  int get() const noexcept { return fd_; }
  bool valid() const noexcept { return fd_ >= 0; }
  int release() noexcept {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }
  void reset(int fd = -1) noexcept;

 private:
  int fd_ = -1;
};

/// All of a file of at most `limit` bytes; a larger one is an error, not a truncation.
std::string read_file(const std::filesystem::path& file, std::size_t limit);

/// Puts `content` under the name `file` so that after a crash either the old or the new file is there, whole:
/// a temporary file in the same directory, written, fsynced and renamed, then the directory fsynced.
/// The file gets exactly `mode` (0600 for secrets), whatever the umask.
void write_file_atomically(const std::filesystem::path& file, std::string_view content, mode_t mode = 0644);

/// Makes `directory` (and missing parents, 0755) with mode 0700, or checks that it is a directory that
/// belongs to this user and closes it to others if it was open.
void ensure_private_directory(const std::filesystem::path& directory);

/// Somebody else has the lock. what() is a sentence that names the file and the holder's process id.
class LockedError : public std::runtime_error {
 public:
  LockedError(const std::string& sentence, pid_t holder) : std::runtime_error(sentence), holder_(holder) {}
  /// 0 if the holder did not say.
  pid_t holder() const noexcept { return holder_; }

 private:
  pid_t holder_;
};

/// An exclusive lock, held as long as this object (or its process) lives. The file stays behind, which is
/// harmless: only the kernel's lock counts. A second LockFile on the same file is refused, also in the same process.
/// While the process that held it is gone but a child of it has not let go yet, the constructor waits, at most a
/// second.
class LockFile {
 public:
  /// Makes the file (0600) if it is missing, takes the lock without waiting, and writes this process's id into it.
  /// Throws LockedError if it is held.
  explicit LockFile(const std::filesystem::path& file);

 private:
  UniqueFd fd_;
};

}  // namespace build::base
