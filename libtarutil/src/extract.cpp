// How it works: libarchive reads gzip and tar and gives headers and blocks; everything that touches the disk is
// done here, on descriptors opened beneath the directory. A file is written under a temporary name in
// its final directory and renamed last. Invariant: no path that came out of the archive is ever given to a call that
// would resolve it from the process's own root or working directory, or through a symbolic link.

#include <tarutil/extract.h>
#include <tarutil/path_rule.h>
#include <tarutil/temporary.h>
#include <tarutil/walk.h>

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>
#include <unordered_set>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tarutil {

namespace {

using Kind = ExtractErrorKind;

/// What libarchive's read callback gets; errors cannot pass through C frames and wait here.
struct Feed {
  const Source& source;
  std::vector<char> buffer;
  /// Bytes of `buffer` that were read ahead to look at the gzip header.
  std::size_t ahead = 0;
  std::exception_ptr failure;

  static la_ssize_t read(archive* reader, void* self, const void** bytes) noexcept {
    Feed& feed = *static_cast<Feed*>(self);
    *bytes = feed.buffer.data();
    if (feed.ahead > 0) return static_cast<la_ssize_t>(std::exchange(feed.ahead, 0));
    try {
      return static_cast<la_ssize_t>(feed.source(feed.buffer));
    } catch (const std::exception&) {
      feed.failure = std::current_exception();
      archive_set_error(reader, EIO, "the source failed");
      return -1;
    }
  }
};

/// As a gzip reader judges the first ten bytes.
std::optional<std::string> gzip_problem(std::string_view start) {
  if (start.empty()) return "EOF";
  if (start.size() < 10) return "unexpected EOF";
  if (start[0] != '\x1f' || start[1] != '\x8b' || start[2] != 8) return "gzip: invalid header";
  return std::nullopt;
}

struct CloseReader {
  void operator()(archive* reader) const { archive_read_free(reader); }
};

std::string_view view_of(const char* text) { return text == nullptr ? std::string_view() : text; }

bool is_zeros(const char* bytes, std::size_t size) {
  return size == 0 || (bytes[0] == 0 && std::memcmp(bytes, bytes + 1, size - 1) == 0);
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
      : options_(options), beneath_(directory_fd, options.method), feed_{source, std::vector<char>(64 * 1024), 0, {}} {}

  ExtractReport run() {
    check_gzip();
    open_reader();
    archive_entry* entry = nullptr;
    while (next_header(&entry)) take(entry);
    return report_;
  }

 private:
  [[noreturn]] void fail(Kind kind, const std::string& sentence) const { throw ExtractError(kind, name_, sentence); }

  [[noreturn]] void fail_io(const PathError& error) const {
    const bool full = error.code().value() == ENOSPC || error.code().value() == EDQUOT;
    const bool alone = options_.directory_name.empty();
    const std::string sentence = alone ? error.what() : error.below(options_.directory_name).what();
    fail(full ? Kind::no_space : Kind::io, sentence);
  }

  [[noreturn]] void fail_io(std::string_view attempt, std::string_view relative, int error_number) const {
    fail_io(PathError(std::string(attempt), std::string(relative), error_number));
  }

  void check_gzip() {
    while (feed_.ahead < 10) {
      const std::size_t got = feed_.source(std::span(feed_.buffer).subspan(feed_.ahead));
      if (got == 0) break;
      feed_.ahead += got;
    }
    if (const auto problem = gzip_problem({feed_.buffer.data(), feed_.ahead})) {
      fail(Kind::not_gzip, "requires gzip-compressed body: " + *problem);
    }
  }

  void open_reader() {
    reader_.reset(archive_read_new());
    if (!reader_) throw std::bad_alloc();
    archive* reader = reader_.get();
    // Exactly gzip around exactly tar: nothing is guessed from what the stranger sent.
    if (archive_read_append_filter(reader, ARCHIVE_FILTER_GZIP) != ARCHIVE_OK ||
        archive_read_set_format(reader, ARCHIVE_FORMAT_TAR) != ARCHIVE_OK ||
        archive_read_open(reader, &feed_, nullptr, &Feed::read, nullptr) != ARCHIVE_OK) {
      fail_reading();
    }
  }

  [[noreturn]] void fail_reading() const {
    if (feed_.failure) std::rethrow_exception(feed_.failure);
    const std::string_view why = view_of(archive_error_string(reader_.get()));
    const bool cut = why.find("runcated") != std::string_view::npos;
    const std::string where = name_.empty() || !in_data_ ? "" : "entry " + quoted(name_) + ": ";
    fail(Kind::bad_tar, "tar error: " + where + (cut ? "unexpected EOF" : "archive/tar: invalid tar header"));
  }

  bool next_header(archive_entry** entry) {
    in_data_ = false;
    const int result = archive_read_next_header(reader_.get(), entry);
    if (result == ARCHIVE_EOF) return false;
    const bool only_charset =
        result == ARCHIVE_WARN &&
        view_of(archive_error_string(reader_.get())).find("can't be converted") != std::string_view::npos;
    if (result != ARCHIVE_OK && !only_charset) fail_reading();
    return true;
  }

  void take(archive_entry* entry) {
    name_ = view_of(archive_entry_pathname(entry));
    in_data_ = true;
    if (++report_.entries > options_.limits.entries) {
      fail(Kind::limit, "tar file has more than " + std::to_string(options_.limits.entries) + " entries");
    }
    const std::string cleaned = checked(name_);
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
        ++report_.skipped_symlinks;
        break;
      default:
        fail(Kind::unsupported_type,
             "tar file entry " + name_ + " contained unsupported file type " + mode_text(archive_entry_mode(entry)));
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
    const la_int64_t size = archive_entry_size(entry);
    if (size < 0) fail(Kind::bad_tar, "tar error: archive/tar: invalid tar header");
    check_size(static_cast<std::uint64_t>(size));
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
    report_.bytes += static_cast<std::uint64_t>(size);
  }

  void check_size(std::uint64_t size) const {
    const ExtractLimits& limits = options_.limits;
    if (size > limits.file_bytes) {
      fail(Kind::limit, "tar file entry " + quoted(name_) + " has " + std::to_string(size) +
                            " bytes; the limit for one file is " + std::to_string(limits.file_bytes));
    }
    if (size > limits.total_bytes - report_.bytes) {
      fail(Kind::limit, "tar file unpacks to more than " + std::to_string(limits.total_bytes) + " bytes; entry " +
                            quoted(name_) + " would exceed that");
    }
  }

  void write_data(int file, la_int64_t size, const std::string& cleaned) {
    const void* block = nullptr;
    std::size_t block_size = 0;
    la_int64_t offset = 0;
    while (true) {
      const int result = archive_read_data_block(reader_.get(), &block, &block_size, &offset);
      if (result == ARCHIVE_EOF) break;
      if (result != ARCHIVE_OK) fail_reading();
      if (offset < 0 || offset > size || block_size > static_cast<std::uint64_t>(size - offset)) {
        fail(Kind::bad_tar, "tar error: entry " + quoted(name_) + ": more data than its header says");
      }
      write_block(file, static_cast<const char*>(block), block_size, offset, cleaned);
    }
    // Sets the end of a file that ends in a hole.
    if (::ftruncate(file, size) != 0) fail_io("truncate", cleaned, errno);
  }

  void write_block(int file, const char* bytes, std::size_t size, la_int64_t offset, const std::string& cleaned) const {
    if (is_zeros(bytes, size)) return;  // a hole reads the same and takes no room
    while (size > 0) {
      const ssize_t written = ::pwrite(file, bytes, size, offset);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail_io("error writing to", cleaned, errno);
      bytes += written;
      size -= static_cast<std::size_t>(written);
      offset += written;
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

  void make_link(const std::string& cleaned, std::string_view target_name) {
    const std::string target = checked_target(target_name);
    const Name from = split_last(target), to = split_last(cleaned);
    const std::string refusal = "tar file entry " + quoted(name_) + " is a hard link to " + quoted(target_name) +
                                ", which is no file that this archive made";
    Fd source;
    try {
      source = beneath_.open(from.parent, O_PATH | O_DIRECTORY);
    } catch (const std::system_error&) {
      fail(Kind::bad_name, refusal);
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
      fail(Kind::bad_name, "tar file entry " + quoted(name_) + " is a hard link to invalid name " +
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
  Feed feed_;
  std::unique_ptr<archive, CloseReader> reader_;
  ExtractReport report_;
  std::string name_;
  bool in_data_ = false;
  std::uint64_t temporaries_ = 0;
  std::string open_path_;
  Fd open_fd_;
  std::unordered_set<FileId, HashFileId> made_;
};

}  // namespace

ExtractReport extract(const Source& source, int directory_fd, const ExtractOptions& options) {
  return Extraction(source, directory_fd, options).run();
}

}  // namespace tarutil
