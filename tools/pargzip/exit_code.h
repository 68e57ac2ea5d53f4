// gzip's exit codes. A wrong command line is an error, not 2 as with our other programs: scripts take gzip's 2 for
// "done, but".
#pragma once

namespace pargzip::tool {

inline constexpr int kExitOk = 0, kExitError = 1, kExitWarning = 2;

}  // namespace pargzip::tool
