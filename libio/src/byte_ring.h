// A bounded queue of bytes in one circular block, which is allocated with the first byte.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>

namespace io {

class ByteRing {
 public:
  explicit ByteRing(std::size_t capacity) : capacity_(std::max<std::size_t>(capacity, 1)) {}

  std::size_t size() const { return size_; }
  std::size_t room() const { return capacity_ - size_; }
  std::size_t capacity() const { return capacity_; }
  bool empty() const { return size_ == 0; }

  /// Takes as many of `bytes` as there is room for; returns how many.
  std::size_t put(std::span<const char> bytes) {
    if (!block_) block_ = std::make_unique_for_overwrite<char[]>(capacity_);
    const std::size_t count = std::min(bytes.size(), room());
    const std::size_t tail = (head_ + size_) % capacity_;
    const std::size_t straight = std::min(count, capacity_ - tail);
    std::copy_n(bytes.data(), straight, block_.get() + tail);
    std::copy_n(bytes.data() + straight, count - straight, block_.get());
    size_ += count;
    return count;
  }

  /// Moves out at most into.size() bytes; returns how many.
  std::size_t take(std::span<char> into) {
    const std::size_t count = std::min(into.size(), size_);
    const std::size_t straight = std::min(count, capacity_ - head_);
    std::copy_n(block_.get() + head_, straight, into.data());
    std::copy_n(block_.get(), count - straight, into.data() + straight);
    size_ -= count;
    head_ = size_ == 0 ? 0 : (head_ + count) % capacity_;
    return count;
  }

  void clear() {
    head_ = size_ = 0;
    block_.reset();
  }

 private:
  std::size_t capacity_;
  std::size_t head_ = 0;
  std::size_t size_ = 0;
  std::unique_ptr<char[]> block_;
};

}  // namespace io
