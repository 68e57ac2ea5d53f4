// Being told by the kernel (inotify) that something changed below a directory.
#pragma once

#include <io/task.h>

#include <filesystem>
#include <memory>

namespace io {

/// Watches `directory` and the directories below it, also ones made later, for files written, made, moved
/// or removed. Links are not followed. Directories are looked through on the calling thread: made for the few
/// hundred entries of a repository's refs, not for large trees. Errors are boost::system::system_error and name
/// the directory.
class DirectoryWatch {
 public:
  DirectoryWatch(Executor executor, const std::filesystem::path& directory);
  ~DirectoryWatch();

  /// Returns after at least one change since the last call (many changes may be reported as one).
  /// After close() throws operation_aborted; once `directory` itself has gone, and that has been reported as a
  /// change, throws no_such_file_or_directory.
  Task<> changed();
  void close() noexcept;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace io
