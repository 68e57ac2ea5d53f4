#include <build/base/file.h>
#include <build/buildlet/work_directory.h>

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

#include "support/confine.h"
#include "support/support.h"

using build::buildlet::NotOurs;
using build::buildlet::WorkDirectory;
using Found = WorkDirectory::Found;
namespace fs = std::filesystem;

TEST_CASE("what these tests could destroy by mistake is read-only for them") {
  if (::geteuid() != 0) return;
  REQUIRE(testing::confinement.safe());
  for (const char* path : {"/", "/tmp", "/etc", "/var/tmp", XBUILD_SOURCE_DIR}) {
    CAPTURE(path);
    CHECK(::access(path, W_OK) != 0);
  }
}

TEST_CASE("a work directory that is missing is made, with its caches") {
  const testing::TempDir temp;
  WorkDirectory workdir(temp / "w", temp / "record", Found::keep);
  CHECK(workdir.path() == (temp / "w").string());
  for (const char* cache : {"tmp", "gocache", "goplscache"}) CHECK(fs::is_directory(temp / "w" / cache));
  CHECK(std::distance(fs::directory_iterator(temp / "w"), {}) == 3);  // nothing of ours beside them
}

TEST_CASE("an empty directory is taken and known again") {
  const testing::TempDir temp;
  fs::create_directory(temp / "w");
  { const WorkDirectory workdir(temp / "w", temp / "record", Found::keep); }
  testing::write_file(temp / "w/kept", "x");
  testing::write_file(temp / "w/tmp/old", "x");
  { const WorkDirectory workdir(temp / "w", temp / "record", Found::keep); }
  CHECK(testing::read_file(temp / "w/kept") == "x");
  CHECK(!fs::exists(temp / "w/tmp/old"));
  { const WorkDirectory workdir(temp / "w", temp / "record", Found::clear); }
  CHECK(!fs::exists(temp / "w/kept"));
}

TEST_CASE("a directory with something in it that is not recorded is refused and untouched") {
  const testing::TempDir temp;
  testing::write_file(temp / "w/precious", "x");
  testing::write_file(temp / "w/tmp/precious", "x");
  for (const Found found : {Found::keep, Found::clear}) {
    std::string text;
    try {
      const WorkDirectory workdir(temp / "w", temp / "record", found);
    } catch (const NotOurs& error) {
      text = error.what();
    }
    CHECK(text == "the directory " + (temp / "w").string() +
                      " is not empty and this worker did not make it, so it is not used as the work directory: empty "
                      "it, or name another one with -workdir");
  }
  CHECK(testing::read_file(temp / "w/precious") == "x");
  CHECK(testing::read_file(temp / "w/tmp/precious") == "x");
  CHECK(!fs::exists(temp / "record"));
}

TEST_CASE("a recorded directory that was replaced by another is refused") {
  const testing::TempDir temp;
  { const WorkDirectory workdir(temp / "w", temp / "record", Found::keep); }
  fs::rename(temp / "w", temp / "w-before");
  testing::write_file(temp / "w/precious", "x");
  CHECK_THROWS_AS(WorkDirectory(temp / "w", temp / "record", Found::clear), NotOurs);
  CHECK(testing::read_file(temp / "w/precious") == "x");
  // Under its new name it is not known either.
  testing::write_file(temp / "w-before/file", "x");
  CHECK_THROWS_AS(WorkDirectory(temp / "w-before", temp / "record", Found::clear), NotOurs);
}

TEST_CASE("a replacement is noticed while the worker runs") {
  const testing::TempDir temp;
  WorkDirectory workdir(temp / "w", temp / "record", Found::keep);
  fs::rename(temp / "w", temp / "moved");
  testing::write_file(temp / "w/precious", "x");
  CHECK_THROWS_AS(workdir.remove("."), NotOurs);
  CHECK_THROWS_AS(workdir.remove("precious"), NotOurs);
  CHECK_THROWS_AS(workdir.make_caches(), NotOurs);
  CHECK(testing::read_file(temp / "w/precious") == "x");
  fs::remove_all(temp / "w");
  fs::create_directory_symlink(temp / "moved", temp / "w");
  CHECK_THROWS_AS(workdir.remove("."), std::system_error);
  CHECK(fs::exists(temp / "moved/tmp"));
}

