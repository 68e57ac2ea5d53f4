// How it works: a step is one entry's header or one block of a file; next() takes steps until enough compressed bytes
// have come together.
#include <tarutil/pack.h>

#include <cerrno>
#include <map>
#include <optional>
#include <stdexcept>
#include <vector>

#include <fnmatch.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "tar_writer.h"

namespace tarutil {

namespace {

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
  Impl(int directory_fd, std::string where, PackOptions how)
      : options(std::move(how)),
        top(std::move(where)),
        walk(directory_fd, top, options.limits),
        writer("packing " + top, options.gzip) {}

  // One header or one block; how many bytes were read.
  std::size_t step() {
    if (left > 0) return copy_block();
    const std::optional<TreeEntry> found = walk.next();
    if (!found) {
      writer.finish();
      done = true;
    } else if (is_skipped(found->path)) {
      walk.skip();
    } else if (S_ISSOCK(found->status.st_mode)) {
      ++skipped_sockets;
    } else {
      begin(*found);
    }
    return 0;
  }

  bool is_skipped(const std::string& path) const {
    if (path.empty()) return false;
    for (const std::string& pattern : options.skip) {
      const bool whole = pattern.find('/') != std::string::npos;
      const char* wanted = pattern.c_str() + (pattern.starts_with('/') ? 1 : 0);
      if (::fnmatch(wanted, whole ? path.c_str() : leaf_of(path).c_str(), FNM_PATHNAME) == 0) return true;
    }
    return false;
  }

  void begin(const TreeEntry& found) {
    struct stat status = found.status;
    name = found.path;
    if (S_ISREG(status.st_mode)) {
      file = walk.open_file();
      if (::fstat(file.get(), &status) != 0) throw PathError("stat", name, errno);
      left = static_cast<std::uint64_t>(status.st_size);
    }
    header.name = name.empty() ? leaf_of(top) : name;
    header.mode = status.st_mode;
    if (options.deterministic_time) {
      header.mtime = *options.deterministic_time;
    } else {
      header.mtime = std::chrono::sys_seconds{std::chrono::seconds{status.st_mtim.tv_sec}};
      header.uid = status.st_uid;
      header.gid = status.st_gid;
      header.user = owners.user(status.st_uid);
      header.group = owners.group(status.st_gid);
    }
    if (S_ISLNK(status.st_mode)) header.symlink_target = walk.link_target();
    header.device = status.st_rdev;
    writer.begin(header, left);
  }

  std::size_t copy_block() {
    const std::size_t wanted = std::min<std::uint64_t>(left, block.size());
    ssize_t got = 0;
    do {
      got = ::read(file.get(), block.data(), wanted);
    } while (got < 0 && errno == EINTR);
    if (got < 0) throw PathError("read", name, errno);
    if (got == 0) throw std::runtime_error("packing " + top + ": " + name + " became shorter while it was read");
    writer.content(std::span(block).first(static_cast<std::size_t>(got)));
    left -= static_cast<std::uint64_t>(got);
    return static_cast<std::size_t>(got);
  }

  PackOptions options;
  std::string top;
  TreeWalk walk;
  TarWriter writer;
  Owners owners;
  std::vector<char> block = std::vector<char>(kPieceSize);
  std::string name;  // of the entry being packed
  EntryHeader header;
  Fd file;
  std::uint64_t left = 0;  // of the file
  bool done = false;
  std::uint64_t skipped_sockets = 0;
};

Packer::Packer(int directory_fd, std::string top, PackOptions options)
    : impl_(std::make_unique<Impl>(directory_fd, std::move(top), std::move(options))) {}

Packer::~Packer() = default;

bool Packer::next(std::string& out) {
  return impl_->writer.next(out, impl_->done, [this] { return impl_->step(); });
}

std::uint64_t Packer::skipped_sockets() const noexcept { return impl_->skipped_sockets; }

void pack(int directory_fd, const std::string& top, const PackOptions& options,
          const std::function<void(std::string_view bytes)>& sink) {
  Packer packer(directory_fd, top, options);
  std::string bytes;
  for (bool more = true; more; bytes.clear()) {
    more = packer.next(bytes);
    if (!bytes.empty()) sink(bytes);
  }
}

}  // namespace tarutil
