#include "growing_file.h"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file_error.h"

namespace maintner {

namespace fs = std::filesystem;

GrowingFile::GrowingFile(fs::path file)
    : file_(std::move(file)),
      fd_(std::make_shared<build::base::UniqueFd>(
          ::open(file_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600))) {
  struct stat status {};
  if (!fd_->valid() || ::fstat(fd_->get(), &status) != 0) fail("cannot open", file_);
  inode_ = status.st_ino;
  device_ = status.st_dev;
  catch_up();
}

bool GrowingFile::is_there() const {
  struct stat status {};
  return ::lstat(file_.c_str(), &status) == 0 && status.st_ino == inode_ && status.st_dev == device_ &&
         static_cast<std::uint64_t>(status.st_size) >= size_;
}

void GrowingFile::catch_up() {
  std::string buffer(256 * 1024, '\0');
  while (true) {
    const ssize_t n = ::pread(fd_->get(), buffer.data(), buffer.size(), static_cast<off_t>(size_));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("cannot read", file_);
    if (n == 0) return;
    digest_.update(std::string_view(buffer).substr(0, static_cast<std::size_t>(n)));
    size_ += static_cast<std::uint64_t>(n);
  }
}

void GrowingFile::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd_->get(), bytes.data(), bytes.size(), static_cast<off_t>(size_));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail("cannot write to", file_);
    digest_.update(bytes.substr(0, static_cast<std::size_t>(n)));
    size_ += static_cast<std::uint64_t>(n);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

void GrowingFile::rename(const fs::path& to) {
  if (::rename(file_.c_str(), to.c_str()) != 0) fail("cannot make a segment whole as", to);
  file_ = to;
}

}  // namespace maintner
