// The single engines; which of them there are is said in CMakeLists.txt.
#pragma once

#include "engine.h"

namespace pargzip::engine {

/// 1 to 12.
std::unique_ptr<Compressor> make_libdeflate_compressor(int level);
/// 1 to 9.
std::unique_ptr<Compressor> make_zlib_compressor(int level);
/// 1 to 3.
std::unique_ptr<Compressor> make_isal_compressor(int level);

}  // namespace pargzip::engine
