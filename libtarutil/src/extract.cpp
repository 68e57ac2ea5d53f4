// How it works: ArchiveReader gives headers and blocks; everything that touches the disk is done here, on descriptors
// opened beneath the directory. A file is written under a temporary name in its final directory and renamed last.
// Invariant: no path that came out of the archive is ever given to a call that would resolve it from the process's own
// root or working directory, or through a symbolic link.

#include <tarutil/extract.h>
#include <tarutil/path_rule.h>
#include <tarutil/temporary.h>
#include <tarutil/walk.h>

#include <archive_entry.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <string_view>
#include <system_error>
#include <unordered_set>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive_reader.h"

namespace tarutil {

namespace {

using Kind = ExtractErrorKind;

bool is_zeros(std::string_view bytes) {
  return bytes.empty() || (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

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

struct Name {
  std::string parent, leaf;
};

Name split_last(const std::string& cleaned) {
  const std::size_t slash = cleaned.rfind('/');
  if (slash == std::string::npos) return {".", cleaned};
  return {cleaned.substr(0, slash), cleaned.substr(slash + 1)};
}

class Extraction {
 public:
  Extraction(const Source& source, int directory_fd, const ExtractOptions& options)
      : options_(options), beneath_(directory_fd, options.method), reader_(source, options) {}

  ExtractReport run() {
    while (archive_entry* entry = reader_.next()) take(entry);
    return report_;
  }

 private:
  [[noreturn]] void fail(Kind kind, const std::string& sentence) const {
    throw ExtractError(kind, reader_.name(), sentence);
  }

  [[noreturn]] void fail_io(const PathError& error) const {
    const bool full = error.code().value() == ENOSPC || error.code().value() == EDQUOT;
    const bool alone = options_.directory_name.empty();
    const std::string sentence = alone ? error.what() : error.below(options_.directory_name).what();
    fail(full ? Kind::no_space : Kind::io, sentence);
  }

  [[noreturn]] void fail_io(std::string_view attempt, std::string_view relative, int error_number) const {
    fail_io(PathError(std::string(attempt), std::string(relative), error_number));
  }

  void take(archive_entry* entry) {
    if (++report_.entries > options_.limits.entries) {
      fail(Kind::limit, "tar file has more than " + std::to_string(options_.limits.entries) + " entries");
    }
    const std::string cleaned = checked(reader_.name());
    if (archive_entry_hardlink(entry) != nullptr) {
      make_link(cleaned, view_of(archive_entry_hardlink(entry)));
      return;
    }
    switch (archive_entry_filetype(entry)) {
      case AE_IFREG:
        write_file(entry, cleaned);
        break;
      case AE_IFDIR:
        open_directory(cleaned);
        break;
      case AE_IFLNK:
        make_symlink(entry, cleaned);
        break;
      default:
        fail(Kind::unsupported_type, "tar file entry " + reader_.name() + " contained unsupported file type " +
                                         mode_text(archive_entry_mode(entry)));
    }
  }

  /// `name` cleaned, after the rules and limits for names.
  std::string checked(const std::string& name) const {
    if (name.size() > options_.limits.path_bytes) {
      fail(Kind::limit, "tar file contained a name of " + std::to_string(name.size()) + " bytes; the limit is " +
                            std::to_string(options_.limits.path_bytes));
    }
    if (const auto problem = relative_path_problem(name)) {
      fail(Kind::bad_name, "tar file contained invalid name " + quoted(name) + ": " + *problem);
    }
    std::string cleaned = cleaned_path(name);
    const auto depth = static_cast<std::size_t>(std::count(cleaned.begin(), cleaned.end(), '/')) + 1;
    if (depth > options_.limits.depth) {
      fail(Kind::limit, "tar file contained invalid name " + quoted(name) + ": it is " + std::to_string(depth) +
                            " levels deep; the limit is " + std::to_string(options_.limits.depth));
    }
    return cleaned;
  }

  /// The directory `cleaned`, made if it is missing. It stays open for the entries that follow.
  int open_directory(const std::string& cleaned) {
    if (cleaned == open_path_ && open_fd_.get() >= 0) return open_fd_.get();
    try {
      open_fd_ = beneath_.make_directories(cleaned);
    } catch (const PathError& error) {
      open_path_.clear();
      open_fd_.reset();
      fail_io(error);
    }
    open_path_ = cleaned;
    return open_fd_.get();
  }

  void write_file(archive_entry* entry, const std::string& cleaned) {
    if (archive_entry_size(entry) < 0) fail(Kind::bad_tar, "tar error: archive/tar: invalid tar header");
    const auto size = static_cast<std::uint64_t>(archive_entry_size(entry));
    check_size(size);
    const Name name = split_last(cleaned);
    const int directory = open_directory(name.parent);
    Fd file;
    Temporary temporary(directory, temporaries_, [&](const char* temporary_name) {
      // O_EXCL: whatever has that name already is neither written to nor followed.
      file.reset(::openat(directory, temporary_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
      return file.get() >= 0;
    });
    if (!temporary.made()) fail_io("open", cleaned, errno);
    write_data(file.get(), size, cleaned);
    finish_file(file.get(), entry, cleaned);
    put_in_place(temporary, name.leaf, cleaned);
    report_.bytes += size;
  }

  void check_size(std::uint64_t size) const {
    const ExtractLimits& limits = options_.limits;
    if (size > limits.file_bytes) {
      fail(Kind::limit, "tar file entry " + quoted(reader_.name()) + " has " + std::to_string(size) +
                            " bytes; the limit for one file is " + std::to_string(limits.file_bytes));
    }
    if (size > limits.total_bytes - report_.bytes) {
      fail(Kind::limit, "tar file unpacks to more than " + std::to_string(limits.total_bytes) + " bytes; entry " +
                            quoted(reader_.name()) + " would exceed that");
    }
  }

  void write_data(int file, std::uint64_t size, const std::string& cleaned) {
    ArchiveReader::Block block{};
    while (reader_.next_block(block, size)) write_block(file, block, cleaned);
    // Sets the end of a file that ends in a hole.
    if (::ftruncate(file, static_cast<off_t>(size)) != 0) fail_io("truncate", cleaned, errno);
  }

  void write_block(int file, ArchiveReader::Block block, const std::string& cleaned) const {
    if (is_zeros(block.bytes)) return;  // a hole reads the same and takes no room
    while (!block.bytes.empty()) {
      const ssize_t written = ::pwrite(file, block.bytes.data(), block.bytes.size(), static_cast<off_t>(block.offset));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail_io("error writing to", cleaned, errno);
      block.bytes.remove_prefix(static_cast<std::size_t>(written));
      block.offset += static_cast<std::uint64_t>(written);
    }
  }

  void finish_file(int file, archive_entry* entry, const std::string& cleaned) {
    if (::fchmod(file, archive_entry_perm(entry) & 0777) != 0) fail_io("chmod", cleaned, errno);
    timespec time{.tv_sec = archive_entry_mtime(entry), .tv_nsec = archive_entry_mtime_nsec(entry)};
    const auto now = static_cast<std::time_t>(options_.now.time_since_epoch().count());
    if (time.tv_sec >= now) time = {.tv_sec = now, .tv_nsec = 0};
    const timespec times[2] = {time, time};
    // A time that the file system cannot keep is no reason to lose the file.
    if (::futimens(file, times) != 0) ++report_.times_not_set;
    struct stat status {};
    if (::fstat(file, &status) != 0) fail_io("stat", cleaned, errno);
    made_.insert({status.st_dev, status.st_ino});
  }

  void put_in_place(Temporary& temporary, const std::string& leaf, const std::string& cleaned) {
    if (!temporary.put_in_place(leaf)) fail_io("open", cleaned, errno);
  }

  void make_symlink(archive_entry* entry, const std::string& cleaned) {
    if (options_.symlinks == SymlinkPolicy::skip) {
      ++report_.skipped_symlinks;
      return;
    }
    place_symlink(cleaned, std::string(view_of(archive_entry_symlink(entry))));
  }

  void place_symlink(const std::string& cleaned, const std::string& target) {
    const std::string what = "tar file entry " + quoted(reader_.name()) + " is a symbolic link to " + quoted(target);
    if (options_.symlinks == SymlinkPolicy::refuse) fail(Kind::unsupported_type, what + "; none are accepted here");
    if (const auto problem = symlink_problem(cleaned, target)) fail(Kind::bad_name, what + ": " + *problem);
    const Name name = split_last(cleaned);
    const int directory = open_directory(name.parent);
    Temporary temporary(directory, temporaries_, [&](const char* temporary_name) {
      return ::symlinkat(target.c_str(), directory, temporary_name) == 0;
    });
    if (!temporary.made()) fail_io("symlink", cleaned, errno);
    if (!temporary.put_in_place(name.leaf)) fail_io("symlink", cleaned, errno);
  }

  void make_link(const std::string& cleaned, std::string_view target_name) {
    const std::string target = checked_target(target_name);
    const Name from = split_last(target), to = split_last(cleaned);
    const std::string refusal = "tar file entry " + quoted(reader_.name()) + " is a hard link to " +
                                quoted(target_name) + ", which is no file that this archive made";
    Fd source;
    try {
      source = beneath_.open(from.parent, O_PATH | O_DIRECTORY);
    } catch (const std::system_error&) {
      fail(Kind::bad_name, refusal);
    }
    if (options_.symlinks == SymlinkPolicy::inside) {
      // A second name of a symbolic link is a link of its own: what it means depends on where it lies.
      std::array<char, PATH_MAX> text;
      const ssize_t size = ::readlinkat(source.get(), from.leaf.c_str(), text.data(), text.size());
      if (size >= 0) return place_symlink(cleaned, std::string(text.data(), static_cast<std::size_t>(size)));
    }
    if (!is_ours(source.get(), from.leaf)) fail(Kind::bad_name, refusal);
    const int directory = open_directory(to.parent);
    Temporary temporary(directory, temporaries_, [&](const char* temporary_name) {
      return ::linkat(source.get(), from.leaf.c_str(), directory, temporary_name, 0) == 0;
    });
    if (!temporary.made()) fail_io("link", cleaned, errno);
    // Somebody else may have exchanged the file between the look and the link.
    if (!is_ours(directory, temporary.name())) fail(Kind::bad_name, refusal);
    put_in_place(temporary, to.leaf, cleaned);
  }

  std::string checked_target(std::string_view target_name) const {
    const auto problem = relative_path_problem(target_name);
    if (problem) {
      fail(Kind::bad_name, "tar file entry " + quoted(reader_.name()) + " is a hard link to invalid name " +
                               quoted(target_name) + ": " + *problem);
    }
    return cleaned_path(target_name);
  }

  bool is_ours(int directory, const std::string& leaf) const {
    struct stat status {};
    return ::fstatat(directory, leaf.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode) &&
           made_.contains({status.st_dev, status.st_ino});
  }

  const ExtractOptions& options_;
  Beneath beneath_;
  ArchiveReader reader_;
  ExtractReport report_;
  std::uint64_t temporaries_ = 0;
  std::string open_path_;
  Fd open_fd_;
  std::unordered_set<FileId, HashFileId> made_;
};

}  // namespace

ExtractOptions ExtractOptions::as_original() {
  ExtractOptions options;
  options.symlinks = SymlinkPolicy::skip;
  options.packings = {.gzip = true, .zstd = false, .none = false};
  options.limits.expansion = 0;
  return options;
}

ExtractReport extract(const Source& source, int directory_fd, const ExtractOptions& options) {
  return Extraction(source, directory_fd, options).run();
}

}  // namespace tarutil
