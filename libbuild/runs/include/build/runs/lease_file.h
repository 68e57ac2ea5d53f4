// Who may use this worker, and until when: a file that the worker writes and its runs' supervisors read.
//
// The end is told on the clock that also runs while the machine sleeps, together with the id of the machine's boot: it
// means nothing after the next one, when no run is left either. Blocks; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace build::runs {

struct LeaseRecord {
  /// The greatest that was ever given out here. Smaller ones are over for good.
  std::uint64_t number = 0;
  bool held = false;                ///< whether `number` is not over
  std::chrono::nanoseconds end{0};  ///< on the boot clock
  std::string boot;                 ///< the boot that `end` belongs to

  /// At `now` of the boot `current_boot`.
  bool valid(std::chrono::nanoseconds now, const std::string& current_boot) const {
    return held && boot == current_boot && now < end;
  }
};

/// The time since this boot, sleep included; and this boot's id.
std::chrono::nanoseconds boot_time();
std::string boot_id();

/// The file `name` in the directory open as `directory`; nullopt if there is none. Throws std::runtime_error if it
/// cannot be read or is none.
std::optional<LeaseRecord> read_lease(int directory, const char* name);
std::string to_text(const LeaseRecord& lease);
/// Whole or not at all for readers; what must outlive a power cut is written otherwise. Throws std::system_error.
void write_lease(int directory, const char* name, const LeaseRecord& lease);

}  // namespace build::runs
