// What a worker's machine has and has left.
#pragma once

#include <build/buildlet/work_directory.h>
#include <io/blocking_pool.h>
#include <io/clock.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace build::buildlet {

/// 0 is what is not known.
struct MachineNumbers {
  double load = 0;  ///< processes that ran or wanted to, in the last minute
  unsigned processors = 0;
  std::uint64_t memory = 0, memory_available = 0;  ///< bytes; the smaller of the machine's and the control group's
  std::uint64_t disk = 0, disk_available = 0;      ///< bytes, where the work directory is
  bool operator==(const MachineNumbers&) const = default;
};

/// From the text of /proc/loadavg and /proc/meminfo; what cannot be read there stays as it is.
void read_loadavg(std::string_view text, MachineNumbers& numbers);
void read_meminfo(std::string_view text, MachineNumbers& numbers);
/// From a control group's memory.max and memory.current.
void read_memory_group(std::string_view max, std::string_view current, MachineNumbers& numbers);

/// Asks the kernel. Blocks.
MachineNumbers read_machine(WorkDirectory& workdir);

/// Why nothing can be run with so little memory left; nullopt if it can. A shell and a compiler that begin at once need
/// 32 MiB; with less the kernel would end something, perhaps the worker.
std::optional<std::string> out_of_memory(const MachineNumbers& numbers);

/// Keeps numbers that are at most some seconds old, so that nobody who asks for them has to wait for a disk.
/// Everything handed in outlives it. Lives on one executor.
class MachineWatch {
 public:
  MachineWatch(io::Clock& clock, io::BlockingPool& pool, WorkDirectory& workdir)
      : clock_(clock), pool_(pool), workdir_(workdir) {}

  /// Looks again and again; ends when it is cancelled.
  io::Task<> run();
  const MachineNumbers& numbers() const noexcept { return numbers_; }

 private:
  io::Clock& clock_;
  io::BlockingPool& pool_;
  WorkDirectory& workdir_;
  MachineNumbers numbers_;
};

}  // namespace build::buildlet