TEST_CASE("a work directory that has gone is made again and known after a restart") {
  const testing::TempDir temp;
  {
    WorkDirectory workdir(temp / "w", temp / "record", Found::keep);
    fs::remove_all(temp / "w");
    workdir.make_caches();
    CHECK(fs::is_directory(temp / "w/gocache"));
  }
  testing::write_file(temp / "w/left", "x");
  const WorkDirectory workdir(temp / "w", temp / "record", Found::clear);
  CHECK(!fs::exists(temp / "w/left"));
}

TEST_CASE("several work directories are remembered") {
  const testing::TempDir temp;
  { const WorkDirectory first(temp / "one", temp / "record", Found::keep); }
  { const WorkDirectory second(temp / "two words", temp / "record", Found::keep); }
  const WorkDirectory first(temp / "one", temp / "record", Found::keep);
  const WorkDirectory second(temp / "two words", temp / "record", Found::keep);
}

TEST_CASE("a file, or a parent that is missing, is no work directory") {
  const testing::TempDir temp;
  testing::write_file(temp / "file", "x");
  CHECK_THROWS_AS(WorkDirectory(temp / "file", temp / "record", Found::clear), std::system_error);
  CHECK_THROWS_AS(WorkDirectory(temp / "no/such", temp / "record", Found::clear), std::system_error);
  CHECK(testing::read_file(temp / "file") == "x");
}

TEST_CASE("deleting stays inside, whatever links lie about") {
  const testing::TempDir temp;
  testing::write_file(temp / "outside/precious", "x");
  WorkDirectory workdir(temp / "w", temp / "record", Found::keep);
  // All links lead to the one directory outside that this test made: where a link is followed, nothing else is hit.
  const build::base::UniqueFd outside(::open((temp / "outside").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  fs::create_directory_symlink(temp / "outside", temp / "w/out");
  fs::create_directory_symlink("../outside", temp / "w/relative");
  fs::create_directory_symlink("/proc/self/fd/" + std::to_string(outside.get()), temp / "w/magic");
  for (const char* path : {"out/precious", "relative/precious", "magic/precious", "relative/../outside/precious"}) {
    CAPTURE(path);
    try {
      workdir.remove(path);
    } catch (const std::system_error&) {
      // Refusing is as good as finding nothing.
    }
    CHECK(testing::read_file(temp / "outside/precious") == "x");
  }
  workdir.remove("a/../relative");
  CHECK(!fs::exists(fs::symlink_status(temp / "w/relative")));
  workdir.remove("no/such/thing");
  testing::write_file(temp / "w/d/e/f", "x");
  workdir.remove("d//e/./f");
  CHECK(fs::is_empty(temp / "w/d/e"));
  workdir.remove("d/..");
  CHECK(fs::is_empty(temp / "w"));
  CHECK(testing::read_file(temp / "outside/precious") == "x");
}

TEST_CASE("directories are made below, not through links") {
  const testing::TempDir temp;
  fs::create_directory(temp / "outside");
  WorkDirectory workdir(temp / "w", temp / "record", Found::keep);
  CHECK(workdir.open_below("a/b/../c").get() >= 0);
  CHECK(fs::is_directory(temp / "w/a/c"));
  CHECK(workdir.has_directory("a/c"));
  CHECK(!workdir.has_directory("a/d"));
  fs::create_directory_symlink(temp / "outside", temp / "w/out");
  CHECK_THROWS_AS(workdir.open_below("out/x"), std::system_error);
  CHECK(!workdir.has_directory("out"));
  CHECK(fs::is_empty(temp / "outside"));
}
