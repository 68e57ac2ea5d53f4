// The command line: gzip's and pigz's flags, and ours.
//
// By hand instead of getopt_long(3), because -flag is to be the same as --flag, as in our other programs, short flags
// can be bundled all the same, -10 to -12 are levels, and a wrong flag is answered with the nearest right one; and
// instead of the other programs' base::CommandLine, because that brings Boost.
#pragma once

#include "options.h"

#include <iosfwd>
#include <optional>

namespace pargzip::tool {

/// Reads the command line into `options`. An exit code means: return it from main; what there is to say has been said.
std::optional<int> parse_command_line(int argc, const char* const* argv, Options& options, std::ostream& out,
                                      std::ostream& err);

}  // namespace pargzip::tool
