// A regular file that is being made: its content, and then its mode and times.
#pragma once

#include <tarutil/beneath.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <sys/stat.h>
#include <time.h>

namespace tarutil {

/// A file's identity while it exists.
struct FileId {
  dev_t device;
  ino_t inode;
  friend bool operator==(const FileId&, const FileId&) = default;
};

struct HashFileId {
  std::size_t operator()(const FileId& id) const {
    return std::hash<ino_t>()(id.inode) ^ (id.device * 0x9e3779b97f4a7c15);
  }
};

struct FileMeta {
  mode_t mode = 0;  ///< nine bits
  timespec time{};
};

struct FinishedFile {
  FileId id{};
  bool has_time = false;  ///< the file system took it
};

/// A name's directory, "." if it has none, and its last part, which ends where the name does (so with a string's NUL).
struct SplitName {
  std::string_view parent, leaf;
};
SplitName split_last(std::string_view cleaned);

/// All throw PathError with `path`. Runs of zeros are left to be holes.
void write_at(int file, std::string_view bytes, std::uint64_t offset, const std::string& path);
/// Sets the end of the file as well.
FinishedFile finish_file(int file, std::uint64_t size, const FileMeta& meta, const std::string& path);

/// The whole file `path`, whose directory is open: under its own name at once if nothing has it (and
/// removed again if it fails), else beside it and then in its place. `counter` is Temporary's.
FinishedFile make_file(int directory, const std::string& path, std::string_view content, const FileMeta& meta,
                       std::uint64_t& counter);

}  // namespace tarutil
