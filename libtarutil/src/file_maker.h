// Small files, made on a few threads while the archive is read on.
//
// Everything here is called on one thread, which makes files too while it would have to wait. Memory: two batches (each
// 256 KiB and some names) for each thread, the caller's among them, and one more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>

#include "directories.h"
#include "new_file.h"

namespace tarutil {

struct FileJob {
  Directories::Handle directory;
  std::string path;  ///< cleaned
  std::string name;  ///< as it stands in the archive
  FileMeta meta;
  std::size_t at = 0, size = 0;  ///< where the content lies in the batch; set by add()
};

/// A file could not be made.
class FileFailure : public std::runtime_error {
 public:
  FileFailure(std::string name, PathError error)
      : std::runtime_error(error.what()), name_(std::move(name)), error_(std::move(error)) {}
  const std::string& name() const noexcept { return name_; }
  const PathError& error() const noexcept { return error_; }

 private:
  std::string name_;
  PathError error_;
};

class FileMaker {
 public:
  /// The largest file that room() is made for.
  static constexpr std::size_t kMaxSize = 256 * 1024;

  /// `threads` beside the caller's. With none, files are made by add().
  explicit FileMaker(unsigned threads);
  /// Files that were not begun are not made.
  ~FileMaker();

  /// Where the next file's content goes; its bytes are anything. Throws as add() does.
  std::span<char> room(std::size_t size);
  /// Takes the file whose content was put into room(). May wait. Throws FileFailure, the archive's first one, if
  /// one failed.
  void add(FileJob job);
  /// Whether the file `path` may be unmade yet.
  bool pending(const std::string& path) const;
  /// Returns when all are made. Throws as add() does.
  void wait();

  /// Both only right after wait().
  bool has_made(const FileId& id);
  std::uint64_t times_not_set() const;

  /// Beside those made here.
  void also_made(const FinishedFile& file);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tarutil
