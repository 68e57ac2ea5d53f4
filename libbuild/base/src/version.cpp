#include <build/base/version.h>

namespace build::base {

std::string_view version() { return XBUILD_VERSION; }

}  // namespace build::base
