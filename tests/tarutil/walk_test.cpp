#include <tarutil/pack.h>
#include <tarutil/walk.h>

#include <doctest/doctest.h>

#include <cerrno>
#include <filesystem>
#include <string>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/archive_listing.h"
#include "support/support.h"

using namespace tarutil;
namespace fs = std::filesystem;

namespace {

struct Tree {
  explicit Tree(std::string top = ".") : top_name(std::move(top)), fd(open_directory(dir.path())) {}

  static Fd open_directory(const fs::path& path) {
    return Fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }

  std::string names(WalkLimits limits = {}) {
    TreeWalk walk(fd.get(), top_name, limits);
    std::string text;
    while (const auto entry = walk.next()) text += entry->path + (S_ISDIR(entry->status.st_mode) ? "/ " : " ");
    return text;
  }

  std::string error(WalkLimits limits = {}) {
    try {
      names(limits);
    } catch (const std::runtime_error& bad) {
      return bad.what();
    }
    return "";
  }

  std::string packed(const PackOptions& options = {}) {
    Packer packer(fd.get(), top_name, options);
    std::string bytes;
    while (packer.next(bytes)) {
    }
    return bytes;
  }

  testing::TempDir dir;
  std::string top_name;
  Fd fd;
};

}  // namespace

TEST_CASE("a tree is walked in order, links are not followed") {
  Tree tree;
  testing::write_file(tree.dir / "b/y", "");
  testing::write_file(tree.dir / "b/x/deep", "");
  testing::write_file(tree.dir / "b.txt", "");
  testing::write_file(tree.dir / "a", "");
  fs::create_directory_symlink("..", tree.dir / "b/up");
  CHECK(tree.names() == "a b/ b/up b/x/ b/x/deep b/y b.txt ");
  tree.top_name = "b";
  CHECK(tree.names() == "up x/ x/deep y ");
  tree.top_name = "b/y";
  CHECK(tree.names() == " ");
  tree.top_name = "b/up";
  CHECK(tree.names() == " ");
  TreeWalk link(tree.fd.get(), "b/up");
  REQUIRE(link.next());
  CHECK(link.link_target() == "..");
}

TEST_CASE("a directory can be left out") {
  Tree tree;
  testing::write_file(tree.dir / "a/1", "");
  testing::write_file(tree.dir / "b/1", "");
  TreeWalk walk(tree.fd.get(), ".");
  std::string names;
  while (const auto entry = walk.next()) {
    names += entry->path + " ";
    if (entry->path == "a") walk.skip();
  }
  CHECK(names == "a b b/1 ");
}

TEST_CASE("a walk that cannot go on names the path, and limits are kept") {
  Tree tree;
  testing::write_file(tree.dir / "d/f", "");
  fs::create_directory_symlink("d", tree.dir / "link");
  tree.top_name = "nosuch";
  CHECK(tree.error() == "lstat nosuch: no such file or directory");
  tree.top_name = "link/f";
  CHECK(tree.error().starts_with("lstat link/f: "));
  tree.top_name = ".";
  CHECK(tree.error({.names = 2}) == "listing d: it and the directories it lies in hold more than 2 names");
  CHECK(tree.error({.names = 3}).empty());
  CHECK(tree.error({.path_bytes = 2}) == "lstat d/f: file name too long");
}

TEST_CASE("what vanishes during a walk is left out, and what is exchanged for a link is not followed") {
  Tree tree;
  testing::write_file(tree.dir / "a/gone", "");
  testing::write_file(tree.dir / "a/here", "");
  testing::write_file(tree.dir / "b/x", "");
  testing::write_file(tree.dir / "c/x", "");
  TreeWalk walk(tree.fd.get(), ".");
  CHECK(walk.next()->path == "a");
  fs::remove(tree.dir / "a/gone");
  CHECK(walk.next()->path == "a/here");
  CHECK(walk.next()->path == "b");
  fs::remove_all(tree.dir / "b");
  CHECK(walk.next()->path == "c");
  fs::remove_all(tree.dir / "c");
  fs::create_directory_symlink("/etc", tree.dir / "c");
  CHECK_THROWS_AS(walk.next(), PathError);
}

TEST_CASE("modes look as Go prints them") {
  CHECK(mode_text(S_IFREG | 0644) == "-rw-r--r--");
  CHECK(mode_text(S_IFDIR | 0755) == "drwxr-xr-x");
  CHECK(mode_text(S_IFDIR | 01777) == "dtrwxrwxrwx");
  CHECK(mode_text(S_IFLNK | 0777) == "Lrwxrwxrwx");
  CHECK(mode_text(S_IFREG | 04755) == "urwxr-xr-x");
  CHECK(mode_text(S_IFIFO | 0644) == "prw-r--r--");
  CHECK(mode_text(S_IFSOCK | 0755) == "Srwxr-xr-x");
  CHECK(mode_text(S_IFCHR | 0660) == "Dcrw-rw----");
  CHECK(mode_text(S_IFBLK | 0660) == "Drw-rw----");
  CHECK(mode_text(0644) == "?rw-r--r--");
}

TEST_CASE("a tree is packed with everything that is in it") {
  Tree tree;
  testing::write_file(tree.dir / "dir/tool", std::string(300'000, 'x') + "end");
  fs::permissions(tree.dir / "dir/tool", fs::perms(0750));
  testing::write_file(tree.dir / "empty", "");
  testing::write_file(tree.dir / "gr\xc3\xbc\xc3\x9f", "utf-8");
  testing::write_file(tree.dir / "latin-\xe9", "bytes");
  testing::write_file(tree.dir / (std::string(200, 'n') + "/" + std::string(200, 'm')), "long");
  fs::create_symlink("dir/tool", tree.dir / "link");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const std::string path = "/proc/self/fd/" + std::to_string(tree.fd.get()) + "/socket";
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  const auto members = testing::archive_members(tree.packed());
  REQUIRE(members.size() == 8);
  CHECK(members[0].name == "dir/");
  CHECK(members[0].type == AE_IFDIR);
  CHECK(members[1].name == "dir/tool");
  CHECK(members[1].mode == 0750);
  CHECK(members[1].owner == static_cast<long>(::getuid()));
  CHECK(members[1].content.size() == 300'003);
  CHECK(members[1].content.ends_with("xend"));
  CHECK(members[2].name == "empty");
  CHECK(members[3].name == "gr\xc3\xbc\xc3\x9f");
  CHECK(members[4].name == "latin-\xe9");
  CHECK(members[5].name == "link");
  CHECK(members[5].link == "dir/tool");
  CHECK(members[7].name == std::string(200, 'n') + "/" + std::string(200, 'm'));
  CHECK(members[7].content == "long");
  tree.top_name = "dir/tool";
  CHECK(testing::archive_members(tree.packed()).at(0).name == "tool");
  tree.top_name = "nosuch";
  CHECK_THROWS_AS(tree.packed(), PathError);
}

TEST_CASE("packing gives pieces, and a file that shrinks meanwhile is an error") {
  Tree tree;
  testing::write_file(tree.dir / "zeros", "");
  fs::resize_file(tree.dir / "zeros", 64 << 20);
  Packer packer(tree.fd.get(), ".");
  std::string piece;
  REQUIRE(packer.next(piece));
  CHECK(piece.size() < 128 * 1024);
  fs::resize_file(tree.dir / "zeros", 10 << 20);
  CHECK_THROWS_AS(
      [&] {
        while (packer.next(piece)) {
        }
      }(),
      std::runtime_error);
  CHECK(piece.size() < 1 << 20);
}
