#include <build/base/child_setup.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <stdexcept>

#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <pwd.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace build::base {

namespace {

bool write_to(const char* file, const char* text) noexcept {
  const int fd = ::open(file, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const auto size = static_cast<ssize_t>(std::strlen(text));
  const bool good = ::write(fd, text, static_cast<std::size_t>(size)) == size;
  const int error = errno;
  ::close(fd);
  errno = error;
  return good;
}

bool bring_loopback_up() noexcept {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  ifreq request{};
  std::memcpy(request.ifr_name, "lo", 3);
  bool good = ::ioctl(fd, SIOCGIFFLAGS, &request) == 0;
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  good = good && ::ioctl(fd, SIOCSIFFLAGS, &request) == 0;
  const int error = errno;
  ::close(fd);
  errno = error;
  return good;
}

}  // namespace

OwnNetwork::OwnNetwork() {
  const auto uid = static_cast<unsigned>(::geteuid()), gid = static_cast<unsigned>(::getegid());
  std::snprintf(uid_map_.data(), uid_map_.size(), "%u %u 1", uid, uid);
  std::snprintf(gid_map_.data(), gid_map_.size(), "%u %u 1", gid, gid);
}

SetupFailure OwnNetwork::enter() const noexcept {
  if (::unshare(CLONE_NEWNET) != 0) {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return {"making a network namespace", errno};
    ::prctl(PR_SET_DUMPABLE, 1);  // otherwise the maps are root's, where the parent has closed itself to others
    const bool mapped = write_to("/proc/self/setgroups", "deny") && write_to("/proc/self/uid_map", uid_map_.data()) &&
                        write_to("/proc/self/gid_map", gid_map_.data());
    if (!mapped) return {"mapping users in a user namespace", errno};
  }
  if (!bring_loopback_up()) return {"bringing loopback up", errno};
  return {};
}

UserIds find_user(const std::string& name) {
  std::array<char, 16 * 1024> room{};
  passwd entry{};
  passwd* found = nullptr;
  const int error = ::getpwnam_r(name.c_str(), &entry, room.data(), room.size(), &found);
  if (found == nullptr) {
    throw std::invalid_argument("there is no user \"" + name + "\" on this machine" +
                                (error == 0 ? "" : ": " + std::string(std::strerror(error))));
  }
  UserIds user;
  user.name = found->pw_name;
  user.home = found->pw_dir;
  user.shell = found->pw_shell;
  user.uid = found->pw_uid;
  user.gid = found->pw_gid;
  int count = 64;
  user.groups.resize(static_cast<std::size_t>(count));
  while (::getgrouplist(name.c_str(), user.gid, user.groups.data(), &count) < 0) {
    user.groups.resize(static_cast<std::size_t>(count));
  }
  user.groups.resize(static_cast<std::size_t>(count));
  return user;
}

FilesAs::FilesAs(const UserIds* user) noexcept : changed_(user != nullptr && ::geteuid() == 0) {
  if (!changed_) return;
  gid_ = ::setfsgid(user->gid);
  uid_ = ::setfsuid(user->uid);
}

FilesAs::~FilesAs() {
  if (!changed_) return;
  ::setfsuid(static_cast<uid_t>(uid_));
  ::setfsgid(static_cast<gid_t>(gid_));
}

SetupFailure become(const UserIds& user) noexcept {
  if (::setgroups(user.groups.size(), user.groups.data()) != 0) return {"giving up its groups", errno};
  if (::setresgid(user.gid, user.gid, user.gid) != 0) return {"changing its group", errno};
  if (::setresuid(user.uid, user.uid, user.uid) != 0) return {"changing its user", errno};
  return {};
}

}  // namespace build::base
