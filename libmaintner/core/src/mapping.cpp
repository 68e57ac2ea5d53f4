#include "mapping.h"

#include <cerrno>
#include <system_error>

#include <sys/mman.h>
#include <sys/stat.h>

namespace maintner {

Mapping::Mapping(int fd, const std::filesystem::path& file) {
  struct stat status {};
  if (::fstat(fd, &status) != 0)
    throw std::system_error(errno, std::generic_category(), "cannot look at " + file.string());
  size_ = static_cast<std::size_t>(status.st_size);
  if (size_ == 0) return;
  start_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
  if (start_ == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "cannot map " + file.string());
}

Mapping::~Mapping() {
  if (size_ > 0) ::munmap(start_, size_);
}

}  // namespace maintner
