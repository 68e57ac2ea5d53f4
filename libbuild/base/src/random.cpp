#include <build/base/random.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include <sys/random.h>

namespace build::base {

std::uint64_t RandomSource::next() {
  std::uint64_t value = 0;
  fill(std::as_writable_bytes(std::span(&value, 1)));
  return value;
}

std::uint64_t RandomSource::below(std::uint64_t bound) {
  if (bound == 0) return 0;
  // Values under `unfair` would make some results likelier than others.
  const std::uint64_t unfair = (0 - bound) % bound;
  std::uint64_t value = next();
  while (value < unfair) value = next();
  return value % bound;
}

void SystemRandom::fill(std::span<std::byte> into) {
  while (!into.empty()) {
    const ssize_t got = getrandom(into.data(), into.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw std::system_error(errno, std::generic_category(), "cannot get random bytes from the kernel");
    into = into.subspan(static_cast<std::size_t>(got));
  }
}

void SeededRandom::fill(std::span<std::byte> into) {
  while (!into.empty()) {
    state_ += 0x9e3779b97f4a7c15;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    mixed ^= mixed >> 31;
    const std::size_t count = std::min(into.size(), sizeof mixed);
    std::memcpy(into.data(), &mixed, count);
    into = into.subspan(count);
  }
}

}  // namespace build::base
