// What a program was built from. A part of its own (xbuild::build_info), linked by programs only: it is compiled anew
// after each commit.
#pragma once

#include <string>
#include <string_view>

namespace build::base {

/// The commit, 12 digits, with "+changes" where tracked files differed from it; "unknown" if it was not built in a git
/// checkout.
std::string_view commit();

/// What CMAKE_BUILD_TYPE was, and the sanitizers if there were any: "Release", "Debug address,undefined".
std::string_view build_type();

/// With the version: "0.1.0 (commit 3f2a90c41b77, Release)".
std::string version_text();

}  // namespace build::base
