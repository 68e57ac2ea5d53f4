// The record is a text file with one line per directory that is ours: "<device> <inode> <path>". A directory counts
// as recorded only if all three agree. It is written after the directory was made; a crash in between
// leaves an empty directory, which is taken the next time.
#include <build/base/file.h>
#include <build/buildlet/work_directory.h>
#include <tarutil/path_rule.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "failure.h"

namespace build::buildlet {

namespace fs = std::filesystem;

namespace {

constexpr std::array<const char*, 3> kCaches{"tmp", "gocache", "goplscache"};
constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

std::string without_links(const fs::path& path) {
  fs::path absolute = fs::absolute(path).lexically_normal();
  if (!absolute.has_filename()) absolute = absolute.parent_path();  // "dir/"
  std::error_code missing;
  const fs::path whole = fs::canonical(absolute, missing);
  if (!missing) return whole.string();
  return (fs::canonical(absolute.parent_path()) / absolute.filename()).string();
}

bool is_empty_directory(int fd, const std::string& path) {
  const int own = ::openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (own < 0) fail("listing the work directory " + path, errno);
  const std::unique_ptr<DIR, decltype([](DIR* d) { ::closedir(d); })> directory(::fdopendir(own));
  if (!directory) {
    const int error = errno;
    ::close(own);
    fail("listing the work directory " + path, error);
  }
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") return false;
  }
  return true;
}

struct RecordLine {
  dev_t device = 0;
  ino_t inode = 0;
  std::string path;
};

std::vector<RecordLine> read_record(const fs::path& file) {
  std::error_code missing;
  if (!fs::exists(file, missing)) return {};
  constexpr std::size_t kMaxRecord = 1 << 20;
  std::istringstream in(base::read_file(file, kMaxRecord));
  std::vector<RecordLine> lines;
  std::string text;
  while (std::getline(in, text)) {
    std::istringstream fields(text);
    RecordLine line;
    if (fields >> line.device >> line.inode && fields.get() == ' ' && std::getline(fields, line.path)) {
      lines.push_back(std::move(line));
    }
  }
  return lines;
}

std::string split_parent(const std::string& cleaned, std::string& name) {
  const std::size_t slash = cleaned.rfind('/');
  name = slash == std::string::npos ? cleaned : cleaned.substr(slash + 1);
  return slash == std::string::npos ? "." : cleaned.substr(0, slash);
}

}  // namespace

WorkDirectory::WorkDirectory(const fs::path& path, fs::path record_file, Found found)
    : path_(without_links(path)), record_file_(std::move(record_file)) {
  if (path_.find('\n') != std::string::npos) {
    throw NotOurs("the work directory's name " + tarutil::quoted(path_) + " has a line break in it");
  }
  const tarutil::Fd directory = open();
  if (found == Found::clear) {
    remove_contents(directory.get(), path_);
  } else {
    for (const char* cache : kCaches) remove_entry(directory.get(), cache, path_);
  }
  make_caches();
}

tarutil::Fd WorkDirectory::open() {
  const std::lock_guard lock(mutex_);
  tarutil::Fd directory(::open(path_.c_str(), kOpenDirectory));
  if (directory.get() < 0 && errno == ENOENT) {
    if (::mkdir(path_.c_str(), 0755) != 0 && errno != EEXIST) fail("making the work directory " + path_, errno);
    directory.reset(::open(path_.c_str(), kOpenDirectory));
  }
  if (directory.get() < 0) fail("opening the work directory " + path_, errno);
  take(directory.get());
  return directory;
}

void WorkDirectory::take(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) fail("looking at the work directory " + path_, errno);
  const Identity identity{info.st_dev, info.st_ino};
  if (identity_ == identity) return;
  if (!recorded(identity)) {
    if (!is_empty_directory(fd, path_)) {
      throw NotOurs("the directory " + path_ +
                    " is not empty and this worker did not make it, so it is not used as the work directory: empty "
                    "it, or name another one with -workdir");
    }
    record(identity);
  }
  identity_ = identity;
}

