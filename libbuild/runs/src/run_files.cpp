#include "run_files.h"

#include <build/base/file.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace build::runs {

namespace {

std::string temporary_name(const char* name) { return std::string(name) + ".new"; }

[[noreturn]] void fail(const char* name) {
  throw std::system_error(errno, std::generic_category(), std::string("cannot write a run's file ") + name);
}

base::UniqueFd open_to_write(int directory, const char* name) {
  base::UniqueFd fd(::openat(directory, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid()) fail(name);
  return fd;
}

void write_all(const base::UniqueFd& fd, const char* name, const std::string& content) {
  std::size_t done = 0;
  while (done < content.size()) {
    const ssize_t size = ::write(fd.get(), content.data() + done, content.size() - done);
    if (size < 0 && errno != EINTR) fail(name);
    if (size > 0) done += static_cast<std::size_t>(size);
  }
}

}  // namespace

std::string cgroup_name(const std::string& id, int directory) {
  struct stat status {};
  ::fstat(directory, &status);
  return "xbuild-run-" + id + "-" + std::to_string(status.st_ino);
}

void make_room_for_run_file(int directory, const char* name, std::size_t size) {
  const base::UniqueFd fd = open_to_write(directory, temporary_name(name).c_str());
  errno = ::posix_fallocate(fd.get(), 0, static_cast<off_t>(size));
  if (errno != 0) fail(name);
}

void write_run_file(int directory, const char* name, const std::string& content) {
  const std::string temporary = temporary_name(name);
  const base::UniqueFd fd = open_to_write(directory, temporary.c_str());
  write_all(fd, name, content);
  if (::ftruncate(fd.get(), static_cast<off_t>(content.size())) != 0) fail(name);
  if (::renameat(directory, temporary.c_str(), directory, name) != 0) fail(name);
}

void write_first_run_file(int directory, const char* name, const std::string& content) {
  write_all(open_to_write(directory, name), name, content);
}

}  // namespace build::runs
