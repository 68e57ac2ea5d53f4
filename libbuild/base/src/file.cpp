// How it works: every write goes to a fresh temporary file beside its target and reaches the disk before the
// rename makes it visible, and the rename reaches the disk before the call returns. Locks are the kernel's
// (flock), bound to the open file: they end with the descriptor, however the process ends.

#include <build/base/file.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace build::base {

namespace fs = std::filesystem;

namespace {

constexpr int kLooksForChildren = 100, kLookPauseMilliseconds = 10;

[[noreturn]] void fail(const std::string& attempt, const fs::path& path) {
  throw std::system_error(errno, std::generic_category(), attempt + " " + path.string());
}

void write_all(int fd, std::string_view content, const fs::path& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("cannot write", path);
    content.remove_prefix(static_cast<std::size_t>(written));
  }
}

fs::path directory_of(const fs::path& file) { return file.has_parent_path() ? file.parent_path() : fs::path("."); }

UniqueFd open_temporary(std::string& pattern) {
  UniqueFd fd(mkostemp(pattern.data(), O_CLOEXEC));
  if (!fd.valid()) fail("cannot make a temporary file", pattern);
  return fd;
}

/// Removes a file that did not get its final name.
class Leftover {
 public:
  explicit Leftover(const std::string& path) : path_(path) {}
  Leftover(const Leftover&) = delete;
  Leftover& operator=(const Leftover&) = delete;
  ~Leftover() {
    if (!kept_) ::unlink(path_.c_str());
  }
  void keep() { kept_ = true; }

 private:
  const std::string& path_;
  bool kept_ = false;
};

pid_t holder_of(int fd) {
  char text[24];
  const ssize_t size = ::pread(fd, text, sizeof text, 0);
  pid_t pid = 0;
  if (size > 0) std::from_chars(text, text + size, pid);
  return pid;
}

}  // namespace

void UniqueFd::reset(int fd) noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

std::string read_file(const fs::path& file, std::size_t limit) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) fail("cannot open", file);
  std::string content;
  // Grows as bytes come: st_size says nothing about /proc, and a limit may be far above the size.
  while (true) {
    const std::size_t have = content.size();
    const std::size_t want = std::min(std::clamp<std::size_t>(have, 4 * 1024, 64 * 1024), limit - have + 1);
    content.resize(have + want);
    const ssize_t got = ::read(fd.get(), content.data() + have, want);
    content.resize(have + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("cannot read", file);
    if (got == 0) return content;
    if (content.size() > limit) {
      throw std::runtime_error("cannot read " + file.string() + ": it is larger than " + std::to_string(limit) +
                               " bytes");
    }
  }
}

void write_file_atomically(const fs::path& file, std::string_view content, mode_t mode) {
  std::string temporary = file.string() + ".XXXXXX";
  const UniqueFd fd = open_temporary(temporary);
  Leftover leftover(temporary);
  write_all(fd.get(), content, temporary);
  if (::fchmod(fd.get(), mode) != 0) fail("cannot set the mode of", temporary);
  if (::fsync(fd.get()) != 0) fail("cannot bring to disk", temporary);
  if (::rename(temporary.c_str(), file.c_str()) != 0) fail("cannot replace", file);
  leftover.keep();
  const fs::path directory = directory_of(file);
  const UniqueFd directory_fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory_fd.valid()) fail("cannot open", directory);
  if (::fsync(directory_fd.get()) != 0) fail("cannot bring to disk", directory);
}

void ensure_private_directory(const fs::path& directory) {
  // A trailing slash would make parent_path() the directory itself.
  const fs::path path = directory.has_filename() ? directory : directory.parent_path();
  if (path.has_parent_path()) fs::create_directories(path.parent_path());
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) fail("cannot make the directory", path);
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) fail("cannot open the directory", path);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) fail("cannot look at the directory", path);
  if (status.st_uid != ::geteuid()) {
    throw std::runtime_error("the directory " + path.string() + " belongs to user " + std::to_string(status.st_uid) +
                             ", not to this one (" + std::to_string(::geteuid()) + ")");
  }
  if ((status.st_mode & 07777) != 0700 && ::fchmod(fd.get(), 0700) != 0) fail("cannot close to others", path);
}

LockFile::LockFile(const fs::path& file) {
  UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid()) fail("cannot open the lock file", file);
  int looks_left = kLooksForChildren;
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) fail("cannot lock", file);
    const pid_t holder = holder_of(fd.get());
    // A process that was killed while it started another leaves the lock to that one until it becomes its program.
    if (holder > 0 && ::kill(holder, 0) != 0 && errno == ESRCH && looks_left-- > 0) {
      ::poll(nullptr, 0, kLookPauseMilliseconds);
      continue;
    }
    throw LockedError("cannot lock " + file.string() + ": " +
                          (holder > 0 ? "process " + std::to_string(holder) : std::string("another process")) +
                          " holds it",
                      holder);
  }
  if (::ftruncate(fd.get(), 0) != 0) fail("cannot write", file);
  write_all(fd.get(), std::to_string(::getpid()) + "\n", file);
  fd_ = std::move(fd);
}

}  // namespace build::base
