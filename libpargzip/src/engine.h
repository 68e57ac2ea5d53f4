// What does the compressing and inflating: libdeflate, ISA-L, zlib, as far as they were there when this was configured.
//
// Everything here is raw deflate (RFC 1951). An object is used by one thread at a time; all of them throw
// std::bad_alloc when made, and nothing later.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace pargzip::engine {

class Compressor {
 public:
  virtual ~Compressor() = default;
  /// How many bytes of `out` hold all of `in`, the file's chunk with this number; 0 if they do not suffice.
  virtual std::size_t compress(std::span<const char> in, std::span<char> out, std::uint64_t number) = 0;
};

/// Inflates what lies in memory as a whole.
class BlockInflater {
 public:
  virtual ~BlockInflater() = default;
  /// Whether `in` is one deflate stream and no more, and just fills `out`.
  virtual bool inflate(std::span<const char> in, std::span<char> out) = 0;
};

/// Inflates piece by piece.
class StreamInflater {
 public:
  enum class Status { more, end, bad };
  struct Step {
    std::size_t consumed = 0, produced = 0;
    Status status = Status::more;
  };
  virtual ~StreamInflater() = default;
  /// A new stream begins.
  virtual void reset() = 0;
  /// Goes on until `out` is full, or it needs more than `in` (then it consumed all of it).
  virtual Step step(std::span<const char> in, std::span<char> out) = 0;
  /// After the end: bytes that were consumed and do not belong to the stream, at most 8.
  virtual std::span<const char> leftover() const { return {}; }
};

/// `level` is 1 to 12 (levels.cpp says which engine that is).
std::unique_ptr<Compressor> make_compressor(int level);
std::unique_ptr<BlockInflater> make_block_inflater();
std::unique_ptr<StreamInflater> make_stream_inflater();

/// Goes on from `crc`; 0 at the beginning.
std::uint32_t crc32(std::uint32_t crc, std::span<const char> bytes);

}  // namespace pargzip::engine
