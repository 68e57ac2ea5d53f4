// The compressed file as it comes in: bytes that were read and not yet used, in one piece.
#pragma once

#include <pargzip/reader.h>

#include "buffer.h"

namespace pargzip {

class Input {
 public:
  explicit Input(Source source, std::uint64_t offset) : source_(std::move(source)), offset_(offset) {}

  std::span<const char> bytes() const { return {buffer_.data() + begin_, end_ - begin_}; }
  /// Where bytes() begin in the file.
  std::uint64_t offset() const { return offset_; }
  void consume(std::size_t size) {
    begin_ += size;
    offset_ += size;
  }
  /// Makes bytes() longer; calls the source once. False at the end of the file. bytes() move.
  bool more();
  /// The same until they are `size`; false if the file ends before that.
  bool at_least(std::size_t size);
  /// Consumes `size` bytes and gives away the memory that they lie in, for `buffer`. They begin at the returned place.
  std::size_t give_away(std::size_t size, Buffer& buffer);

 private:
  void make_room(std::size_t size);

  Source source_;
  Buffer buffer_;
  std::size_t begin_ = 0, end_ = 0;
  std::uint64_t offset_;
  bool ended_ = false;
};

}  // namespace pargzip
