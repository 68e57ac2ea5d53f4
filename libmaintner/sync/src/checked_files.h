// Which frozen files of a follower's cache are what their names say, without reading all of them at each start.
//
// A file that was compared with its digest, and is on the disk, is noted in the cache's file "checked", with what the
// kernel says of it: whatever is done to the file, by a program or by a loss of power, changes that, and it is compared
// anew. What is fetched is not synced, which would take longer than fetching it: who comes next compares it.
#pragma once

#include <maintner/segments.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace maintner {

/// Blocks; for one thread at a time, while the cache is locked. Throws std::system_error, naming the file.
class CheckedFiles {
 public:
  explicit CheckedFiles(std::filesystem::path cache) : cache_(std::move(cache)) {}

  /// Its size, if there is a file of that name and it is right. One that is wrong, or has another size than `size`, is
  /// removed, and so is what is no file; a directory with something in it is an error.
  std::optional<std::uint64_t> size_if_right(const SegmentName& name, std::optional<std::uint64_t> size = {});
  /// Of files that were removed since this was asked the last time, a sentence each.
  std::vector<std::string> take_removed() { return std::exchange(removed_, {}); }
  /// This process made the file, and knows its digest.
  void made(const SegmentName& name);
  /// Writes down what is new.
  void save();

 private:
  struct Note {
    std::string state;    ///< what the kernel says
    bool synced = false;  ///< only then it is written down
  };
  void load();
  std::filesystem::path note_file() const { return cache_ / "checked"; }

  std::filesystem::path cache_;
  bool loaded_ = false, changed_ = false;
  std::map<std::string, Note> notes_;  ///< by file name
  std::vector<std::string> removed_;
};

/// Makes room for a file: what has its name and is none is removed. Links are none.
void remove_unless_file(const std::filesystem::path& file);

}  // namespace maintner
