// Opening things beneath a directory and nowhere else.
//
// Every path is resolved from an open directory; symbolic links are never followed, ".." never leaves it.
// openat2(2) does that in one call; where it is missing (kernels before 5.6, some sandboxes) the
// path is walked one component at a time with O_NOFOLLOW.
//
// Threads: any; nothing is kept between calls but the descriptor, which must stay open.
#pragma once

#include <tarutil/export.h>

#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <sys/types.h>

namespace tarutil {

/// An open descriptor, closed when it goes; -1 is none.
class TARUTIL_API Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~Fd() { reset(); }

  int get() const noexcept { return fd_; }
  void reset(int fd = -1) noexcept;

 private:
  int fd_ = -1;
};

/// A call on a path failed. what() says it as the original does: "open a/b: no such file or directory".
class TARUTIL_API PathError : public std::system_error {
 public:
  PathError(std::string attempt, std::string path, int error_number);

  const char* what() const noexcept override { return sentence_.c_str(); }
  /// "open", "mkdir"
  const std::string& attempt() const noexcept { return attempt_; }
  const std::string& path() const noexcept { return path_; }
  /// The same error, with the path as it is to be shown: below `directory`, which "." stands for.
  PathError below(const std::string& directory) const;

 private:
  std::string attempt_, path_, sentence_;
};

class TARUTIL_API Beneath {
 public:
  /// automatic: openat2, and the walk where the kernel does not know it. walk: for tests of the latter.
  enum class Method { automatic, walk };

  /// `directory_fd` is borrowed.
  explicit Beneath(int directory_fd, Method method = Method::automatic);

  /// openat(2) beneath the directory, with O_CLOEXEC and O_NOFOLLOW added. `path` is relative and cleaned
  /// (cleaned_path()); "." is the directory itself. Throws PathError; a symbolic link
  /// on the way gives ELOOP (openat2) or ENOTDIR (walk).
  Fd open(std::string_view path, int flags, mode_t mode = 0) const;

  /// Opens the directory `path`, making what is missing on the way with exactly 0755.
  Fd make_directories(std::string_view path) const;

 private:
  int directory_fd_;
  Method method_;
};

}  // namespace tarutil
