// How it works: a stack of levels, each with the sorted names of one directory; only the directory that is looked at
// now is open, and is opened again, beneath the directory given, after a sub-directory is done.
#include <tarutil/walk.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <memory>
#include <stdexcept>

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

namespace tarutil {

namespace {

using Directory = std::unique_ptr<DIR, decltype([](DIR* d) { ::closedir(d); })>;

std::string joined(const std::string& directory, const std::string& name) {
  if (directory.empty() || directory == ".") return name;
  return name.empty() ? directory : directory + "/" + name;
}

}  // namespace

TreeWalk::TreeWalk(int directory_fd, std::string top, WalkLimits limits)
    : beneath_(directory_fd), top_(std::move(top)), limits_(limits) {}

std::string TreeWalk::whole(const std::string& path) const {
  const std::string all = joined(top_, path);
  return all.empty() ? "." : all;
}

void TreeWalk::fail(const char* attempt, const std::string& path, int error_number) const {
  throw PathError(attempt, whole(path), error_number);
}

std::optional<TreeEntry> TreeWalk::next() {
  if (!begun_) {
    begun_ = true;
    TreeEntry top;
    try {
      const Fd fd = beneath_.open(top_, O_PATH);
      if (::fstat(fd.get(), &top.status) != 0) fail("lstat", "", errno);
    } catch (const PathError& error) {
      fail("lstat", "", error.code().value());
    }
    last_.clear();
    if (!S_ISDIR(top.status.st_mode)) return top;
    enter("");
  }
  if (entering_) {
    const std::string path = *std::exchange(entering_, std::nullopt);
    enter(path);
  }
  while (!levels_.empty()) {
    Level& level = levels_.back();
    if (level.next == level.names.size()) {
      names_held_ -= level.names.size();
      levels_.pop_back();
      continue;
    }
    leaf_ = level.names[level.next++];
    TreeEntry entry{joined(level.path, leaf_), {}};
    if (whole(entry.path).size() > limits_.path_bytes) fail("lstat", entry.path, ENAMETOOLONG);
    if (::fstatat(directory(), leaf_.c_str(), &entry.status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) continue;
      fail("lstat", entry.path, errno);
    }
    last_ = entry.path;
    if (S_ISDIR(entry.status.st_mode)) entering_ = entry.path;
    return entry;
  }
  return std::nullopt;
}

// The directory of the innermost level.
int TreeWalk::directory() {
  const std::string& path = levels_.back().path;
  if (open_.get() < 0 || open_path_ != path) {
    open_ = beneath_.open(whole(path), O_RDONLY | O_DIRECTORY);
    open_path_ = path;
  }
  return open_.get();
}

void TreeWalk::enter(const std::string& path) {
  Fd fd;
  try {
    fd = beneath_.open(whole(path), O_RDONLY | O_DIRECTORY);
  } catch (const PathError& error) {
    if (error.code().value() == ENOENT && !path.empty()) return;
    throw;
  }
  // A descriptor of its own: closedir() closes it.
  const int own = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0);
  if (own < 0) fail("open", path, errno);
  const Directory listing(::fdopendir(own));
  if (!listing) {
    const int error = errno;
    ::close(own);
    fail("open", path, error);
  }
  Level level{path, {}, 0};
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(listing.get());
    if (entry == nullptr) {
      if (errno != 0) fail("readdirent", path, errno);
      break;
    }
    std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (++names_held_ > limits_.names) {
      throw std::runtime_error("listing " + whole(path) + ": it and the directories it lies in hold more than " +
                               std::to_string(limits_.names) + " names");
    }
    level.names.push_back(std::move(name));
  }
  std::sort(level.names.begin(), level.names.end());
  levels_.push_back(std::move(level));
  open_ = std::move(fd);
  open_path_ = path;
}

Fd TreeWalk::open_file() {
  // Not waiting for the other end of a pipe that has taken the file's place.
  constexpr int kFlags = O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC;
  Fd fd = levels_.empty() ? beneath_.open(top_, kFlags) : Fd(::openat(directory(), leaf_.c_str(), kFlags));
  if (fd.get() < 0) fail("open", last_, errno);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) fail("stat", last_, errno);
  if (!S_ISREG(status.st_mode)) fail("open", last_, EINVAL);
  return fd;
}

std::string TreeWalk::link_target() {
  std::array<char, PATH_MAX> target;
  ssize_t size = 0;
  if (levels_.empty()) {
    const Fd link = beneath_.open(top_, O_PATH);
    size = ::readlinkat(link.get(), "", target.data(), target.size());
  } else {
    size = ::readlinkat(directory(), leaf_.c_str(), target.data(), target.size());
  }
  if (size < 0) fail("readlink", last_, errno);
  return std::string(target.data(), static_cast<std::size_t>(size));
}

std::string mode_text(mode_t mode) {
  std::string text;
  if (S_ISDIR(mode)) text += 'd';
  if (S_ISLNK(mode)) text += 'L';
  if (S_ISCHR(mode) || S_ISBLK(mode)) text += 'D';
  if (S_ISFIFO(mode)) text += 'p';
  if (S_ISSOCK(mode)) text += 'S';
  if ((mode & S_ISUID) != 0) text += 'u';
  if ((mode & S_ISGID) != 0) text += 'g';
  if (S_ISCHR(mode)) text += 'c';
  if ((mode & S_ISVTX) != 0) text += 't';
  if (text.empty()) text += S_ISREG(mode) ? '-' : '?';
  for (int bit = 8; bit >= 0; --bit) text += (mode >> bit & 1) != 0 ? "xwr"[bit % 3] : '-';
  return text;
}

}  // namespace tarutil
