// Memory that is used again and again, and that the system need not provide before it is written to.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace pargzip {

class Buffer {
 public:
  char* data() { return data_.get(); }
  const char* data() const { return data_.get(); }
  std::size_t capacity() const { return capacity_; }

  /// What was in it is lost if it has to grow.
  void reserve(std::size_t size) {
    if (size <= capacity_) return;
    data_.reset();
    capacity_ = 0;
    data_ = std::make_unique_for_overwrite<char[]>(size);
    capacity_ = size;
  }

 private:
  std::unique_ptr<char[]> data_;
  std::size_t capacity_ = 0;
};

}  // namespace pargzip
