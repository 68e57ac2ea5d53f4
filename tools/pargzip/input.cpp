#include "input.h"

#include <algorithm>

#include <fcntl.h>
#include <sys/stat.h>

namespace pargzip::tool {

namespace {

constexpr std::size_t kPeek = 64 << 10, kMagic = 2;

}  // namespace

Input::Input(Fd fd, std::string name, bool standard) : fd_(std::move(fd)), name_(std::move(name)), standard_(standard) {
  if (::fstat(fd_.get(), &status_) != 0) throw FileError(name_);
}

Input::Input(Input&& other) noexcept
    : fd_(std::move(other.fd_)),
      name_(std::move(other.name_)),
      status_(other.status_),
      standard_(other.standard_),
      peeked_(std::move(other.peeked_)),
      given_(other.given_),
      taken_(other.taken()) {}

Input Input::standard() {
  // A copy, so that what is closed is ours.
  const int fd = ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
  if (fd < 0) throw FileError("stdin");
  return {Fd(fd), "stdin", true};
}

std::optional<Input> Input::open(const std::string& path, Links links) {
  const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (links == Links::refuse ? O_NOFOLLOW : 0);
  Fd fd(::open(path.c_str(), flags));
  if (!fd) return std::nullopt;
  return Input(std::move(fd), path, false);
}

std::optional<std::uint64_t> Input::size() const {
  if (!S_ISREG(status_.st_mode)) return std::nullopt;
  return static_cast<std::uint64_t>(status_.st_size);
}

std::span<const char> Input::peek() {
  if (!peeked_.empty() || taken() > 0) return peeked_;
  peeked_.resize(kPeek);
  std::size_t count = 0;
  // No more than it takes to tell gzip from other things: a pipe may give its bytes slowly.
  while (count < kMagic) {
    const std::size_t more = read_some(fd_.get(), std::span(peeked_).subspan(count), name_);
    if (more == 0) break;
    count += more;
  }
  peeked_.resize(count);
  return peeked_;
}

std::size_t Input::read(std::span<char> into) {
  std::size_t count = 0;
  if (given_ < peeked_.size()) {
    count = std::min(into.size(), peeked_.size() - given_);
    std::copy_n(peeked_.begin() + static_cast<std::ptrdiff_t>(given_), count, into.begin());
    given_ += count;
  } else {
    count = read_some(fd_.get(), into, name_);
  }
  taken_.fetch_add(count, std::memory_order_relaxed);
  return count;
}

}  // namespace pargzip::tool
