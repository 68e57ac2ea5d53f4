#include <build/blob/directory.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace build::blob {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void fail(const char* what, const fs::path& file) {
  throw std::system_error(errno, std::generic_category(), std::string(what) + " " + file.string());
}

}  // namespace

FileBlob::FileBlob(std::shared_ptr<const base::UniqueFd> file, std::uint64_t size, fs::path name)
    : file_(std::move(file)), size_(size), name_(std::move(name)) {}

void FileBlob::read(std::uint64_t offset, std::span<char> into) const {
  if (offset > size_ || into.size() > size_ - offset)
    throw std::runtime_error("cannot read " + name_.string() + " beyond its " + std::to_string(size_) + " bytes");
  while (!into.empty()) {
    const ssize_t n = ::pread(file_->get(), into.data(), into.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("cannot read", name_);
    if (n == 0) throw std::runtime_error(name_.string() + " has become shorter");
    into = into.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
}

fs::path Directory::path_of(const std::string& name) const {
  if (name.empty() || name == "." || name == ".." || name.find('/') != name.npos || name.find('\0') != name.npos)
    throw std::invalid_argument("\"" + name + "\" is no name of a blob");
  return directory_ / name;
}

std::vector<BlobInfo> Directory::list() const {
  std::vector<BlobInfo> all;
  for (const auto& entry : fs::directory_iterator(directory_))
    if (entry.is_regular_file()) all.push_back({entry.path().filename().string(), entry.file_size()});
  std::sort(all.begin(), all.end(), [](const BlobInfo& a, const BlobInfo& b) { return a.name < b.name; });
  return all;
}

std::shared_ptr<const Blob> Directory::open(const std::string& name) const {
  const fs::path path = path_of(name);
  // Not waiting: a pipe is no blob.
  auto fd = std::make_shared<const base::UniqueFd>(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!fd->valid() || ::fstat(fd->get(), &status) != 0) fail("cannot open", path);
  if (!S_ISREG(status.st_mode)) throw std::runtime_error("cannot open " + path.string() + ": it is no file");
  return std::make_shared<FileBlob>(std::move(fd), static_cast<std::uint64_t>(status.st_size), path);
}

void Directory::take(const std::string& name, const fs::path& file) {
  if (::rename(file.c_str(), path_of(name).c_str()) != 0) fail("cannot rename", file);
}

void Directory::sync() {
  const base::UniqueFd fd(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() || ::fsync(fd.get()) != 0) fail("cannot sync", directory_);
}

}  // namespace build::blob
