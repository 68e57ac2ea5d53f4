// Packing a tree into a tar.gz, piece by piece, in bounded memory.
//
// The archive is what GET /tgz of the original gives: pax, names relative to the top, directories ending in "/", the
// top itself left out, sorted, symbolic links as they are, owners with their names, times in whole seconds. A top
// that is a file is packed under its own name (the original gives it none). Sockets cannot be packed and are left out.
//
// A file that grows meanwhile is cut at the size it had; one that shrinks is an error. See walk.h for the rest.
//
// Threads: any; one object is used by one thread at a time. All calls block; nobody's thread is held between them, but
// pargzip::Writer's own, which compress meanwhile. Memory: Writer's, the names of the directories that the walk is in,
// and 64 KiB.
#pragma once

#include <pargzip/writer.h>
#include <tarutil/export.h>
#include <tarutil/walk.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tarutil {

struct PackOptions {
  WalkLimits limits;
  /// What is left out; a directory with everything in it. Patterns as fnmatch(3) reads them, "*" never over a "/": one
  /// without a "/" is tried on the last part of each path ("*.o", ".git"), one with a "/" on the whole path from
  /// the top ("out/*", "/build").
  std::vector<std::string> skip;
  /// If set, every entry has this time, and the owner 0 without a name: equal trees give equal archives.
  std::optional<std::chrono::sys_seconds> deterministic_time;
  pargzip::WriterOptions gzip;
};

class TARUTIL_API Packer {
 public:
  /// `directory_fd` is borrowed; `top` is a cleaned path in it. Throws std::bad_alloc, and
  /// std::invalid_argument for options out of range.
  Packer(int directory_fd, std::string top, PackOptions options = {});
  ~Packer();
  Packer(const Packer&) = delete;
  Packer& operator=(const Packer&) = delete;

  /// Appends the next bytes of the archive to `out`, possibly none: one or some members, after reading at most
  /// some megabytes. False if the archive is complete. Throws PathError as TreeWalk does, std::runtime_error if
  /// libarchive refuses an entry; there is no going on after that.
  bool next(std::string& out);

  std::uint64_t skipped_sockets() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The whole archive into `sink`, on this thread. Throws what Packer::next() and `sink` throw.
TARUTIL_API void pack(int directory_fd, const std::string& top, const PackOptions& options,
                      const std::function<void(std::string_view bytes)>& sink);

}  // namespace tarutil
