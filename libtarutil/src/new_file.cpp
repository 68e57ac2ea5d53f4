#include "new_file.h"

#include <tarutil/temporary.h>

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

namespace tarutil {

namespace {

constexpr int kCreate = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;

bool is_zeros(std::string_view bytes) {
  return bytes.empty() || (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

[[noreturn]] void fail_with_file(const char* attempt, const std::string& path) {
  throw PathError(attempt, path, errno);
}

/// Takes a name away again unless the file is complete.
struct Unfinished {
  int directory;
  const char* leaf;
  bool complete = false;
  ~Unfinished() {
    if (!complete) ::unlinkat(directory, leaf, 0);
  }
};

}  // namespace

SplitName split_last(std::string_view cleaned) {
  const std::size_t slash = cleaned.rfind('/');
  if (slash == std::string_view::npos) return {".", cleaned};
  return {cleaned.substr(0, slash), cleaned.substr(slash + 1)};
}

void write_at(int file, std::string_view bytes, std::uint64_t offset, const std::string& path) {
  if (is_zeros(bytes)) return;  // a hole reads the same and takes no room
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_with_file("error writing to", path);
    bytes.remove_prefix(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
}

FinishedFile finish_file(int file, std::uint64_t size, const FileMeta& meta, const std::string& path) {
  struct stat status {};
  if (::fstat(file, &status) != 0) fail_with_file("stat", path);
  // Sets the end of a file that ends in a hole.
  if (static_cast<std::uint64_t>(status.st_size) != size && ::ftruncate(file, static_cast<off_t>(size)) != 0) {
    fail_with_file("truncate", path);
  }
  if ((status.st_mode & 07777) != meta.mode && ::fchmod(file, meta.mode) != 0) fail_with_file("chmod", path);
  const timespec times[2] = {meta.time, meta.time};
  // A time that the file system cannot keep is no reason to lose the file.
  return {{status.st_dev, status.st_ino}, ::futimens(file, times) == 0};
}

FinishedFile make_file(int directory, const std::string& path, std::string_view content, const FileMeta& meta,
                       std::uint64_t& counter) {
  const char* leaf = split_last(path).leaf.data();
  Fd file(::openat(directory, leaf, kCreate, meta.mode));
  if (file.get() >= 0) {
    Unfinished unfinished{directory, leaf};
    write_at(file.get(), content, 0, path);
    const FinishedFile finished = finish_file(file.get(), content.size(), meta, path);
    unfinished.complete = true;
    return finished;
  }
  if (errno != EEXIST) fail_with_file("open", path);
  Temporary temporary(directory, counter, [&](const char* name) {
    // O_EXCL: whatever has that name already is neither written to nor followed.
    file.reset(::openat(directory, name, kCreate, 0600));
    return file.get() >= 0;
  });
  if (!temporary.made()) fail_with_file("open", path);
  write_at(file.get(), content, 0, path);
  const FinishedFile finished = finish_file(file.get(), content.size(), meta, path);
  if (!temporary.put_in_place(leaf)) fail_with_file("open", path);
  return finished;
}

}  // namespace tarutil
