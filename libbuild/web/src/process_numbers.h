// What the kernel says about this process.
#pragma once

#include <cstdint>

namespace build::web {

struct ProcessNumbers {
  std::uint64_t resident_bytes = 0;
  std::uint64_t open_files = 0;
  std::uint64_t max_files = 0;
  double cpu_seconds = 0;
};

/// Reads /proc/self: blocks for a moment. What cannot be read is 0.
ProcessNumbers read_process_numbers();

}  // namespace build::web
