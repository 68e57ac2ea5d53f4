// What an archive says of an entry.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include <sys/stat.h>
#include <sys/types.h>

namespace tarutil {

struct EntryHeader {
  /// As bytes, relative by custom; a directory's gets its "/" at the end when it is written.
  std::string name;
  /// Type and permission bits, as stat(2) has them.
  mode_t mode = S_IFREG | 0644;
  std::chrono::sys_seconds mtime{};
  std::uint32_t uid = 0, gid = 0;
  std::string user, group;  ///< empty: none is stored
  std::string symlink_target;
  /// Not empty: this is another name of the entry of that name, whatever `mode` says.
  std::string hard_link_target;
  dev_t device = 0;  ///< of character and block devices
};

}  // namespace tarutil
