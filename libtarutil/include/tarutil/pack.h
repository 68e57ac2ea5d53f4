// Packing a tree into a tar.gz, piece by piece, in bounded memory.
//
// The archive is what GET /tgz of the original gives: pax, names relative to the top, directories ending in "/", the
// top itself left out, sorted, symbolic links as they are, owners with their names, times in whole seconds, gzip
// in one member. A top that is a file is packed under its own name (the original gives it none). Sockets cannot be
// packed and are left out.
//
// A file that grows meanwhile is cut at the size it had; one that shrinks is an error. See walk.h for the rest.
//
// Threads: any; one object is used by one thread at a time. All calls block; nobody's thread is held between them.
#pragma once

#include <tarutil/export.h>
#include <tarutil/walk.h>

#include <cstdint>
#include <memory>
#include <string>

namespace tarutil {

class TARUTIL_API Packer {
 public:
  /// `directory_fd` is borrowed; `top` is a cleaned path in it. Throws std::bad_alloc.
  Packer(int directory_fd, std::string top, WalkLimits limits = {});
  ~Packer();
  Packer(const Packer&) = delete;
  Packer& operator=(const Packer&) = delete;

  /// Appends the next bytes of the archive to `out`, possibly none: about 64 KiB, after reading at most some
  /// megabytes. False if the archive is complete. Throws PathError as TreeWalk does, std::runtime_error if
  /// libarchive refuses an entry; there is no going on after that.
  bool next(std::string& out);

  std::uint64_t skipped_sockets() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tarutil
