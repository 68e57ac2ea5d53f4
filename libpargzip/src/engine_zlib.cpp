// zlib, where libdeflate is not to be had.
#include <zlib.h>

#include <algorithm>
#include <limits>
#include <new>

#include "engines.h"

namespace pargzip::engine {
namespace {

Bytef* bytef(const char* data) { return reinterpret_cast<Bytef*>(const_cast<char*>(data)); }
uInt piece_size(std::size_t size) {
  return static_cast<uInt>(std::min<std::size_t>(size, std::numeric_limits<uInt>::max()));
}

class ZlibCompressor final : public Compressor {
 public:
  explicit ZlibCompressor(int level) {
    if (deflateInit2(&state_, level, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY) != Z_OK) throw std::bad_alloc();
  }
  ~ZlibCompressor() override { deflateEnd(&state_); }
  ZlibCompressor(const ZlibCompressor&) = delete;
  ZlibCompressor& operator=(const ZlibCompressor&) = delete;

  std::size_t compress(std::span<const char> in, std::span<char> out, std::uint64_t) override {
    deflateReset(&state_);
    state_.next_in = bytef(in.data());
    state_.avail_in = piece_size(in.size());
    state_.next_out = bytef(out.data());
    state_.avail_out = piece_size(out.size());
    return deflate(&state_, Z_FINISH) == Z_STREAM_END ? state_.total_out : 0;
  }

 private:
  z_stream state_{};
};

}  // namespace

std::unique_ptr<Compressor> make_zlib_compressor(int level) { return std::make_unique<ZlibCompressor>(level); }

std::uint32_t crc32(std::uint32_t crc, std::span<const char> bytes) {
  return static_cast<std::uint32_t>(::crc32_z(crc, bytef(bytes.data()), bytes.size()));
}

}  // namespace pargzip::engine
