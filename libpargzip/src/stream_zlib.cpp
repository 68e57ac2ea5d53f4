// Streams by zlib, where ISA-L is not to be had.
#include <zlib.h>

#include <algorithm>
#include <limits>
#include <new>

#include "engine.h"

namespace pargzip::engine {
namespace {

class ZlibStream final : public StreamInflater {
 public:
  ZlibStream() {
    if (inflateInit2(&state_, -MAX_WBITS) != Z_OK) throw std::bad_alloc();
  }
  ~ZlibStream() override { inflateEnd(&state_); }
  ZlibStream(const ZlibStream&) = delete;
  ZlibStream& operator=(const ZlibStream&) = delete;

  void reset() override { inflateReset(&state_); }

  Step step(std::span<const char> in, std::span<char> out) override {
    constexpr std::size_t kMost = std::numeric_limits<uInt>::max();
    state_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    state_.avail_in = static_cast<uInt>(std::min(in.size(), kMost));
    state_.next_out = reinterpret_cast<Bytef*>(out.data());
    state_.avail_out = static_cast<uInt>(std::min(out.size(), kMost));
    const int result = ::inflate(&state_, Z_NO_FLUSH);
    Step step{.consumed = in.size() - state_.avail_in, .produced = out.size() - state_.avail_out};
    if (result == Z_STREAM_END) step.status = Status::end;
    if (result != Z_STREAM_END && result != Z_OK && result != Z_BUF_ERROR) step.status = Status::bad;
    return step;
  }

 private:
  z_stream state_{};
};

}  // namespace

std::unique_ptr<StreamInflater> make_stream_inflater() { return std::make_unique<ZlibStream>(); }

}  // namespace pargzip::engine
