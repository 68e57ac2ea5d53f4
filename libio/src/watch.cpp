// One inotify descriptor; one watch per directory, found again by its number. What happens between making a
// directory and watching it needs no care: its making is a change too, and its contents are looked through when
// its watch is there.
#include <io/watch.h>

#include "failure.h"

#include <boost/asio/error.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <map>
#include <string>
#include <system_error>
#include <utility>

namespace io {

namespace fs = std::filesystem;
using boost::system::error_code;
using boost::system::system_error;

namespace {

constexpr std::uint32_t kChanges = IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE |
                                   IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK;

error_code last_error() { return {errno, boost::system::system_category()}; }

bool below(const fs::path& path, const fs::path& directory) {
  const auto [end, rest] = std::mismatch(directory.begin(), directory.end(), path.begin(), path.end());
  return end == directory.end();
}

}  // namespace

struct DirectoryWatch::Impl {
  Impl(Executor executor, const fs::path& directory) : root(directory), descriptor(executor) {
    const int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0) throw Failure(last_error(), "watch " + root.string());
    descriptor.assign(fd);
    if (!add(root)) throw Failure(error_code(ENOENT, boost::system::system_category()), "watch " + root.string());
    add_below(root);
  }

  /// False if `directory` is gone or is none (any more).
  bool add(const fs::path& directory) {
    const int number = inotify_add_watch(descriptor.native_handle(), directory.c_str(), kChanges);
    if (number >= 0) {
      directories[number] = directory;
      return true;
    }
    if (errno == ENOENT || errno == ENOTDIR) return false;
    const bool limit = errno == ENOSPC;
    throw Failure(last_error(),
                  "watch " + directory.string() + (limit ? " (the limit fs.inotify.max_user_watches is reached)" : ""));
  }

  void add_below(const fs::path& directory) {
    std::error_code error;
    fs::directory_iterator entry(directory, error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
      std::error_code gone;
      if (entry->symlink_status(gone).type() == fs::file_type::directory && add(entry->path())) {
        add_below(entry->path());
      }
    }
    if (error && error != std::errc::no_such_file_or_directory) {
      throw Failure(error_code(error.value(), boost::system::system_category()), "watch " + directory.string());
    }
  }

  void remove_tree(const fs::path& top) {
    for (auto it = directories.begin(); it != directories.end();) {
      if (below(it->second, top)) {
        inotify_rm_watch(descriptor.native_handle(), it->first);
        it = directories.erase(it);
      } else {
        ++it;
      }
    }
  }

  /// True if it is a change that somebody waits for.
  bool handle(const inotify_event& event) {
    if ((event.mask & IN_Q_OVERFLOW) != 0) {
      add_below(root);  // directories may have been made that we were not told of
      return true;
    }
    const auto it = directories.find(event.wd);
    if (it == directories.end()) return false;
    const bool of_root = it->second == root;
    if ((event.mask & IN_IGNORED) != 0) {
      directories.erase(it);
      return false;
    }
    if ((event.mask & (IN_DELETE_SELF | IN_MOVE_SELF)) != 0) {
      root_gone = root_gone || of_root;
      return of_root;  // of others their parent tells
    }
    if ((event.mask & IN_ISDIR) != 0) {
      const fs::path directory = it->second / event.name;
      if ((event.mask & IN_MOVED_FROM) != 0) remove_tree(directory);
      if ((event.mask & (IN_CREATE | IN_MOVED_TO)) != 0 && add(directory)) add_below(directory);
    }
    return true;
  }

  /// Takes all that the kernel has noted; true if there was a change among it.
  bool take_events() {
    alignas(inotify_event) char buffer[16 * 1024];
    bool changed = false;
    for (;;) {
      const ssize_t size = ::read(descriptor.native_handle(), buffer, sizeof buffer);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0 && errno == EAGAIN) return changed;
      if (size < 0) throw Failure(last_error(), "watch " + root.string());
      for (ssize_t at = 0; at < size;) {
        const auto& event = *reinterpret_cast<const inotify_event*>(buffer + at);
        changed = handle(event) || changed;
        at += static_cast<ssize_t>(sizeof event + event.len);
      }
    }
  }

  static Task<> changed(std::shared_ptr<Impl> impl) {
    for (;;) {
      if (impl->closed) throw Failure(asio::error::operation_aborted, "watch " + impl->root.string());
      if (impl->take_events()) co_return;
      if (impl->root_gone) {
        throw Failure(error_code(ENOENT, boost::system::system_category()),
                      "watch " + impl->root.string() + " (removed or moved away)");
      }
      error_code error;
      co_await impl->descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                                           asio::redirect_error(asio::use_awaitable, error));
      if (error) throw Failure(error, "watch " + impl->root.string());
    }
  }

  const fs::path root;
  asio::posix::stream_descriptor descriptor;
  std::map<int, fs::path> directories;
  bool root_gone = false;
  bool closed = false;
};

DirectoryWatch::DirectoryWatch(Executor executor, const fs::path& directory)
    : impl_(std::make_shared<Impl>(std::move(executor), directory)) {}

DirectoryWatch::~DirectoryWatch() { close(); }

Task<> DirectoryWatch::changed() { return Impl::changed(impl_); }

void DirectoryWatch::close() noexcept {
  impl_->closed = true;
  error_code ignored;  // close() frees the descriptor whatever it says
  impl_->descriptor.close(ignored);
}

}  // namespace io