bool WorkDirectory::recorded(Identity identity) const {
  for (const RecordLine& line : read_record(record_file_)) {
    if (line.device == identity.device && line.inode == identity.inode && line.path == path_) return true;
  }
  return false;
}

void WorkDirectory::record(Identity identity) {
  std::string text;
  for (const RecordLine& line : read_record(record_file_)) {
    if (line.path == path_) continue;
    text += std::to_string(line.device) + " " + std::to_string(line.inode) + " " + line.path + "\n";
  }
  text += std::to_string(identity.device) + " " + std::to_string(identity.inode) + " " + path_ + "\n";
  base::write_file_atomically(record_file_, text, 0600);
}

tarutil::Fd WorkDirectory::open_below(const std::string& relative) {
  const tarutil::Fd directory = open();
  return tarutil::Beneath(directory.get()).make_directories(tarutil::cleaned_path(relative));
}

bool WorkDirectory::has_directory(const std::string& relative) {
  const tarutil::Fd directory = open();
  try {
    tarutil::Beneath(directory.get()).open(tarutil::cleaned_path(relative), O_PATH | O_DIRECTORY);
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

namespace {

struct statvfs disk_of(int fd, const std::string& path) {
  struct statvfs disk {};
  if (::fstatvfs(fd, &disk) != 0) fail("asking for the room in " + path, errno);
  return disk;
}

DiskSpace space_of(const struct statvfs& disk) {
  // Root may use what is kept back.
  const std::uint64_t blocks = ::geteuid() == 0 ? disk.f_bfree : disk.f_bavail;
  return {std::uint64_t{disk.f_blocks} * disk.f_frsize, blocks * disk.f_frsize};
}

}  // namespace

DiskSpace WorkDirectory::space() {
  const tarutil::Fd directory = open();
  return space_of(disk_of(directory.get(), path_));
}

std::optional<std::string> WorkDirectory::out_of_space() {
  constexpr std::uint64_t kLittle = 16 << 20;
  const tarutil::Fd directory = open();
  const struct statvfs disk = disk_of(directory.get(), path_);
  const DiskSpace space = space_of(disk);
  if (disk.f_files > 0 && (::geteuid() == 0 ? disk.f_ffree : disk.f_favail) == 0) {
    return "the worker's disk has no room for another file in " + path_;
  }
  if (space.total == 0 || space.available >= std::min(kLittle, space.total / 100)) return std::nullopt;
  return "the worker's disk is full: " + std::to_string(space.available) + " of " + std::to_string(space.total) +
         " bytes are left for " + path_;
}

void WorkDirectory::make_caches() {
  const tarutil::Fd directory = open();
  for (const char* cache : kCaches) {
    if (::mkdirat(directory.get(), cache, 0755) != 0 && errno != EEXIST) {
      fail("making " + path_ + "/" + cache, errno);
    }
  }
}

void WorkDirectory::give_to(uid_t user, gid_t group) {
  const tarutil::Fd directory = open();
  for (const char* cache : kCaches) {
    const bool given = ::fchownat(directory.get(), cache, user, group, AT_SYMLINK_NOFOLLOW) == 0;
    if (!given && errno != ENOENT) fail("giving away " + path_ + "/" + cache, errno);
  }
  if (::fchown(directory.get(), user, group) != 0) fail("giving away " + path_, errno);
}

void WorkDirectory::remove(const std::string& relative) {
  const tarutil::Fd directory = open();
  const std::string cleaned = tarutil::cleaned_path(relative);
  if (cleaned == ".") {
    remove_contents(directory.get(), path_);
    return;
  }
  std::string name;
  const std::string parent = split_parent(cleaned, name);
  tarutil::Fd parent_fd;
  try {
    parent_fd = tarutil::Beneath(directory.get()).open(parent, O_RDONLY | O_DIRECTORY);
  } catch (const std::system_error& error) {
    if (error.code() == std::errc::no_such_file_or_directory) return;
    fail("opening " + tarutil::quoted(parent) + " in " + path_, error.code().value());
  }
  remove_entry(parent_fd.get(), name, path_);
}

}  // namespace build::buildlet
