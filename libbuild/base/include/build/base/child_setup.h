// What a child process does to itself between fork and exec: a network of its own, another user.
//
// Everything that allocates or looks things up is done in the parent, by the constructors and functions that say so.
// What runs in the child (enter(), become()) makes system calls only, so it may follow a fork of a program with
// threads.
#pragma once

#include <array>
#include <string>
#include <vector>

#include <sys/types.h>

namespace build::base {

/// Which step of a child's setup failed, and errno. `step` is a literal, null if nothing failed.
struct SetupFailure {
  const char* step = nullptr;
  int error = 0;
  explicit operator bool() const noexcept { return step != nullptr; }
};

/// A network with nothing in it but a loopback interface of its own: no connection leads out of it, none leads in, not
/// even to this machine's other programs. Ends with the last process in it. Nothing of the machine's own network (its
/// addresses, its filters) is touched.
///
/// Root gets one directly. Everybody else needs a kernel that lets users make namespaces (most do; the sysctls
/// user.max_user_namespaces and kernel.unprivileged_userns_clone, a container's seccomp filter and AppArmor can forbid
/// it): the child is then in a user namespace in which it is who it was, and in which no other user exists, so that
/// set-id programs (sudo, ping) do not work.
class OwnNetwork {
 public:
  /// In the parent.
  OwnNetwork();
  /// In the child, which must have one thread. Steps that can fail: "making a network namespace", "mapping users in a
  /// user namespace", "bringing loopback up".
  SetupFailure enter() const noexcept;

 private:
  std::array<char, 64> uid_map_{}, gid_map_{};
};

/// Somebody to run as.
struct UserIds {
  std::string name, home, shell;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  ///< all of them, the first one included
};

/// In the parent; blocks. Throws std::invalid_argument with a sentence if there is no such user.
UserIds find_user(const std::string& name);

/// While it lives, the calling thread, and threads that it starts, meet files as `user` (setfsuid): what they make is
/// that user's, and what that user may not open they may not. Groups beside the first do not count. Needs root; without
/// it, and for nullptr, nothing changes.
class FilesAs {
 public:
  explicit FilesAs(const UserIds* user) noexcept;
  ~FilesAs();
  FilesAs(const FilesAs&) = delete;
  FilesAs& operator=(const FilesAs&) = delete;

 private:
  bool changed_ = false;
  int uid_ = -1, gid_ = -1;  ///< before
};

/// In the child: it is `user` for good, with these groups and no other. Needs root.
SetupFailure become(const UserIds& user) noexcept;

}  // namespace build::base
