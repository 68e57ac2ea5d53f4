// Descriptors, and reading and writing them whole.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include <unistd.h>

namespace pargzip::tool {

/// An open descriptor, closed when it goes; -1 is none.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  int release() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

/// What the system said about a file: "No such file or directory".
class FileError : public std::runtime_error {
 public:
  /// For the current errno.
  explicit FileError(std::string name);
  FileError(std::string name, const std::string& what) : std::runtime_error(what), name_(std::move(name)) {}
  const std::string& name() const noexcept { return name_; }

 private:
  std::string name_;
};

/// Where a standard stream is closed, opens something in its place that can only fail: no file that is opened later may
/// be taken for it.
void fill_closed_streams();

/// At least one byte, 0 at the end. Throws FileError about `name`.
std::size_t read_some(int fd, std::span<char> into, const std::string& name);
void write_all(int fd, std::span<const char> bytes, const std::string& name);

}  // namespace pargzip::tool
