// How it works: a step is one entry's header or one block of a file. libarchive hands compressed bytes to a
// callback, which collects them; next() takes steps until enough have come together.
#include <tarutil/pack.h>

#include <archive.h>
#include <archive_entry.h>

#include <cerrno>
#include <map>
#include <new>
#include <optional>
#include <stdexcept>
#include <vector>

#include <grp.h>
#include <pwd.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace tarutil {

namespace {

constexpr std::size_t kBlock = 64 * 1024;
/// What compresses to nearly nothing must not keep a call for ever.
constexpr std::size_t kInputPerCall = 4 * 1024 * 1024;

struct FreeWriter {
  void operator()(archive* writer) const { archive_write_free(writer); }
};
struct FreeEntry {
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};

std::string leaf_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

/// Names of users and groups, looked up once each. Empty for those that have none.
class Owners {
 public:
  const std::string& user(uid_t id) {
    return look_up(users_, id, [id](std::vector<char>& buffer, std::string& name) {
      passwd entry{}, *found = nullptr;
      const int error = ::getpwuid_r(id, &entry, buffer.data(), buffer.size(), &found);
      if (error == 0 && found != nullptr) name = found->pw_name;
      return error;
    });
  }

  const std::string& group(gid_t id) {
    return look_up(groups_, id, [id](std::vector<char>& buffer, std::string& name) {
      ::group entry{}, *found = nullptr;
      const int error = ::getgrgid_r(id, &entry, buffer.data(), buffer.size(), &found);
      if (error == 0 && found != nullptr) name = found->gr_name;
      return error;
    });
  }

 private:
  using Names = std::map<std::uint32_t, std::string>;

  template <typename Ask>
  static const std::string& look_up(Names& names, std::uint32_t id, Ask ask) {
    const auto known = names.find(id);
    if (known != names.end()) return known->second;
    std::string name;
    constexpr std::size_t kMaxBuffer = 1024 * 1024;
    for (std::size_t size = 4096; size <= kMaxBuffer; size *= 4) {
      std::vector<char> buffer(size);
      if (ask(buffer, name) != ERANGE) break;
    }
    return names.emplace(id, std::move(name)).first->second;
  }

  Names users_, groups_;
};

}  // namespace

struct Packer::Impl {
  Impl(int directory_fd, std::string where, WalkLimits limits)
      : top(std::move(where)),
        walk(directory_fd, top, limits),
        writer(archive_write_new()),
        entry(archive_entry_new()) {
    if (!writer || !entry) throw std::bad_alloc();
    archive* to = writer.get();
    check(archive_write_set_format_pax_restricted(to));
    // Names are bytes: nothing is converted.
    check(archive_write_set_format_option(to, "pax", "hdrcharset", "BINARY"));
    check(archive_write_add_filter_gzip(to));
    check(archive_write_set_filter_option(to, "gzip", "timestamp", nullptr));
    check(archive_write_set_bytes_per_block(to, 0));
    check(archive_write_open(to, this, nullptr, &Impl::collect, nullptr));
  }

  static la_ssize_t collect(archive*, void* self, const void* bytes, std::size_t size) noexcept {
    try {
      static_cast<Impl*>(self)->packed.append(static_cast<const char*>(bytes), size);
      return static_cast<la_ssize_t>(size);
    } catch (const std::bad_alloc&) {
      return -1;
    }
  }

  void check(int result) const {
    if (result == ARCHIVE_OK || result == ARCHIVE_WARN) return;
    const char* why = archive_error_string(writer.get());
    throw std::runtime_error("packing " + top + ": " + (why == nullptr ? "libarchive failed" : why));
  }

  // One header or one block; how many bytes were read.
  std::size_t step() {
    if (left > 0) return copy_block();
    const std::optional<TreeEntry> found = walk.next();
    if (!found) {
      check(archive_write_close(writer.get()));
      done = true;
    } else if (S_ISSOCK(found->status.st_mode)) {
      ++skipped_sockets;
    } else {
      begin(*found);
    }
    return 0;
  }

  void begin(const TreeEntry& found) {
    struct stat status = found.status;
    name = found.path;
    if (S_ISREG(status.st_mode)) {
      file = walk.open_file();
      if (::fstat(file.get(), &status) != 0) throw PathError("stat", name, errno);
      left = static_cast<std::uint64_t>(status.st_size);
    }
    archive_entry* to = archive_entry_clear(entry.get());
    archive_entry_copy_pathname(to, (name.empty() ? leaf_of(top) : name).c_str());
    archive_entry_set_mode(to, status.st_mode);
    archive_entry_set_size(to, S_ISREG(status.st_mode) ? status.st_size : 0);
    archive_entry_set_mtime(to, status.st_mtim.tv_sec, 0);
    archive_entry_set_uid(to, status.st_uid);
    archive_entry_set_gid(to, status.st_gid);
    archive_entry_copy_uname(to, owners.user(status.st_uid).c_str());
    archive_entry_copy_gname(to, owners.group(status.st_gid).c_str());
    if (S_ISLNK(status.st_mode)) archive_entry_copy_symlink(to, walk.link_target().c_str());
    if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)) archive_entry_set_rdev(to, status.st_rdev);
    check(archive_write_header(writer.get(), to));
  }

  std::size_t copy_block() {
    const std::size_t wanted = std::min<std::uint64_t>(left, block.size());
    ssize_t got = 0;
    do {
      got = ::read(file.get(), block.data(), wanted);
    } while (got < 0 && errno == EINTR);
    if (got < 0) throw PathError("read", name, errno);
    if (got == 0) throw std::runtime_error("packing " + top + ": " + name + " became shorter while it was read");
    if (archive_write_data(writer.get(), block.data(), static_cast<std::size_t>(got)) != got) check(ARCHIVE_FATAL);
    left -= static_cast<std::uint64_t>(got);
    return static_cast<std::size_t>(got);
  }

  std::string top;
  TreeWalk walk;
  std::string packed;  // collected, not taken yet
  std::unique_ptr<archive, FreeWriter> writer;
  std::unique_ptr<archive_entry, FreeEntry> entry;
  Owners owners;
  std::vector<char> block = std::vector<char>(kBlock);
  std::string name;  // of the entry being packed
  Fd file;
  std::uint64_t left = 0;  // of the file
  bool done = false;
  std::uint64_t skipped_sockets = 0;
};

Packer::Packer(int directory_fd, std::string top, WalkLimits limits)
    : impl_(std::make_unique<Impl>(directory_fd, std::move(top), limits)) {}

Packer::~Packer() = default;

bool Packer::next(std::string& out) {
  std::size_t read = 0;
  while (!impl_->done && impl_->packed.size() < kBlock && read < kInputPerCall) read += impl_->step();
  out += impl_->packed;
  impl_->packed.clear();
  return !impl_->done;
}

std::uint64_t Packer::skipped_sockets() const noexcept { return impl_->skipped_sockets; }

}  // namespace tarutil
