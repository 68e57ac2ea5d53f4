// libdeflate: whole blocks only, which is what members are.
#include <libdeflate.h>

#include <new>

#include "engines.h"

namespace pargzip::engine {
namespace {

class DeflateCompressor final : public Compressor {
 public:
  explicit DeflateCompressor(int level) : state_(libdeflate_alloc_compressor(level)) {
    if (!state_) throw std::bad_alloc();
  }
  std::size_t compress(std::span<const char> in, std::span<char> out, std::uint64_t) override {
    return libdeflate_deflate_compress(state_.get(), in.data(), in.size(), out.data(), out.size());
  }

 private:
  struct Free {
    void operator()(libdeflate_compressor* state) const { libdeflate_free_compressor(state); }
  };
  std::unique_ptr<libdeflate_compressor, Free> state_;
};

class DeflateInflater final : public BlockInflater {
 public:
  DeflateInflater() : state_(libdeflate_alloc_decompressor()) {
    if (!state_) throw std::bad_alloc();
  }
  bool inflate(std::span<const char> in, std::span<char> out) override {
    std::size_t consumed = 0, produced = 0;
    const libdeflate_result result = libdeflate_deflate_decompress_ex(state_.get(), in.data(), in.size(), out.data(),
                                                                      out.size(), &consumed, &produced);
    return result == LIBDEFLATE_SUCCESS && consumed == in.size() && produced == out.size();
  }

 private:
  struct Free {
    void operator()(libdeflate_decompressor* state) const { libdeflate_free_decompressor(state); }
  };
  std::unique_ptr<libdeflate_decompressor, Free> state_;
};

}  // namespace

std::unique_ptr<Compressor> make_libdeflate_compressor(int level) { return std::make_unique<DeflateCompressor>(level); }
std::unique_ptr<BlockInflater> make_block_inflater() { return std::make_unique<DeflateInflater>(); }

std::uint32_t crc32(std::uint32_t crc, std::span<const char> bytes) {
  return libdeflate_crc32(crc, bytes.data(), bytes.size());
}

}  // namespace pargzip::engine
