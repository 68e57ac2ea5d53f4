#include "input.h"

#include <algorithm>
#include <cstring>

namespace pargzip {
namespace {

constexpr std::size_t kReadSize = std::size_t{256} << 10;
constexpr std::size_t kSmallestRead = std::size_t{64} << 10;

}  // namespace

void Input::make_room(std::size_t size) {
  if (begin_ == end_) begin_ = end_ = 0;
  if (buffer_.capacity() - end_ >= size) return;
  const std::size_t held = end_ - begin_;
  if (buffer_.capacity() >= held + size) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, held);
  } else {
    Buffer larger;
    // Small at first: most files are.
    larger.reserve(
        std::max({kSmallestRead, held + size, std::min(4 * buffer_.capacity(), kReadSize), buffer_.capacity() + held}));
    if (held > 0) std::memcpy(larger.data(), buffer_.data() + begin_, held);
    buffer_ = std::move(larger);
  }
  begin_ = 0;
  end_ = held;
}

bool Input::more() {
  if (ended_) return false;
  make_room(kSmallestRead);
  const std::size_t size = source_(std::span(buffer_.data() + end_, buffer_.capacity() - end_));
  ended_ = size == 0;
  end_ += size;
  return !ended_;
}

bool Input::at_least(std::size_t size) {
  while (end_ - begin_ < size) {
    // All at once, not step by step with a copy for each.
    if (!ended_) make_room(std::max(size - (end_ - begin_), kSmallestRead));
    if (!more()) return false;
  }
  return true;
}

std::size_t Input::give_away(std::size_t size, Buffer& buffer) {
  const std::size_t begin = begin_, rest = end_ - begin_ - size;
  buffer.reserve(std::max(kReadSize, rest + kSmallestRead));
  if (rest > 0) std::memcpy(buffer.data(), buffer_.data() + begin + size, rest);
  std::swap(buffer, buffer_);
  offset_ += size;
  begin_ = 0;
  end_ = rest;
  return begin;
}

}  // namespace pargzip
