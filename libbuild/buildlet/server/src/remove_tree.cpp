// Deleting trees through directory descriptors.
//
// At most kMaxDepth directories are open at a time: one that lies deeper is first moved up into the directory that
// the deletion started from, and found there again. Nothing is ever resolved by more than one name component, and
// never through a link.
#include <build/base/file.h>
#include <build/buildlet/work_directory.h>
#include <tarutil/path_rule.h>

#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failure.h"

namespace build::buildlet {

namespace {

constexpr int kMaxDepth = 64;
// Names read before they are deleted; bounds memory in a directory of millions.
constexpr std::size_t kBatch = 4096;
// Somebody who makes new files as fast as they are deleted does not keep us for ever.
constexpr int kMaxPasses = 100;

using Directory = std::unique_ptr<DIR, decltype([](DIR* d) { ::closedir(d); })>;

class Remover {
 public:
  Remover(int top_fd, dev_t device, std::string shown) : top_fd_(top_fd), device_(device), shown_(std::move(shown)) {}

  void empty(int fd, int depth) {
    open_up(fd);
    for (int idle_passes = 0; idle_passes < kMaxPasses;) {
      const std::vector<std::string> names = list(fd);
      if (names.empty()) return;
      const std::size_t moved_before = moved_;
      for (const std::string& name : names) remove(fd, name, depth);
      if (names.size() < kBatch && moved_ == moved_before) ++idle_passes;
    }
    fail("deleting in " + shown_ + ": new files appear all the time", ENOTEMPTY);
  }

  void remove(int parent, const std::string& name, int depth) {
    if (::unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return;
    if (errno != EISDIR) fail("deleting " + tarutil::quoted(name) + " in " + shown_, errno);
    if (depth >= kMaxDepth) return move_up(parent, name);
    {
      const base::UniqueFd directory = enter(parent, name);
      if (!directory.valid()) return;
      empty(directory.get(), depth + 1);
    }
    if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
      fail("deleting the directory " + tarutil::quoted(name) + " in " + shown_, errno);
    }
  }

 private:
  std::vector<std::string> list(int fd) const {
    // A descriptor of its own: closedir() closes it, and the reading position is not shared.
    const int own = ::openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (own < 0) fail("listing a directory in " + shown_, errno);
    const Directory directory(::fdopendir(own));
    if (!directory) {
      const int error = errno;
      ::close(own);
      fail("listing a directory in " + shown_, error);
    }
    std::vector<std::string> names;
    while (names.size() < kBatch) {
      errno = 0;
      const dirent* entry = ::readdir(directory.get());
      if (entry == nullptr) {
        if (errno != 0) fail("listing a directory in " + shown_, errno);
        break;
      }
      const std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(name);
    }
    return names;
  }

  // Opens a directory for listing, whatever its mode. None: it has gone.
  base::UniqueFd enter(int parent, const std::string& name) const {
    constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    base::UniqueFd fd(::openat(parent, name.c_str(), kFlags));
    if (!fd.valid() && errno == EACCES) {
      chmod_entry(parent, name);
      fd.reset(::openat(parent, name.c_str(), kFlags));
    }
    if (!fd.valid()) {
      if (errno == ENOENT) return fd;
      fail("opening the directory " + tarutil::quoted(name) + " in " + shown_, errno);
    }
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) fail("looking at " + tarutil::quoted(name) + " in " + shown_, errno);
    if (info.st_dev != device_) {
      fail("deleting " + tarutil::quoted(name) + " in " + shown_ + ": another file system is mounted there", EBUSY);
    }
    return fd;
  }

  void chmod_entry(int parent, const std::string& name) const {
    // A plain chmod would follow a link; one through the descriptor of the entry itself cannot.
    const base::UniqueFd entry(::openat(parent, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!entry.valid()) return;
    const std::string self = "/proc/self/fd/" + std::to_string(entry.get());
    if (::chmod(self.c_str(), S_IRWXU) != 0) {
      fail("opening up the directory " + tarutil::quoted(name) + " in " + shown_, errno);
    }
  }

  void open_up(int fd) const {
    struct stat info {};
    if (::fstat(fd, &info) != 0) fail("looking at a directory in " + shown_, errno);
    // Not being the owner is no reason to give up yet: deleting may be allowed all the same.
    if ((info.st_mode & S_IRWXU) != S_IRWXU && ::fchmod(fd, (info.st_mode & 07777) | S_IRWXU) != 0 && errno != EPERM) {
      fail("opening up a directory in " + shown_, errno);
    }
  }

  void move_up(int parent, const std::string& name) {
    // Moving a directory changes its "..", for which it has to be writable.
    chmod_entry(parent, name);
    while (true) {
      const std::string up = ".deep-" + std::to_string(moved_++);
      if (::renameat2(parent, name.c_str(), top_fd_, up.c_str(), RENAME_NOREPLACE) == 0 || errno == ENOENT) return;
      if (errno != EEXIST) fail("moving the deep directory " + tarutil::quoted(name) + " up in " + shown_, errno);
    }
  }

  int top_fd_;
  dev_t device_;
  std::string shown_;
  std::size_t moved_ = 0;
};

dev_t device_of(int fd, const std::string& shown) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) fail("looking at " + shown, errno);
  return info.st_dev;
}

}  // namespace

void remove_contents(int directory_fd, const std::string& shown) {
  Remover(directory_fd, device_of(directory_fd, shown), shown).empty(directory_fd, 0);
}

void remove_entry(int parent_fd, const std::string& name, const std::string& shown) {
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos) {
    fail("deleting " + tarutil::quoted(name) + " in " + shown + ": that names no entry of it", EINVAL);
  }
  if (::unlinkat(parent_fd, name.c_str(), 0) == 0 || errno == ENOENT) return;
  if (errno != EISDIR) fail("deleting " + tarutil::quoted(name) + " in " + shown, errno);
  // Deep directories are moved up into the tree that goes, not beside it.
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  base::UniqueFd directory(::openat(parent_fd, name.c_str(), kFlags));
  if (!directory.valid() && errno == EACCES) {
    const base::UniqueFd entry(::openat(parent_fd, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    const std::string self = "/proc/self/fd/" + std::to_string(entry.get());
    if (entry.valid() && ::chmod(self.c_str(), S_IRWXU) == 0) {
      directory.reset(::openat(parent_fd, name.c_str(), kFlags));
    }
  }
  if (!directory.valid()) {
    if (errno == ENOENT) return;
    fail("opening the directory " + tarutil::quoted(name) + " in " + shown, errno);
  }
  const dev_t device = device_of(parent_fd, shown);
  if (device_of(directory.get(), shown) != device) {
    fail("deleting " + tarutil::quoted(name) + " in " + shown + ": another file system is mounted there", EBUSY);
  }
  Remover(directory.get(), device, shown).empty(directory.get(), 0);
  if (::unlinkat(parent_fd, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
    fail("deleting the directory " + tarutil::quoted(name) + " in " + shown, errno);
  }
}

}  // namespace build::buildlet
