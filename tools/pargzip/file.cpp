#include "file.h"

#include <cerrno>

#include <fcntl.h>
#include <poll.h>

namespace pargzip::tool {

namespace {

/// Of a descriptor that somebody made non-blocking. False if errno is of another kind.
bool wait_if_blocked(int fd, short events) {
  if (errno == EINTR) return true;
  if (errno != EAGAIN && errno != EWOULDBLOCK) return false;
  pollfd wanted{fd, events, 0};
  return ::poll(&wanted, 1, -1) >= 0 || errno == EINTR;
}

}  // namespace

FileError::FileError(std::string name)
    : std::runtime_error(std::generic_category().message(errno)), name_(std::move(name)) {}

void fill_closed_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    // The lowest number that is free, so this one. To be read where we write, and the other way round.
    [[maybe_unused]] const int opened = ::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

std::size_t read_some(int fd, std::span<char> into, const std::string& name) {
  for (;;) {
    const ssize_t count = ::read(fd, into.data(), into.size());
    if (count >= 0) return static_cast<std::size_t>(count);
    if (!wait_if_blocked(fd, POLLIN)) throw FileError(name);
  }
}

void write_all(int fd, std::span<const char> bytes, const std::string& name) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    } else if (!wait_if_blocked(fd, POLLOUT)) {
      throw FileError(name);
    }
  }
}

}  // namespace pargzip::tool
