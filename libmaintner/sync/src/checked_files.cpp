#include "checked_files.h"

#include <build/base/file.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file_error.h"

namespace maintner {

namespace base = build::base;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxNotes = 64 << 20;

/// Differs from what it was if something was done to the file since.
std::string state_of(const struct stat& status) {
  std::string text = std::to_string(status.st_size) + " " + std::to_string(status.st_ino);
  for (const timespec& time : {status.st_mtim, status.st_ctim})
    text += " " + std::to_string(time.tv_sec) + " " + std::to_string(time.tv_nsec);
  return text;
}

struct stat status_of(const fs::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) fail("cannot look at", file);
  return status;
}

void sync_file(const fs::path& file) {
  const base::UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid() || ::fsync(fd.get()) != 0) fail("cannot sync", file);
}

}  // namespace

void remove_unless_file(const fs::path& file) {
  struct stat status {};
  if (::lstat(file.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) fs::remove(file);
}

std::optional<std::uint64_t> CheckedFiles::size_if_right(const SegmentName& name, std::optional<std::uint64_t> size) {
  load();
  const fs::path file = cache_ / to_text(name);
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0 && errno != ELOOP) {
    if (errno == ENOENT) return std::nullopt;
    fail("cannot look at", file);
  }
  const auto has = static_cast<std::uint64_t>(status.st_size);
  Note& note = notes_[to_text(name)];
  if (S_ISREG(status.st_mode) && has == size.value_or(has)) {
    if (note.state == state_of(status)) return has;
    if (sha224_of_file(file, has) == name.sha224) {
      sync_file(file);
      note = {state_of(status), true};
      changed_ = true;
      return has;
    }
  }
  fs::remove(file);
  removed_.push_back(file.string() + " was not what its name says");
  notes_.erase(to_text(name));
  return std::nullopt;
}

void CheckedFiles::made(const SegmentName& name) {
  load();
  notes_[to_text(name)] = {state_of(status_of(cache_ / to_text(name))), false};
}

void CheckedFiles::load() {
  if (std::exchange(loaded_, true)) return;
  remove_unless_file(note_file());
  if (!fs::exists(note_file())) return;
  const std::string text = base::read_file(note_file(), kMaxNotes);
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const std::size_t blank = std::min(line.find(' '), line.size());
    if (parse_segment_name(line.substr(0, blank)) && blank < line.size())
      notes_.emplace(line.substr(0, blank), Note{std::string(line.substr(blank + 1)), true});
  }
}

void CheckedFiles::save() {
  if (!changed_) return;
  loaded_ = false;
  load();  // what others have written down meanwhile
  std::string text;
  for (const auto& [name, note] : notes_)
    if (note.synced && fs::exists(cache_ / name)) text += name + " " + note.state + "\n";
  base::write_file_atomically(note_file(), text, 0600);
  changed_ = false;
}

}  // namespace maintner
