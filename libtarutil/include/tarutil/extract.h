// Unpacking an archive that a stranger sent, beneath a directory that is already open.
//
// What comes out of the archive stays in the directory: names are checked, everything is opened
// beneath it without following symbolic links (see beneath.h), symbolic links are made only where they cannot lead
// out, devices and fifos are refused. Memory is bounded whatever the archive says.
//
// - Regular files: a file that fails leaves nothing under its name, and what was complete before stays. A file
//   that takes another's place does so in one step; a large one gets its name when it is complete. (A process that
//   is killed may leave a small one half-written, one for each thread.)
// - Modes: exactly the entry's nine permission bits, whatever the umask and whatever stood there before; set-id and
//   sticky bits are dropped. Directories are 0755.
// - Times: modification and access time are the entry's, cut down to `now`.
// - Hard links: become links to the regular file of that name if this extraction made it, and are refused otherwise.
// - Symbolic links: see SymlinkPolicy.
// - Parents that are missing are made, 0755. Global pax headers are skipped. Runs of zeros become holes.
// - A directory where a file stands, and a file where a directory stands, are errors; a file replaces a file or a link.
//
// Small files are made by a few threads while the archive is read on; the outcome is as if one had done it, but files
// that come after one that fails may be there. What somebody else moves out of the directory meanwhile takes with
// it what is being put into it.
//
// Memory: 512 KiB for each thread and 256 KiB more, 16 bytes for each regular file, and what pargzip::Reader takes.
//
// extract() blocks; call it on a pool thread. Nothing is shared between calls.
#pragma once

#include <tarutil/beneath.h>
#include <tarutil/export.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

namespace tarutil {

/// Gives the archive's next bytes: at least one, 0 at the end. What it throws comes out of extract(). With several
/// threads it is called on a thread of extract()'s, ahead of what is unpacked, one call at a time.
using Source = std::function<std::size_t(std::span<char> into)>;

struct ExtractLimits {
  std::uint64_t entries = 1'000'000;
  /// Of all files together, and of one, unpacked.
  std::uint64_t total_bytes = std::uint64_t{64} << 30;
  std::uint64_t file_bytes = std::uint64_t{16} << 30;
  /// Of an entry's name, and how many components it may have.
  std::size_t path_bytes = 4095;
  std::size_t depth = 128;
  /// Bytes of tar for each byte of compressed input, beyond the first kFreeExpansion of tar; 0: any. Source trees stay
  /// below 50; zeros reach 1000 under gzip and 10,000 under zstd.
  std::uint64_t expansion = 250;
};

inline constexpr std::uint64_t kFreeExpansion = std::uint64_t{64} << 20;

enum class SymlinkPolicy {
  /// Not made, only counted.
  skip,
  /// Made where they cannot lead out of the directory, whatever else the archive makes: relative, no more ".." than
  /// the link lies deep, and those before any name. Others end the extraction. (They may still lead through
  /// links that were in the directory before.)
  inside,
  /// End the extraction.
  refuse,
};

/// What may be around the tar. Which it is, is told by the first bytes.
struct AcceptedPackings {
  bool gzip = true;  ///< any number of members
  bool zstd = true;  ///< where libarchive was built with it
  bool none = true;
};

/// What comes after the blocks that end the tar.
enum class AfterEnd {
  /// Is read to the end of the source: the blocks are there, only zeros follow (at most 16 MiB), and the compression
  /// is whole to its last checksum. If not, everything was unpacked, and extract() throws all the same.
  check,
  /// Is nobody's business: a damaged checksum of the last gzip member may go unnoticed, so may a missing end.
  ignore,
};

struct ExtractOptions {
  ExtractLimits limits;
  AfterEnd after_end = AfterEnd::check;
  SymlinkPolicy symlinks = SymlinkPolicy::inside;
  AcceptedPackings packings;
  /// The directory's path as error texts show it before the names below it; empty: names stand alone.
  std::string directory_name;
  /// No file gets a later time than this.
  std::chrono::sys_seconds now;
  Beneath::Method method = Beneath::Method::automatic;
  /// How many threads undo gzip, and how many make small files, the caller's among them; 0: one for each core this
  /// process may use; 1: no thread is started. More than 4 are taken for 4.
  unsigned threads = 0;
  /// Called once, when no more of the source is wanted, possibly while another thread waits in it: that call should
  /// return soon, for extract() returns only after it. Must not throw.
  std::function<void()> stop_source;

  /// The rules of PUT /writetgz of the original: gzip only, symbolic links skipped, any expansion, what follows
  /// the end ignored. Where we are better on purpose: the umask has no say, an existing file's mode is set, hard links
  /// are links (the original makes an empty file of each), nothing half-written stays.
  TARUTIL_API static ExtractOptions as_original();
};

struct ExtractReport {
  std::uint64_t entries = 0;  ///< all that were read, skipped ones too
  std::uint64_t bytes = 0;    ///< of regular files, unpacked
  std::uint64_t skipped_symlinks = 0;
  std::uint64_t times_not_set = 0;  ///< files whose time the file system would not take
};

/// not_gzip (or another packing that is not accepted) .. limit are the sender's fault, io is ours (no permission,
/// a file in the way), and so is no_space: the disk, or this user's share of it, is full.
enum class ExtractErrorKind { not_gzip, bad_tar, bad_name, unsupported_type, limit, io, no_space };

/// what() names the entry and says what was wrong with it, in the original's words where it has any:
///
///   requires gzip-compressed body: gzip: invalid header
///   tar error: ...
///   tar file contained invalid name "../x": path "../x" refers to a parent directory
///   tar file entry null contained unsupported file type Dcrw-r--r--
///   tar file entry "l" is a symbolic link to "/etc": its target is absolute
class TARUTIL_API ExtractError : public std::runtime_error {
 public:
  ExtractError(ExtractErrorKind kind, std::string entry, const std::string& sentence)
      : std::runtime_error(sentence), kind_(kind), entry_(std::move(entry)) {}
  ExtractErrorKind kind() const noexcept { return kind_; }
  /// The entry's name; empty if none had been read.
  const std::string& entry() const noexcept { return entry_; }

 private:
  ExtractErrorKind kind_;
  std::string entry_;
};

/// Unpacks everything that `source` gives into `directory_fd` (borrowed). Throws ExtractError and what `source`
/// throws. `source` may not be read to its end, or further than was unpacked.
TARUTIL_API ExtractReport extract(const Source& source, int directory_fd, const ExtractOptions& options);

}  // namespace tarutil
