#include <tarutil/beneath.h>

#include <doctest/doctest.h>

#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/support.h"

using namespace tarutil;
namespace fs = std::filesystem;

namespace {

constexpr Beneath::Method kEachMethod[] = {Beneath::Method::automatic, Beneath::Method::walk};

Fd opened(const fs::path& path) { return Fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)); }

int open_error(const Beneath& beneath, std::string_view path) {
  try {
    beneath.open(path, O_RDONLY);
  } catch (const std::system_error& error) {
    return error.code().value();
  }
  return 0;
}

unsigned mode_of(const fs::path& path) {
  struct stat status {};
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

}  // namespace

TEST_CASE("what lies beneath is opened, by either method") {
  const testing::TempDir dir;
  testing::write_file(dir / "base" / "a" / "b" / "f", "content");
  const Fd base = opened(dir / "base");
  for (const auto method : kEachMethod) {
    const Beneath beneath(base.get(), method);
    const Fd file = beneath.open("a/b/f", O_RDONLY);
    char text[8] = {};
    CHECK(::read(file.get(), text, sizeof text) == 7);
    CHECK((::fcntl(file.get(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(open_error(beneath, ".") == 0);
    CHECK(open_error(beneath, "a/missing") == ENOENT);
    CHECK(open_error(beneath, "") == ENOENT);
  }
}

TEST_CASE("nothing outside is opened, by either method") {
  const testing::TempDir dir;
  testing::write_file(dir / "outside" / "f", "secret");
  fs::create_directories(dir / "base" / "real");
  fs::create_symlink("../outside", dir / "base" / "up");
  fs::create_symlink(dir / "outside", dir / "base" / "absolute");
  fs::create_symlink(dir / "outside" / "f", dir / "base" / "file");
  fs::create_symlink("real", dir / "base" / "inside");
  fs::create_symlink("/proc/self/root", dir / "base" / "magic");
  const Fd base = opened(dir / "base");
  for (const auto method : kEachMethod) {
    const Beneath beneath(base.get(), method);
    for (const char* path : {"up/f", "absolute/f", "file", "inside", "inside/x", "magic/etc/passwd", "..",
                             "../outside/f", "real/../../outside/f", "/etc/passwd"}) {
      INFO(path);
      CHECK(open_error(beneath, path) != 0);
    }
    CHECK(open_error(beneath, (dir / "outside" / "f").string()) != 0);
  }
}

TEST_CASE("directories are made with 0755 whatever the umask, and not through links") {
  for (const auto method : kEachMethod) {
    const testing::TempDir dir;
    fs::create_directories(dir / "base" / "old");
    fs::permissions(dir / "base" / "old", fs::perms::owner_all);
    fs::create_directory(dir / "outside");
    fs::create_symlink("../outside", dir / "base" / "link");
    const Fd base = opened(dir / "base");
    const Beneath beneath(base.get(), method);
    const mode_t before = ::umask(077);
    CHECK(beneath.make_directories("old/x/y").get() >= 0);
    CHECK(beneath.make_directories("old/x/y").get() >= 0);
    CHECK(beneath.make_directories(".").get() >= 0);
    ::umask(before);
    CHECK(mode_of(dir / "base" / "old") == 0700);
    CHECK(mode_of(dir / "base" / "old" / "x") == 0755);
    CHECK(mode_of(dir / "base" / "old" / "x" / "y") == 0755);
    for (const char* path : {"link/new", "../outside/new", "link", "old/../../outside/new", "/tmp"}) {
      CHECK_THROWS_AS(beneath.make_directories(path), std::system_error);
    }
    CHECK(fs::is_empty(dir / "outside"));
  }
}
