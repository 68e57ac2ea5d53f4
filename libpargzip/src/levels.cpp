// Which engine a level is. The levels are points on the curve of size over CPU time that no other program gets below
// (bench/pargzip.py draws it); where two engine levels lie too far apart, a level takes turns between them.
#include <algorithm>
#include <array>

#include "engines.h"

namespace pargzip::engine {
namespace {

std::unique_ptr<Compressor> by_libdeflate(int level) {
#ifdef PARGZIP_LIBDEFLATE
  return make_libdeflate_compressor(level);
#else
  return make_zlib_compressor(std::min(level, 9));
#endif
}

std::unique_ptr<Compressor> by_isal(int level) {
#ifdef PARGZIP_ISAL
  return make_isal_compressor(level);
#else
  return by_libdeflate(level);
#endif
}

/// Every fourth chunk by the second one.
class TakingTurns final : public Compressor {
 public:
  TakingTurns(std::unique_ptr<Compressor> most, std::unique_ptr<Compressor> fourth)
      : most_(std::move(most)), fourth_(std::move(fourth)) {}
  std::size_t compress(std::span<const char> in, std::span<char> out, std::uint64_t number) override {
    return (number % 4 == 3 ? fourth_ : most_)->compress(in, out, number);
  }

 private:
  std::unique_ptr<Compressor> most_, fourth_;
};

}  // namespace

std::unique_ptr<Compressor> make_compressor(int level) {
  switch (level) {
    case 1:
    case 2:
      return by_isal(level);
    case 3:
      return by_libdeflate(1);
    case 4:
      return by_libdeflate(3);
    case 7:
      return std::make_unique<TakingTurns>(by_libdeflate(6), by_libdeflate(7));
    default:
      return by_libdeflate(level);
  }
}

}  // namespace pargzip::engine
