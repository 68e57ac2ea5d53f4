// Where a run's log lies and the blocking calls on it. Errors are std::system_error that name the file.
#pragma once

#include <build/base/file.h>
#include <build/model/ids.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace build::livelog {

/// Whether `run` can name a file; the rule is in log_store.h.
bool is_valid(const model::RunId& run);

/// The two names of a log: `open` until it is finished, `finished` from then on.
struct LogPaths {
  std::filesystem::path open;
  std::filesystem::path finished;
};
LogPaths paths_of(const std::filesystem::path& directory, const model::RunId& run);

struct OpenLog {
  base::UniqueFd file;
  std::uint64_t size = 0;
};

/// Opens the unfinished log, making it if need be. Throws std::runtime_error if the log is finished.
OpenLog open_for_writing(const LogPaths& paths);

struct FoundLog {
  base::UniqueFd file;
  std::uint64_t size = 0;
  bool finished = false;
};
/// nullopt if there is neither form of it.
std::optional<FoundLog> open_for_reading(const LogPaths& paths);

/// Removes both forms of it; gives their bytes.
std::uint64_t remove_log(const LogPaths& paths);
/// The folders that logs lie in.
std::vector<std::filesystem::path> folders_of(const std::filesystem::path& directory);
/// The bytes of the logs in one of them.
std::uint64_t size_of_folder(const std::filesystem::path& folder);

/// As many bytes as there are at `offset`, up to into.size(); 0 at the end.
std::size_t read_at(int file, std::uint64_t offset, std::span<char> into, const std::filesystem::path& name);
void write_at(int file, std::uint64_t offset, std::string_view bytes, const std::filesystem::path& name);

/// Brings the bytes to the disk, gives the log its finished name and brings that to the disk too.
void finish_file(int file, const LogPaths& paths);

}  // namespace build::livelog
