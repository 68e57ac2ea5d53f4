// What the kernel says about this process.
#pragma once

#include <build/base/exposition.h>

#include <cstdint>

namespace build::base {

struct ProcessNumbers {
  std::uint64_t resident_bytes = 0;
  std::uint64_t open_files = 0;
  std::uint64_t max_files = 0;
  double cpu_seconds = 0;
};

/// Reads /proc/self: blocks for a moment. What cannot be read is 0.
ProcessNumbers read_process_numbers();

/// As the families that every monitoring system knows (process_resident_memory_bytes, ...).
void write_process_numbers(Exposition& out, const ProcessNumbers& numbers);

}  // namespace build::base
