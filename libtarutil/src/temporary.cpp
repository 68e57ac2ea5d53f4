#include <tarutil/temporary.h>

#include <cstdio>

#include <unistd.h>

namespace tarutil {

Temporary::~Temporary() {
  if (made_) ::unlinkat(directory_fd_, name_.c_str(), 0);
}

bool Temporary::put_in_place(const std::string& leaf) {
  if (leaf.empty() || leaf == ".") {
    errno = EISDIR;
    return false;
  }
  if (::renameat(directory_fd_, name_.c_str(), directory_fd_, leaf.c_str()) != 0) return false;
  made_ = false;  // that name is anybody's again
  return true;
}

std::string Temporary::next_name(std::uint64_t& counter) {
  return ".extract-" + std::to_string(::getpid()) + "-" + std::to_string(++counter);
}

}  // namespace tarutil
