// Looking through a tree beneath a directory that is already open, while somebody may be changing it.
//
// Entries come one by one, a directory before its contents, the names in each directory sorted by their bytes. Symbolic
// links are entries and are never followed. What vanishes between being listed and being looked at is left out.
// One descriptor is open at a time, whatever the depth; memory is bounded by WalkLimits.
//
// Threads: any; one object is used by one thread at a time. All calls block.
#pragma once

#include <tarutil/beneath.h>
#include <tarutil/export.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <sys/stat.h>

namespace tarutil {

struct WalkLimits {
  std::size_t names = 1'000'000;  ///< of the directories that the walk is inside of, together
  std::size_t path_bytes = 4095;  ///< from the directory given to an entry
};

struct TreeEntry {
  std::string path;  ///< from the top: "a/b"; empty for the top itself
  struct stat status {};
};

class TARUTIL_API TreeWalk {
 public:
  /// `directory_fd` is borrowed; `top` is a cleaned path in it (cleaned_path()).
  TreeWalk(int directory_fd, std::string top, WalkLimits limits = {});

  /// The next entry, nullopt at the end. A directory as the top is left out, anything else as the top is the only
  /// entry. Throws PathError, whose paths are relative to the directory given, and std::runtime_error for too many
  /// names.
  std::optional<TreeEntry> next();
  /// Do not go into the directory that next() gave last.
  void skip() noexcept { entering_.reset(); }
  /// Opens the regular file that next() gave last. Throws PathError, also if it has become something else.
  Fd open_file();
  /// Where the symbolic link that next() gave last points to.
  std::string link_target();

 private:
  struct Level {
    std::string path;
    std::vector<std::string> names;
    std::size_t next = 0;
  };
  void enter(const std::string& path);
  int directory();
  std::string whole(const std::string& path) const;
  [[noreturn]] void fail(const char* attempt, const std::string& path, int error_number) const;

  Beneath beneath_;
  std::string top_;
  WalkLimits limits_;
  bool begun_ = false;
  std::size_t names_held_ = 0;
  std::vector<Level> levels_;
  std::optional<std::string> entering_;
  std::string leaf_, last_;
  Fd open_;
  std::string open_path_;
};

/// A mode as Go prints it: "-rw-r--r--", "drwxr-xr-x", "Lrwxrwxrwx", "dtrwxrwxrwx", "Dcrw-rw----".
TARUTIL_API std::string mode_text(mode_t mode);

}  // namespace tarutil
