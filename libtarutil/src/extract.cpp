// How it works: ArchiveReader gives headers and blocks; everything that touches the disk is done here and in FileMaker,
// on descriptors opened beneath the directory. Small files are collected and made by a few threads, all else is done at
// once; what a file that is not made yet could matter to waits for it, so that the outcome is that of one thread.
// Invariant: no path that came out of the archive is ever given to a call that would resolve it from the
// process's own root or working directory, or through a symbolic link.

#include <tarutil/extract.h>
#include <tarutil/path_rule.h>
#include <tarutil/temporary.h>
#include <tarutil/walk.h>

#include <archive_entry.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive_reader.h"
#include "directories.h"
#include "file_maker.h"
#include "new_file.h"

namespace tarutil {

namespace {

using Kind = ExtractErrorKind;

/// More threads than that have nothing to do: the archive is parsed by one.
constexpr unsigned kMostThreads = 4;

unsigned threads_for(const ExtractOptions& options) {
  if (options.threads != 0) return std::min(options.threads, kMostThreads);
  cpu_set_t usable;
  const bool known = ::sched_getaffinity(0, sizeof usable, &usable) == 0;
  return std::clamp(known ? static_cast<unsigned>(CPU_COUNT(&usable)) : 1U, 1U, kMostThreads);
}

class Extraction {
 public:
  Extraction(const Source& source, int directory_fd, const ExtractOptions& options)
      : options_(options),
        beneath_(directory_fd, options.method),
        directories_(directory_fd, options.method),
        reader_(source, options, threads_for(options)),
        maker_(threads_for(options) - 1) {}

  ExtractReport run() {
    try {
      take_all();
    } catch (const FileFailure& failure) {
      fail_io(failure.error(), failure.name());
    }
    report_.times_not_set = maker_.times_not_set();
    return report_;
  }

 private:
  [[noreturn]] void fail(Kind kind, const std::string& sentence) const {
    throw ExtractError(kind, reader_.name(), sentence);
  }

  void take_all() {
    try {
      while (archive_entry* entry = reader_.next()) take(entry);
      if (options_.after_end == AfterEnd::check) reader_.check_rest();
    } catch (const ExtractError&) {
      maker_.wait();  // what failed before comes first
      throw;
    }
    maker_.wait();
  }

  [[noreturn]] void fail_io(const PathError& error) const { fail_io(error, reader_.name()); }

