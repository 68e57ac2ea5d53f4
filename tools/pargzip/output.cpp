#include "output.h"

#include "names.h"

#include <cerrno>
#include <iostream>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace pargzip::tool {

namespace {

constexpr mode_t kPermissions = 0777, kOwner = 0700, kGroup = 0070, kOthers = 0007;

/// Whether an existing file may be replaced.
bool may_replace(const std::string& path, Messages& messages) {
  if (::isatty(STDIN_FILENO) != 0) {
    messages.say("pargzip: " + printable(path) + " already exists; do you wish to overwrite (y or n)? ");
    std::string answer;
    std::getline(std::cin, answer);
    if (answer.starts_with('y') || answer.starts_with('Y')) return true;
  }
  // Also with -q: it is an answer.
  messages.remark(path, "already exists -- not overwritten");
  messages.left_alone();
  return false;
}

/// Owner and group, where that is permitted. Without the group, the file's own group may do what others may, and no
/// more.
mode_t take_owner(int fd, const struct stat& status) {
  const mode_t mode = status.st_mode & kPermissions;
  const bool group = ::fchown(fd, static_cast<uid_t>(-1), status.st_gid) == 0;
  // That this is not permitted is as usual as it is harmless.
  [[maybe_unused]] const int owner = ::fchown(fd, status.st_uid, static_cast<gid_t>(-1));
  if (group) return mode;
  return (mode & (kOwner | kOthers)) | (mode & kGroup & ((mode & kOthers) << 3));
}

}  // namespace

std::unique_ptr<Output> Output::make(const std::string& path, const Options& options, Messages& messages) {
  auto [directory_name, leaf] = place_of(path);
  if (leaf.empty()) throw FileError(path, "is the name of a directory");
  Fd directory(::open(directory_name.c_str(), O_DIRECTORY | O_CLOEXEC | (options.synchronous ? O_RDONLY : O_PATH)));
  if (!directory) throw FileError(path);
  struct stat existing {};
  bool replace = false;
  if (::fstatat(directory.get(), leaf.c_str(), &existing, AT_SYMLINK_NOFOLLOW) == 0) {
    // Never in place of a directory or of a device.
    if (!S_ISREG(existing.st_mode) && !S_ISLNK(existing.st_mode)) throw FileError(path, "is not a regular file");
    if (!options.force && !may_replace(path, messages)) return nullptr;
    replace = true;
  }
  return std::unique_ptr<Output>(new Output(path, std::move(directory), leaf, replace, options.synchronous));
}

Output::Output(std::string path, Fd directory, const std::string& leaf, bool replace, bool synchronous)
    : path_(std::move(path)),
      directory_(std::move(directory)),
      replace_(replace),
      synchronous_(synchronous),
      file_(std::make_unique<PartialFile>(directory_.get(), leaf, path_)) {}

void Output::finish(const Input& input, std::uint32_t stored_time, Messages& messages) {
  if (S_ISREG(input.status().st_mode)) {
    take_over(input.status(), stored_time, messages);
  } else {
    const mode_t mask = ::umask(0);
    ::umask(mask);
    if (::fchmod(file_->fd(), 0666 & ~mask) != 0) throw FileError(path_);
  }
  if (synchronous_ && ::fsync(file_->fd()) != 0) throw FileError(path_);
  if (!file_->put_in_place(replace_ ? PartialFile::Existing::replace : PartialFile::Existing::keep))
    throw FileError(path_, "was made by somebody else meanwhile -- not overwritten");
  if (synchronous_ && ::fsync(directory_.get()) != 0) throw FileError(path_);
}

void Output::take_over(const struct stat& status, std::uint32_t stored_time, Messages& messages) {
  const int fd = file_->fd();
  // First the owner: to change it takes set-id bits away, and a mode that came earlier would show the content to
  // others.
  if (::fchmod(fd, take_owner(fd, status)) != 0) messages.warning(path_, FileError(path_).what());
  timespec times[] = {status.st_atim, status.st_mtim};
  if (stored_time != 0) times[1] = {.tv_sec = stored_time, .tv_nsec = 0};
  if (::futimens(fd, times) != 0) messages.warning(path_, FileError(path_).what());
}

}  // namespace pargzip::tool
