// A control group (version 2) of a run's own, where this process may make one.
#pragma once

#include <build/base/file.h>

#include <cstdint>
#include <optional>
#include <string>

#include <sys/types.h>

namespace build::runs {

class Cgroup {
 public:
  /// Looks up where groups are made, which make() and end() otherwise do when they are first called: this process's
  /// children then know it.
  static void find_base();
  /// Below the group that this process is in. Nothing, if there is no version 2 here or it may not.
  static std::optional<Cgroup> make(const std::string& name);
  /// Kills what is in the group of that name, which some other process made, and removes it.
  static void end(const std::string& name);
  Cgroup(Cgroup&&) noexcept = default;
  Cgroup& operator=(Cgroup&&) noexcept = default;
  /// Removes it if nothing is in it any more.
  ~Cgroup();

  /// As fork(), with the child in the group: moving a process there later would wait for every processor of the
  /// machine. -1 also where the kernel cannot (before 5.7). Runs no fork handlers: the child may do what is
  /// async-signal-safe.
  pid_t fork_into() const noexcept;
  /// Moves the calling process into it. Async-signal-safe.
  bool enter() const noexcept;
  /// Kills everything in it, where the kernel can (since 5.14).
  void kill() const noexcept;
  /// The most memory that was in use at once; nullopt where memory is not accounted for.
  std::optional<std::uint64_t> peak_memory() const;

 private:
  Cgroup(std::string path, base::UniqueFd directory) : path_(std::move(path)), directory_(std::move(directory)) {}

  std::string path_;
  base::UniqueFd directory_;
};

}  // namespace build::runs
