#include <build/base/build_info.h>
#include <build/base/version.h>

#include "xbuild_commit.h"

namespace build::base {

std::string_view commit() { return XBUILD_COMMIT; }

std::string_view build_type() { return XBUILD_BUILD_TYPE; }

std::string version_text() {
  return std::string(version()) + " (commit " + std::string(commit()) + ", " + std::string(build_type()) + ")";
}

}  // namespace build::base
