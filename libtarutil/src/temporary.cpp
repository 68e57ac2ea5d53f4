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
  // The destructor still deletes: renaming to another link of the same file does nothing and leaves both names.
  return ::renameat(directory_fd_, name_.c_str(), directory_fd_, leaf.c_str()) == 0;
}

std::string Temporary::next_name(std::uint64_t& counter) {
  return ".extract-" + std::to_string(::getpid()) + "-" + std::to_string(++counter);
}

}  // namespace tarutil
