// What tests share: a temporary directory of their own, small file helpers, and the golden data's place.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace testing {

/// A directory that is removed with everything in it. It lies several levels deep below the system's
/// temporary folder, so that a wrong "..", however often, stays inside something made for the test.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path root_, path_;
};

std::string read_file(const std::filesystem::path& path);
void write_file(const std::filesystem::path& path, std::string_view content);

/// Where the golden data lies (environment variable XBUILD_GOLDEN); nullopt, with a line on stderr that names
/// the test, when it is not there. The test then returns, and its program exits with 77 (skipped). Tests that
/// need golden data are programs of their own (golden_*), so that a skip hides nothing else.
std::optional<std::filesystem::path> golden(std::string_view subdirectory, std::string_view test_name);

/// Whether golden() or skip() was answered with a skip.
bool anything_skipped();
/// Says on stderr that `test_name` was skipped and why.
void skip(std::string_view test_name, std::string_view why);

}  // namespace testing
