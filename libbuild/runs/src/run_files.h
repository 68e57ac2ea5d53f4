// The files in a run's directory beside its spool.
#pragma once

#include <cstddef>
#include <string>

namespace build::runs {

/// A run's directory is called this and its id until everything is in it: then the supervisor gives it the id alone as
/// its name, and begins the run.
inline constexpr const char* kNewRun = ".new-";
inline constexpr const char* kCommandFile = "command";
inline constexpr const char* kResultFile = "result";
inline constexpr const char* kSocketFile = "socket";
inline constexpr const char* kComplaintFile = "complaint";  ///< why the supervisor failed
/// The lease, seen from the state directory and from a run's directory: <state>/runs/<id>.
inline constexpr const char* kLeaseFile = "lease";
inline constexpr const char* kLeaseFromRun = "../../lease";
inline constexpr std::size_t kMaxCommand = 16 << 20, kMaxResult = 16 << 10;

/// That of a run's control group: other workers of this machine may have runs of the same id.
std::string cgroup_name(const std::string& id, int directory);

/// Sees to it that a later write_run_file() of up to `size` bytes finds room.
void make_room_for_run_file(int directory, const char* name, std::size_t size);
/// Whole or not at all, for readers; it need not outlive the machine's boot. Throws std::system_error.
void write_run_file(int directory, const char* name, const std::string& content);
/// The same for a directory that nobody reads yet.
void write_first_run_file(int directory, const char* name, const std::string& content);

}  // namespace build::runs
