// The directory below which a worker unpacks, runs and deletes, and the memory of which directories are ours.
//
// A worker clears a directory only if it made it or found it empty. It remembers those by device, inode and path in
// its state directory; nothing is put into the work directory itself. Every path is looked up beneath an open
// descriptor of the work directory, so neither ".." nor a symbolic link leads out of it; deleting goes through
// descriptors and never follows a link.
//
// Threads: all calls block; any thread. Calls on the same tree at the same time see what the file system makes of it.
#pragma once

#include <tarutil/beneath.h>

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include <sys/types.h>

namespace build::buildlet {

/// The work directory is not one that this worker may use; the text says what to do about it.
struct NotOurs : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Of a file system, in bytes.
struct DiskSpace {
  std::uint64_t total = 0;
  std::uint64_t available = 0;  ///< to this user
};

class WorkDirectory {
 public:
  /// What is done with what the directory holds from before.
  enum class Found { keep, clear };

  /// `path` is made if it is missing (its parent must exist), taken if it is empty or recorded in `record_file`, and
  /// refused (NotOurs) otherwise. The caches of earlier commands (tmp, gocache, goplscache) are removed and made anew;
  /// with Found::clear everything is. The caller holds the state directory's lock. Throws std::system_error naming
  /// the path.
  WorkDirectory(const std::filesystem::path& path, std::filesystem::path record_file, Found found);

  /// Absolute, without symbolic links.
  const std::string& path() const noexcept { return path_; }

  /// The directory, open. Made again if it has gone; throws NotOurs if another one that is not empty has taken its
  /// place.
  tarutil::Fd open();
  /// A directory below it, made with its parents (0755) where missing. `relative` is a path without a
  /// tarutil::relative_path_problem().
  tarutil::Fd open_below(const std::string& relative);
  /// Whether `relative` is a directory below it.
  bool has_directory(const std::string& relative);
  /// Whether the disk is so full that a command can have failed for it: a sentence with the figures, or nullopt. Less
  /// than a hundredth of it and 16 MiB is left, or no more files can be made.
  std::optional<std::string> out_of_space();
  /// Of the file system that it is on.
  DiskSpace space();
  /// Makes the directory and its tmp, gocache and goplscache where they are missing.
  void make_caches();
  /// Makes somebody else own the directory and its caches, so that commands that run as him can write there. Throws
  /// std::system_error.
  void give_to(uid_t user, gid_t group);
  /// Deletes a file or a tree; "." (also written as "a/..") empties the work directory. A missing one is no error.
  void remove(const std::string& relative);

 private:
  struct Identity {
    dev_t device = 0;
    ino_t inode = 0;
    bool operator==(const Identity&) const = default;
  };
  void take(int fd);
  bool recorded(Identity identity) const;
  void record(Identity identity);

  std::string path_;
  std::filesystem::path record_file_;
  std::mutex mutex_;
  std::optional<Identity> identity_;
};

/// Deletes everything in the directory open as `directory_fd`; it stays itself. Links are not followed, other file
/// systems not entered, directories without permissions are opened up first; trees of any depth are fine. Throws
/// std::system_error; `shown` is the directory's name in its text.
void remove_contents(int directory_fd, const std::string& shown);

/// Deletes the entry `name` of the directory open as `parent_fd`, whatever it is. A missing one is no error.
void remove_entry(int parent_fd, const std::string& name, const std::string& shown);

}  // namespace build::buildlet
