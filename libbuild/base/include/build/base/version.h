// Which xbuild this is.
#pragma once

#include <string_view>

namespace build::base {

/// "0.1.0": the version given to project() in the top CMakeLists.txt.
std::string_view version();

}  // namespace build::base
