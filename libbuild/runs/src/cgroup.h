// A control group (version 2) of a run's own, where this process may make one.
#pragma once

#include <build/base/file.h>

#include <cstdint>
#include <optional>
#include <string>

namespace build::runs {

class Cgroup {
 public:
  /// Below the group that this process is in. Nothing, if there is no version 2 here or it may not.
  static std::optional<Cgroup> make(const std::string& name);
  /// Kills what is in the group of that name, which some other process made, and removes it.
  static void end(const std::string& name);
  Cgroup(Cgroup&&) noexcept = default;
  Cgroup& operator=(Cgroup&&) noexcept = default;
  /// Removes it if nothing is in it any more.
  ~Cgroup();

  /// Moves the calling process into it. Async-signal-safe.
  bool enter() const noexcept;
  /// Kills everything in it, where the kernel can (since 5.14).
  void kill() const noexcept;
  /// The most memory that was in use at once; nullopt where memory is not accounted for.
  std::optional<std::uint64_t> peak_memory() const;

 private:
  Cgroup(std::string path, base::UniqueFd processes) : path_(std::move(path)), processes_(std::move(processes)) {}

  std::string path_;
  base::UniqueFd processes_;  ///< its cgroup.procs
};

}  // namespace build::runs
