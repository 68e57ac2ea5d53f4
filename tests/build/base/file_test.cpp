#include <build/base/file.h>

#include <doctest/doctest.h>

#include <string>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/support.h"

using namespace build::base;
namespace fs = std::filesystem;

namespace {

unsigned mode_of(const fs::path& path) {
  struct stat status {};
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

std::size_t entries_in(const fs::path& directory) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
}

}  // namespace

TEST_CASE("a file is read whole up to its limit and refused above it") {
  const testing::TempDir dir;
  testing::write_file(dir / "f", "12345");
  CHECK(read_file(dir / "f", 5) == "12345");
  CHECK_THROWS_WITH(read_file(dir / "f", 4),
                    ("cannot read " + (dir / "f").string() + ": it is larger than 4 bytes").c_str());
  CHECK_THROWS_AS(read_file(dir / "missing", 4), std::system_error);
  testing::write_file(dir / "big", std::string(200'000, 'x'));
  CHECK(read_file(dir / "big", 1'000'000).size() == 200'000);
  CHECK_FALSE(read_file("/proc/self/stat", 100'000).empty());
}

TEST_CASE("an atomic write replaces the file, sets its mode and leaves nothing else") {
  const testing::TempDir dir;
  testing::write_file(dir / "f", "old");
  write_file_atomically(dir / "f", "new", 0600);
  CHECK(testing::read_file(dir / "f") == "new");
  CHECK(mode_of(dir / "f") == 0600);
  const mode_t before = ::umask(0077);
  write_file_atomically(dir / "g", "", 0664);
  ::umask(before);
  CHECK(mode_of(dir / "g") == 0664);
  CHECK(entries_in(dir.path()) == 2);
}

TEST_CASE("an atomic write that fails leaves the old file and no temporary one") {
  const testing::TempDir dir;
  testing::write_file(dir / "d" / "inside", "x");
  CHECK_THROWS_AS(write_file_atomically(dir / "d", "content"), std::system_error);
  CHECK(entries_in(dir.path()) == 1);
  CHECK(testing::read_file(dir / "d" / "inside") == "x");
  CHECK_THROWS_AS(write_file_atomically(dir / "no" / "such", "content"), std::system_error);
}

TEST_CASE("a private directory is made or closed to others") {
  const testing::TempDir dir;
  ensure_private_directory(dir / "new" / "state/");
  CHECK(mode_of(dir / "new" / "state") == 0700);
  CHECK(mode_of(dir / "new") != 0700);
  fs::create_directory(dir / "open");
  fs::permissions(dir / "open", fs::perms::all);
  ensure_private_directory(dir / "open");
  CHECK(mode_of(dir / "open") == 0700);
  testing::write_file(dir / "file", "");
  CHECK_THROWS_AS(ensure_private_directory(dir / "file"), std::system_error);
}

TEST_CASE("a held lock is refused with the holder's process id and free again afterwards") {
  const testing::TempDir dir;
  {
    const LockFile lock(dir / "lock");
    CHECK(mode_of(dir / "lock") == 0600);
    const std::string sentence =
        "cannot lock " + (dir / "lock").string() + ": process " + std::to_string(::getpid()) + " holds it";
    CHECK_THROWS_WITH_AS(LockFile(dir / "lock"), sentence.c_str(), LockedError);
  }
  CHECK_NOTHROW(LockFile(dir / "lock"));
}

TEST_CASE("a lock that a child of a dead process still holds for a moment is waited for") {
  const testing::TempDir dir;
  const pid_t gone = ::fork();
  if (gone == 0) ::_exit(0);
  REQUIRE(::waitpid(gone, nullptr, 0) == gone);
  testing::write_file(dir / "lock", std::to_string(gone) + "\n");
  const int fd = ::open((dir / "lock").c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(::flock(fd, LOCK_EX | LOCK_NB) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::poll(nullptr, 0, 100);
    ::_exit(0);
  }
  ::close(fd);
  CHECK_NOTHROW(LockFile(dir / "lock"));
  CHECK(::waitpid(child, nullptr, 0) == child);
}

TEST_CASE("a lock file is not taken through a symbolic link") {
  const testing::TempDir dir;
  testing::write_file(dir / "victim", "precious");
  fs::create_symlink(dir / "victim", dir / "lock");
  CHECK_THROWS_AS(LockFile(dir / "lock"), std::system_error);
  CHECK(testing::read_file(dir / "victim") == "precious");
}
