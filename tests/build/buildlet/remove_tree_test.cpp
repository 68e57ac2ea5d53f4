#include <build/base/file.h>
#include <build/buildlet/work_directory.h>

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/support.h"

using build::base::UniqueFd;
using build::buildlet::remove_contents;
using build::buildlet::remove_entry;
namespace fs = std::filesystem;

namespace {

UniqueFd open_directory(const fs::path& path) { return UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY)); }

}  // namespace

TEST_CASE("a directory is emptied and stays") {
  const testing::TempDir temp;
  testing::write_file(temp / "d/a/b/c.txt", "x");
  testing::write_file(temp / "d/e.txt", "x");
  fs::create_directories(temp / "d/empty");
  const UniqueFd fd = open_directory(temp / "d");
  remove_contents(fd.get(), "d");
  CHECK(fs::is_directory(temp / "d"));
  CHECK(fs::is_empty(temp / "d"));
}

TEST_CASE("links go, what they point to stays") {
  const testing::TempDir temp;
  testing::write_file(temp / "outside/kept.txt", "x");
  fs::create_directories(temp / "d/sub");
  fs::create_directory_symlink(temp / "outside", temp / "d/link");
  fs::create_directory_symlink("../../outside", temp / "d/sub/link");
  fs::create_directory_symlink("../outside", temp / "d/near");
  fs::create_symlink("nowhere", temp / "d/dangling");
  const UniqueFd fd = open_directory(temp / "d");
  remove_contents(fd.get(), "d");
  CHECK(fs::is_empty(temp / "d"));
  CHECK(testing::read_file(temp / "outside/kept.txt") == "x");

  fs::create_directory_symlink(temp / "outside", temp / "link");
  const UniqueFd parent = open_directory(temp.path());
  remove_entry(parent.get(), "link", "t");
  CHECK(!fs::exists(fs::symlink_status(temp / "link")));
  CHECK(testing::read_file(temp / "outside/kept.txt") == "x");
}

TEST_CASE("directories without permissions are opened up") {
  const testing::TempDir temp;
  testing::write_file(temp / "d/ro/sub/file", "x");
  fs::permissions(temp / "d/ro/sub", fs::perms::none);
  fs::permissions(temp / "d/ro", fs::perms::owner_read | fs::perms::owner_exec);
  const UniqueFd parent = open_directory(temp.path());
  remove_entry(parent.get(), "d", "t");
  CHECK(!fs::exists(temp / "d"));
}

TEST_CASE("a tree deeper than the number of open files goes") {
  const testing::TempDir temp;
  fs::create_directory(temp / "d");
  UniqueFd at = open_directory(temp / "d");
  for (int depth = 0; depth < 3000; ++depth) {
    const std::string name = depth % 2 == 0 ? "x" : "a-longer-name-so-that-the-path-is-no-path";
    REQUIRE(::mkdirat(at.get(), name.c_str(), 0755) == 0);
    UniqueFd file(::openat(at.get(), "f", O_CREAT | O_WRONLY, 0600));
    REQUIRE(file.valid());
    at = UniqueFd(::openat(at.get(), name.c_str(), O_RDONLY | O_DIRECTORY));
    REQUIRE(at.valid());
  }
  const UniqueFd parent = open_directory(temp.path());
  remove_entry(parent.get(), "d", "t");
  CHECK(!fs::exists(temp / "d"));
}

TEST_CASE("a directory of many files goes") {
  const testing::TempDir temp;
  fs::create_directory(temp / "d");
  const UniqueFd fd = open_directory(temp / "d");
  for (int i = 0; i < 10'000; ++i) {
    const UniqueFd file(::openat(fd.get(), std::to_string(i).c_str(), O_CREAT | O_WRONLY, 0600));
    REQUIRE(file.valid());
  }
  remove_contents(fd.get(), "d");
  CHECK(fs::is_empty(temp / "d"));
}

TEST_CASE("a missing entry is no error, a name that is none is one") {
  const testing::TempDir temp;
  testing::write_file(temp / "d/kept", "x");
  const UniqueFd fd = open_directory(temp / "d");
  remove_entry(fd.get(), "nosuch", "t");
  for (const char* name : {"..", ".", "", "../d", "d/kept"}) {
    CAPTURE(name);
    CHECK_THROWS_AS(remove_entry(fd.get(), name, "t"), std::system_error);
  }
  CHECK(testing::read_file(temp / "d/kept") == "x");
}