  [[noreturn]] void fail_io(const PathError& error, const std::string& name) const {
    const bool full = error.code().value() == ENOSPC || error.code().value() == EDQUOT;
    const bool alone = options_.directory_name.empty();
    const std::string sentence = alone ? error.what() : error.below(options_.directory_name).what();
    throw ExtractError(full ? Kind::no_space : Kind::io, name, sentence);
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

  /// The directory `cleaned`, made if it is missing.
  Directories::Handle open_directory(std::string_view cleaned) {
    if (cleaned == open_path_ && open_) return open_;
    wait_for_parts_of(cleaned);
    open_.reset();
    try {
      open_ = directories_.open(cleaned);
    } catch (const PathError& error) {
      fail_io(error);
    }
    open_path_ = cleaned;
    return open_;
  }

  /// A file of that path, or where a directory is to be, must be there (and in the way) before anything else is.
  void wait_for_parts_of(std::string_view cleaned) {
    for (std::size_t end = 0; end != cleaned.size();) {
      end = std::min(cleaned.find('/', end + 1), cleaned.size());
      if (maker_.pending(std::string(cleaned.substr(0, end)))) return maker_.wait();
    }
  }

  void write_file(archive_entry* entry, const std::string& cleaned) {
    if (archive_entry_size(entry) < 0) fail(Kind::bad_tar, "tar error: archive/tar: invalid tar header");
    const auto size = static_cast<std::uint64_t>(archive_entry_size(entry));
    check_size(size);
    const Directories::Handle directory = open_directory(split_last(cleaned).parent);
    if (maker_.pending(cleaned)) maker_.wait();
    const FileMeta meta = meta_of(entry);
    if (size > FileMaker::kMaxSize) {
      write_large_file(directory->get(), cleaned, size, meta);
    } else {
      read_content(maker_.room(size));
      maker_.add({.directory = directory, .path = cleaned, .name = reader_.name(), .meta = meta, .size = size});
    }
    report_.bytes += size;
  }

  void read_content(std::span<char> into) {
    ArchiveReader::Block block{};
    std::size_t filled = 0;
    while (reader_.next_block(block, into.size())) {
      if (block.offset > filled) std::fill(into.begin() + filled, into.begin() + block.offset, '\0');
      block.bytes.copy(into.data() + block.offset, block.bytes.size());
      filled = std::max(filled, block.offset + block.bytes.size());
    }
    std::fill(into.begin() + filled, into.end(), '\0');
  }

  void write_large_file(int directory, const std::string& cleaned, std::uint64_t size, const FileMeta& meta) {
    Fd file;
    Temporary temporary(directory, temporaries_, [&](const char* temporary_name) {
      // O_EXCL: whatever has that name already is neither written to nor followed.
      file.reset(::openat(directory, temporary_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
      return file.get() >= 0;
    });
    if (!temporary.made()) fail_io("open", cleaned, errno);
    try {
      ArchiveReader::Block block{};
      while (reader_.next_block(block, size)) write_at(file.get(), block.bytes, block.offset, cleaned);
      maker_.also_made(finish_file(file.get(), size, meta, cleaned));
    } catch (const PathError& error) {
      fail_io(error);
    }
    put_in_place(temporary, cleaned);
  }

  FileMeta meta_of(archive_entry* entry) const {
    timespec time{.tv_sec = archive_entry_mtime(entry), .tv_nsec = archive_entry_mtime_nsec(entry)};
    const auto now = static_cast<std::time_t>(options_.now.time_since_epoch().count());
    if (time.tv_sec >= now) time = {.tv_sec = now, .tv_nsec = 0};
    return {.mode = archive_entry_perm(entry) & 0777U, .time = time};
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

  void put_in_place(Temporary& temporary, const std::string& cleaned) {
    if (!temporary.put_in_place(std::string(split_last(cleaned).leaf))) fail_io("open", cleaned, errno);
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
    const SplitName name = split_last(cleaned);
    const Directories::Handle directory = open_directory(name.parent);
    if (maker_.pending(cleaned)) maker_.wait();
    if (::symlinkat(target.c_str(), directory->get(), name.leaf.data()) == 0) return;
    if (errno != EEXIST) fail_io("symlink", cleaned, errno);
    Temporary temporary(directory->get(), temporaries_, [&](const char* temporary_name) {
      return ::symlinkat(target.c_str(), directory->get(), temporary_name) == 0;
    });
    if (!temporary.made() || !temporary.put_in_place(std::string(name.leaf))) fail_io("symlink", cleaned, errno);
  }

  void make_link(const std::string& cleaned, std::string_view target_name) {
    const std::string target = checked_target(target_name);
    const SplitName from = split_last(target);
    maker_.wait();
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
      const ssize_t size = ::readlinkat(source.get(), from.leaf.data(), text.data(), text.size());
      if (size >= 0) return place_symlink(cleaned, std::string(text.data(), static_cast<std::size_t>(size)));
    }
    if (!is_ours(source.get(), from.leaf.data())) fail(Kind::bad_name, refusal);
    const SplitName to = split_last(cleaned);
    const Directories::Handle directory = open_directory(to.parent);
    if (is_same(source.get(), from.leaf.data(), directory->get(), to.leaf.data())) return;
    Temporary temporary(directory->get(), temporaries_, [&](const char* temporary_name) {
      return ::linkat(source.get(), from.leaf.data(), directory->get(), temporary_name, 0) == 0;
    });
    if (!temporary.made()) fail_io("link", cleaned, errno);
    // Somebody else may have exchanged the file between the look and the link.
    if (!is_ours(directory->get(), temporary.name())) fail(Kind::bad_name, refusal);
    put_in_place(temporary, cleaned);
  }

  std::string checked_target(std::string_view target_name) const {
    const auto problem = relative_path_problem(target_name);
    if (problem) {
      fail(Kind::bad_name, "tar file entry " + quoted(reader_.name()) + " is a hard link to invalid name " +
                               quoted(target_name) + ": " + *problem);
    }
    return cleaned_path(target_name);
  }

  static bool is_same(int directory, const char* leaf, int other_directory, const char* other_leaf) {
    struct stat status {
    }, other{};
    return ::fstatat(directory, leaf, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           ::fstatat(other_directory, other_leaf, &other, AT_SYMLINK_NOFOLLOW) == 0 &&
           FileId{status.st_dev, status.st_ino} == FileId{other.st_dev, other.st_ino};
  }

  bool is_ours(int directory, const char* leaf) {
    struct stat status {};
    return ::fstatat(directory, leaf, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode) &&
           maker_.has_made({status.st_dev, status.st_ino});
  }

  const ExtractOptions& options_;
  Beneath beneath_;
  Directories directories_;
  ArchiveReader reader_;
  FileMaker maker_;
  ExtractReport report_;
  std::uint64_t temporaries_ = 0;
  std::string open_path_;
  Directories::Handle open_;  // the last one
};

}  // namespace

ExtractOptions ExtractOptions::as_original() {
  ExtractOptions options;
  options.symlinks = SymlinkPolicy::skip;
  options.packings = {.gzip = true, .zstd = false, .none = false};
  options.limits.expansion = 0;
  options.after_end = AfterEnd::ignore;
  return options;
}

ExtractReport extract(const Source& source, int directory_fd, const ExtractOptions& options) {
  return Extraction(source, directory_fd, options).run();
}

}  // namespace tarutil
