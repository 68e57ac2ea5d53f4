// The one way this part reports a failed system call, and which status a failure has.
#pragma once

#include <io/http1.h>

#include <exception>
#include <string>
#include <system_error>

namespace build::buildlet {

/// Throws std::system_error: `what` was attempted, errno was `error`.
[[noreturn]] inline void fail(const std::string& what, int error) {
  throw std::system_error(error, std::generic_category(), what);
}

/// The worker's disk, or its user's share of it, is full. Nobody's request is to blame for that.
inline constexpr int kInsufficientStorage = 507;

/// Throws the answer to a request that failed because of `error`, which work on the pool ended with: HttpError 507 for
/// a full disk, 400 or 413 for a bad archive, otherwise 500 with its text. An HttpError stays what it is. Paths in a
/// tarutil::PathError are shown below `workdir`. The text begins with `prefix`.
[[noreturn]] void throw_as_http(const std::exception_ptr& error, const std::string& workdir,
                                const std::string& prefix = {});

}  // namespace build::buildlet
