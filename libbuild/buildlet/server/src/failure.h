// The one way this part reports a failed system call.
#pragma once

#include <string>
#include <system_error>

namespace build::buildlet {

/// Throws std::system_error: `what` was attempted, errno was `error`.
[[noreturn]] inline void fail(const std::string& what, int error) {
  throw std::system_error(error, std::generic_category(), what);
}

}  // namespace build::buildlet
