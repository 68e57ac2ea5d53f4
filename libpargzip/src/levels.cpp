// Which engine a level is.
#include <algorithm>

#include "engines.h"

namespace pargzip::engine {

std::unique_ptr<Compressor> make_compressor(int level) {
#ifdef PARGZIP_LIBDEFLATE
  return make_libdeflate_compressor(level);
#else
  return make_zlib_compressor(std::min(level, 9));
#endif
}

}  // namespace pargzip::engine
