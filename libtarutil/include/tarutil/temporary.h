// A file that gets its name only when it is complete.
//
// Threads: any; one object is used by one thread at a time.
#pragma once

#include <tarutil/export.h>

#include <cerrno>
#include <cstdint>
#include <string>

namespace tarutil {

/// A name in an open directory, made by us, that is removed again unless it was given its final name. Names are
/// ".extract-<process>-<number>".
class TARUTIL_API Temporary {
 public:
  /// Calls `make(name)` with one name after the other until it does not fail with EEXIST: what has such a name
  /// already is somebody else's. errno tells if it failed otherwise, and made() is false. `directory_fd` is borrowed.
  template <typename Make>
  Temporary(int directory_fd, std::uint64_t& counter, Make make) : directory_fd_(directory_fd) {
    do {
      name_ = next_name(counter);
      made_ = make(name_.c_str());
    } while (!made_ && errno == EEXIST);
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary();

  bool made() const noexcept { return made_; }
  const char* name() const noexcept { return name_.c_str(); }
  /// Gives it the name `leaf` in the same directory, in place of what has that name. False if that failed, see
  /// errno. Not for another link of the same file: the kernel does nothing then, and both names stay.
  bool put_in_place(const std::string& leaf);

 private:
  static std::string next_name(std::uint64_t& counter);

  int directory_fd_;
  std::string name_;
  bool made_ = false;
};

}  // namespace tarutil
