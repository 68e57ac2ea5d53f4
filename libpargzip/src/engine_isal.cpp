// ISA-L: the fast end of the levels, and streams.
#include <isa-l/igzip_lib.h>

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "engines.h"

namespace pargzip::engine {
namespace {

std::uint8_t* octets(const char* data) { return reinterpret_cast<std::uint8_t*>(const_cast<char*>(data)); }
std::uint32_t size_for_isal(std::size_t size) {
  return static_cast<std::uint32_t>(std::min<std::size_t>(size, std::numeric_limits<std::uint32_t>::max()));
}

class IsalCompressor final : public Compressor {
 public:
  explicit IsalCompressor(int level)
      : level_(static_cast<std::uint32_t>(level)),
        // A larger one holds more of the input before its code is made: no faster, and a worse fit.
        working_(std::array{0, ISAL_DEF_LVL1_SMALL, ISAL_DEF_LVL2_SMALL, ISAL_DEF_LVL3_SMALL}.at(level)) {}

  std::size_t compress(std::span<const char> in, std::span<char> out, std::uint64_t) override {
    isal_deflate_stateless_init(&state_);
    state_.level = level_;
    state_.level_buf = working_.data();
    state_.level_buf_size = size_for_isal(working_.size());
    state_.next_in = octets(in.data());
    state_.avail_in = size_for_isal(in.size());
    state_.next_out = octets(out.data());
    state_.avail_out = size_for_isal(out.size());
    state_.end_of_stream = 1;
    return isal_deflate_stateless(&state_) == COMP_OK ? state_.total_out : 0;
  }

 private:
  const std::uint32_t level_;
  std::vector<std::uint8_t> working_;
  isal_zstream state_{};
};

class IsalStream final : public StreamInflater {
 public:
  IsalStream() { reset(); }

  void reset() override {
    isal_inflate_reset(&state_);
    state_.crc_flag = ISAL_DEFLATE;
  }

  Step step(std::span<const char> in, std::span<char> out) override {
    state_.next_in = octets(in.data());
    state_.avail_in = size_for_isal(in.size());
    state_.next_out = octets(out.data());
    state_.avail_out = size_for_isal(out.size());
    const int result = isal_inflate(&state_);
    Step step{.consumed = in.size() - state_.avail_in, .produced = out.size() - state_.avail_out};
    if (result != ISAL_DECOMP_OK && result != ISAL_END_INPUT && result != ISAL_OUT_OVERFLOW) {
      step.status = Status::bad;
    } else if (state_.block_state == ISAL_BLOCK_FINISH) {
      step.status = Status::end;
      keep_leftover();
    }
    return step;
  }

  std::span<const char> leftover() const override { return std::span(leftover_).first(leftover_size_); }

 private:
  // Its reading runs ahead of its decoding by some bits.
  void keep_leftover() {
    leftover_size_ = static_cast<std::size_t>(state_.read_in_length) / 8;
    std::uint64_t bits = state_.read_in >> (state_.read_in_length % 8);
    for (std::size_t i = 0; i < leftover_size_; ++i, bits >>= 8) leftover_[i] = static_cast<char>(bits & 0xff);
  }

  inflate_state state_{};
  std::array<char, 8> leftover_{};
  std::size_t leftover_size_ = 0;
};

}  // namespace

std::unique_ptr<Compressor> make_isal_compressor(int level) { return std::make_unique<IsalCompressor>(level); }
std::unique_ptr<StreamInflater> make_stream_inflater() { return std::make_unique<IsalStream>(); }

}  // namespace pargzip::engine
