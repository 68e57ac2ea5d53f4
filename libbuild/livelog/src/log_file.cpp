#include "log_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <stdexcept>
#include <system_error>

namespace build::livelog {

namespace {

constexpr std::size_t kMaxIdLength = 200;

[[noreturn]] void fail(const char* what, const std::filesystem::path& name) {
  throw std::system_error(errno, std::generic_category(), std::string("cannot ") + what + " " + name.string());
}

/// One of 256 folders, so that none gets too large for people and tools. FNV-1a, because ids often differ only in a
/// counter at their end.
std::string shard_of(const model::RunId& run) {
  std::uint32_t hash = 2166136261u;
  for (const char c : run.value) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  hash ^= hash >> 16;
  constexpr std::string_view kDigits = "0123456789abcdef";
  return {kDigits[hash >> 4 & 15], kDigits[hash & 15]};
}

std::uint64_t size_of(int file, const std::filesystem::path& name) {
  struct stat status {};
  if (::fstat(file, &status) != 0) fail("look at", name);
  return static_cast<std::uint64_t>(status.st_size);
}

void sync_directory(const std::filesystem::path& directory) {
  const base::UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) fail("open", directory);
  if (::fsync(fd.get()) != 0) fail("sync", directory);
}

}  // namespace

bool is_valid(const model::RunId& run) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  };
  const std::string& id = run.value;
  return !id.empty() && id.size() <= kMaxIdLength && id.front() != '.' && std::all_of(id.begin(), id.end(), allowed);
}

LogPaths paths_of(const std::filesystem::path& directory, const model::RunId& run) {
  const auto folder = directory / shard_of(run);
  return {.open = folder / (run.value + ".part"), .finished = folder / (run.value + ".log")};
}

OpenLog open_for_writing(const LogPaths& paths) {
  if (std::filesystem::exists(paths.finished))
    throw std::runtime_error("cannot go on with the log " + paths.finished.string() + ": it is finished");
  const auto folder = paths.open.parent_path();
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) fail("make", folder);
  base::UniqueFd file(::open(paths.open.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) fail("open", paths.open);
  const std::uint64_t size = size_of(file.get(), paths.open);
  return {std::move(file), size};
}

std::optional<FoundLog> open_for_reading(const LogPaths& paths) {
  // The finished name last and again: between two looks the log may have been renamed.
  for (const auto* name : {&paths.finished, &paths.open, &paths.finished}) {
    base::UniqueFd file(::open(name->c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (file.valid()) {
      const std::uint64_t size = size_of(file.get(), *name);
      return FoundLog{std::move(file), size, name == &paths.finished};
    }
    if (errno != ENOENT) fail("open", *name);
  }
  return std::nullopt;
}

std::uint64_t remove_log(const LogPaths& paths) {
  std::uint64_t bytes = 0;
  for (const auto* name : {&paths.open, &paths.finished}) {
    struct stat status {};
    if (::lstat(name->c_str(), &status) == 0) bytes += static_cast<std::uint64_t>(status.st_size);
    if (::unlink(name->c_str()) != 0 && errno != ENOENT) fail("remove", *name);
  }
  return bytes;
}

std::vector<std::filesystem::path> folders_of(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> folders;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    if (entry.is_directory()) folders.push_back(entry.path());
  return folders;
}

std::uint64_t size_of_folder(const std::filesystem::path& folder) {
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    struct stat status {};
    // One that has gone since, or got its other name, is no error.
    if (::lstat(entry.path().c_str(), &status) == 0 && S_ISREG(status.st_mode))
      bytes += static_cast<std::uint64_t>(status.st_size);
  }
  return bytes;
}

std::size_t read_at(int file, std::uint64_t offset, std::span<char> into, const std::filesystem::path& name) {
  if (offset > std::numeric_limits<off_t>::max()) return 0;
  for (;;) {
    const ssize_t count = ::pread(file, into.data(), into.size(), static_cast<off_t>(offset));
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) fail("read", name);
  }
}

void write_at(int file, std::uint64_t offset, std::string_view bytes, const std::filesystem::path& name) {
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0) {
      if (errno == EINTR) continue;
      fail("write", name);
    }
    bytes.remove_prefix(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
}

void finish_file(int file, const LogPaths& paths) {
  if (::fdatasync(file) != 0) fail("sync", paths.open);
  if (::rename(paths.open.c_str(), paths.finished.c_str()) != 0) fail("rename", paths.open);
  sync_directory(paths.finished.parent_path());
}

}  // namespace build::livelog
