// Hostile requests must not be able to hurt the machine they are tested on, even where our code is wrong.
//
// A program that includes this starts in a mount namespace of its own in which everything is read-only but a
// fresh file system in memory, which TMPDIR then names: whatever a test deletes or overwrites lies there. Include it
// in one file of the program.
#pragma once

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

namespace testing {

class Confinement {
 public:
  Confinement() { works_ = enter_namespace() && make_read_only(); }

  /// Whether this program has a mount namespace of its own.
  bool works() const { return works_; }
  /// Whether deleting something by mistake is harmless: confined, or at least not the owner of the system's files.
  bool safe() const { return works_ || ::geteuid() != 0; }

 private:
  static bool enter_namespace() {
    const std::string user = std::to_string(::geteuid()), group = std::to_string(::getegid());
    if (::unshare(CLONE_NEWNS) != 0) {
      if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
      // Who has no name in the namespace could not make files in it.
      std::ofstream("/proc/self/setgroups") << "deny";
      std::ofstream("/proc/self/uid_map") << user << " " << user << " 1";
      std::ofstream("/proc/self/gid_map") << group << " " << group << " 1";
    }
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0) return true;
    // In a chroot the root directory is no mount that could be changed: a copy of its mounts is.
    return errno == EINVAL && !sees_shared_mounts() && enter_copy() &&
           ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  }

  // Then what is mounted here could show up elsewhere.
  static bool sees_shared_mounts() {
    std::ifstream mounts("/proc/self/mountinfo");
    std::string line;
    while (std::getline(mounts, line))
      if (line.find(" shared:") != std::string::npos) return true;
    return false;
  }

  static bool enter_copy() {
    const std::string directory = std::filesystem::current_path().string(), mount_point = place();
    const int copy = ::open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    return copy >= 0 && ::move_mount(copy, "", AT_FDCWD, mount_point.c_str(), MOVE_MOUNT_F_EMPTY_PATH) == 0 &&
           ::chdir(mount_point.c_str()) == 0 && ::chroot(".") == 0 && ::chdir(directory.c_str()) == 0;
  }

  // A directory that can be covered: nothing that the tests read lies in it.
  static std::string place() {
    const char* golden = std::getenv("XBUILD_GOLDEN");
    const std::array<std::string, 3> used{golden == nullptr ? "" : golden, __FILE__,
                                          std::filesystem::current_path().string()};
    for (const char* const candidate : {"/mnt", "/media", "/srv"}) {
      const std::string name = candidate;
      bool free = std::filesystem::is_directory(name);
      for (const std::string& path : used) free = free && path != name && !path.starts_with(name + "/");
      if (free) return name;
    }
    return {};
  }

  static bool make_read_only() {
    const std::string temporary = place();
    if (temporary.empty() || ::mount("tmpfs", temporary.c_str(), "tmpfs", 0, "mode=0755") != 0) return false;
    mount_attr read_only{};
    read_only.attr_set = MOUNT_ATTR_RDONLY;
    mount_attr writable{};
    writable.attr_clr = MOUNT_ATTR_RDONLY;
    if (::mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &read_only, sizeof read_only) != 0) return false;
    if (::mount_setattr(AT_FDCWD, temporary.c_str(), 0, &writable, sizeof writable) != 0) return false;
    return ::setenv("TMPDIR", temporary.c_str(), 1) == 0;
  }

  bool works_ = false;
};

/// Made before main(), so before any thread.
inline const Confinement confinement;

}  // namespace testing
