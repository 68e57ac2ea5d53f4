// Which xbuild this is. A part of its own (xbuild::version), linked by programs: it is compiled anew after each commit.
#pragma once

#include <string>
#include <string_view>

namespace build::base {

/// "0.1.0": the version given to project() in the top CMakeLists.txt.
std::string_view version();

/// The commit it was built from, 12 digits, with "+changes" where tracked files differed from it; "unknown" if it was
/// not built in a git checkout.
std::string_view commit();

/// What CMAKE_BUILD_TYPE was, and the sanitizers if there were any: "Release", "Debug address,undefined".
std::string_view build_type();

/// All of it: "0.1.0 (commit 3f2a90c41b77, Release)".
std::string version_text();

}  // namespace build::base
