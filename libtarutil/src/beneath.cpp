#include <tarutil/beneath.h>

#include <cerrno>
#include <optional>
#include <string>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tarutil {

namespace {

/// For descriptors that are only walked through; needs no permission to read the directory.
constexpr int kStep = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

[[noreturn]] void fail(const char* attempt, std::string_view path) {
  throw PathError(attempt, std::string(path), errno);
}

struct Split {
  std::string first;
  std::string_view rest;
};

/// The first component, and what follows it.
Split split(std::string_view path) {
  const std::size_t slash = std::min(path.find('/'), path.size());
  return {std::string(path.substr(0, slash)), path.substr(std::min(slash + 1, path.size()))};
}

/// nullopt where the kernel (or a sandbox around us) does not know openat2.
std::optional<int> open_by_kernel(int directory_fd, const std::string& path, int flags, mode_t mode) {
  open_how how{};
  how.flags = static_cast<__u64>(flags);
  how.mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? mode : 0;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  while (true) {
    const long fd = ::syscall(SYS_openat2, directory_fd, path.c_str(), &how, sizeof how);
    if (fd >= 0) return static_cast<int>(fd);
    if (errno == EINTR || errno == EAGAIN) continue;
    // Older container sandboxes answer EPERM to calls they have never heard of; the walk tells that from a real one.
    if (errno == ENOSYS || errno == EPERM) return std::nullopt;
    return -1;
  }
}

int open_by_walking(int directory_fd, std::string_view path, int flags, mode_t mode) {
  Fd step;
  int at = directory_fd;
  Split parts = split(path);
  while (!parts.rest.empty()) {
    if (parts.first == "..") {
      errno = EXDEV;
      return -1;
    }
    Fd next(::openat(at, parts.first.c_str(), kStep));
    if (next.get() < 0) return -1;
    step = std::move(next);
    at = step.get();
    parts = split(parts.rest);
  }
  if (parts.first == "..") {
    errno = EXDEV;
    return -1;
  }
  return ::openat(at, parts.first.c_str(), flags, mode);
}

}  // namespace

PathError::PathError(std::string attempt, std::string path, int error_number)
    : std::system_error(error_number, std::generic_category()), attempt_(std::move(attempt)), path_(std::move(path)) {
  std::string reason = code().message();
  if (!reason.empty() && reason[0] >= 'A' && reason[0] <= 'Z') reason[0] = static_cast<char>(reason[0] - 'A' + 'a');
  sentence_ = attempt_ + " " + path_ + ": " + reason;
}

PathError PathError::below(const std::string& directory) const {
  const std::string shown = path_ == "." || path_.empty() ? directory : directory + "/" + path_;
  return PathError(attempt_, shown, code().value());
}

void Fd::reset(int fd) noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

Beneath::Beneath(int directory_fd, Method method) : directory_fd_(directory_fd), method_(method) {}

Fd Beneath::open(std::string_view path, int flags, mode_t mode) const {
  const int all_flags = flags | O_CLOEXEC | O_NOFOLLOW;
  std::optional<int> fd;
  if (path.empty() || path.front() == '/') {
    errno = path.empty() ? ENOENT : EXDEV;
    fd = -1;
  } else if (method_ == Method::automatic) {
    fd = open_by_kernel(directory_fd_, std::string(path), all_flags, mode);
  }
  if (!fd) fd = open_by_walking(directory_fd_, path, all_flags, mode);
  if (*fd < 0) fail("open", path);
  return Fd(*fd);
}

Fd Beneath::make_directories(std::string_view path) const {
  Fd step = open(".", kStep);
  const std::string_view whole = path;
  while (!path.empty() && path != ".") {
    const Split parts = split(path);
    const std::string_view so_far = whole.substr(0, whole.size() - parts.rest.size() - (parts.rest.empty() ? 0 : 1));
    if (parts.first == ".." || parts.first.empty()) {
      errno = EXDEV;
      fail("mkdir", so_far);
    }
    const bool made = ::mkdirat(step.get(), parts.first.c_str(), 0755) == 0;
    if (!made && errno != EEXIST) fail("mkdir", so_far);
    Fd next(::openat(step.get(), parts.first.c_str(), made ? O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC : kStep));
    if (next.get() < 0) fail("mkdir", so_far);
    if (made && ::fchmod(next.get(), 0755) != 0) fail("chmod", so_far);  // the umask had a say
    step = std::move(next);
    path = parts.rest;
  }
  return step;
}

}  // namespace tarutil
