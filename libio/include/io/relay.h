// Two connections made one: what comes from either goes to the other.
#pragma once

#include <io/byte_stream.h>

namespace io {

/// Copies both ways, 16 KiB at a time, until both sides have ended. An end on one side is passed on (shutdown_write),
/// the other direction goes on; a failure on either side closes both. Does not throw but when cancelled. Both
/// connections are closed when it returns.
Task<> relay(StreamPtr one, StreamPtr other);

}  // namespace io
