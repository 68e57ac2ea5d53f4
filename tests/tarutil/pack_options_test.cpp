// What packing leaves out, when archives are equal, and archives made from lists.
#include <tarutil/extract.h>
#include <tarutil/file_list.h>
#include <tarutil/pack.h>

#include <doctest/doctest.h>

#include <array>
#include <stdexcept>

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "support/archive_listing.h"
#include "support/support.h"

using namespace tarutil;
namespace fs = std::filesystem;

namespace {

Fd directory(const fs::path& path) { return Fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)); }

std::string packed(const fs::path& path, const PackOptions& options) {
  std::string all;
  pack(directory(path).get(), ".", options, [&](std::string_view bytes) { all += bytes; });
  return all;
}

std::string names(const std::string& archive) {
  std::string text;
  for (const auto& member : testing::archive_members(archive)) text += member.name + " ";
  return text;
}

std::string all_of(TarGzStream stream) {
  std::string bytes;
  while (stream.next(bytes)) {
  }
  return bytes;
}

}  // namespace

TEST_CASE("patterns leave out files and whole directories") {
  const testing::TempDir dir;
  for (const char* name : {"a.o", "a.c", "sub/b.o", "sub/b.c", "build/x", "sub/build/y", "out/keep", "out/drop.log"}) {
    testing::write_file(dir / name, "");
  }
  CHECK(names(packed(dir.path(), {.skip = {"*.o"}})) ==
        "a.c build/ build/x out/ out/drop.log out/keep sub/ sub/b.c sub/build/ sub/build/y ");
  CHECK(names(packed(dir.path(), {.skip = {"build", "*.o"}})) == "a.c out/ out/drop.log out/keep sub/ sub/b.c ");
  CHECK(names(packed(dir.path(), {.skip = {"/build", "out/*.log", "sub/b.?"}})) ==
        "a.c a.o out/ out/keep sub/ sub/build/ sub/build/y ");
  CHECK(names(packed(dir.path(), {.skip = {"*/b.o", "*"}})).empty());
}

TEST_CASE("deterministic archives of equal trees are equal, whenever and by whomever they were made") {
  constexpr std::chrono::sys_seconds kTime{std::chrono::seconds{1'000'000'000}};
  const testing::TempDir one, other;
  for (const auto* dir : {&one, &other}) {
    testing::write_file(*dir / (dir == &one ? "a" : "z"), "");
    testing::write_file(*dir / "m/file", "content");
    testing::write_file(*dir / (dir == &one ? "z" : "a"), "");
    fs::create_symlink("m/file", *dir / "link");
  }
  fs::last_write_time(one / "m/file", fs::file_time_type() + std::chrono::hours{1});
  if (::geteuid() == 0) REQUIRE(::lchown((one / "m/file").c_str(), 1234, 1234) == 0);
  const PackOptions options{.deterministic_time = kTime};
  const std::string archive = packed(one.path(), options);
  CHECK(archive == packed(other.path(), options));
  CHECK(packed(one.path(), {}) != packed(other.path(), {}));
  for (const auto& member : testing::archive_members(archive)) {
    CHECK(member.mtime == 1'000'000'000);
    CHECK(member.owner == 0);
    CHECK(member.user.empty());
  }
  CHECK(testing::archive_members(archive).at(1).link == "m/file");
}

TEST_CASE("a list of files gives the same archive again and again, also after it has grown") {
  FileList list;
  list.add_header({.name = "src", .mode = S_IFDIR | 0750, .user = "somebody"});
  list.add_regular({.name = "src/VERSION", .mode = S_IFREG | 0600, .uid = 7}, 5, content_of("devel"));
  list.add_header({.name = "link", .mode = S_IFLNK | 0777, .symlink_target = "src/VERSION"});
  list.add_header({.name = "empty"});
  const std::string first = all_of(list.tar_gz());
  TarGzStream begun = list.tar_gz();
  list.add_header({.name = "same", .hard_link_target = "empty"});
  CHECK(all_of(std::move(begun)) == first);
  const auto members = testing::archive_members(first);
  REQUIRE(members.size() == 4);
  CHECK(members[0].name == "src/");
  CHECK(members[0].type == AE_IFDIR);
  CHECK(members[0].mode == 0750);
  CHECK(members[0].user == "somebody");
  CHECK(members[1].content == "devel");
  CHECK(members[1].owner == 7);
  CHECK(members[2].link == "src/VERSION");
  CHECK(members[3].content.empty());
  CHECK(testing::archive_members(all_of(list.tar_gz())).size() == 5);
  CHECK(testing::archive_members(all_of(FileList().tar_gz())).empty());
}

TEST_CASE("a content is asked for piece by piece, in order, and may give as little as it likes") {
  constexpr std::uint64_t kSize = 3 << 20;
  FileList list;
  std::uint64_t expected = 0;
  std::size_t largest = 0;
  list.add_regular({.name = "f"}, kSize, [&](std::uint64_t offset, std::span<char> into) {
    CHECK(offset == expected);
    largest = std::max(largest, into.size());
    const std::size_t size = std::min<std::size_t>(into.size(), 70'001);
    for (std::size_t i = 0; i < size; ++i) into[i] = static_cast<char>((offset + i) * 2654435761 >> 24);
    expected += size;
    return size;
  });
  const auto members = testing::archive_members(all_of(list.tar_gz()));
  REQUIRE(members.size() == 1);
  CHECK(members[0].content.size() == kSize);
  CHECK(members[0].content[1'000'000] == static_cast<char>(std::uint64_t{1'000'000} * 2654435761 >> 24));
  CHECK(largest <= 1 << 20);
}

TEST_CASE("a list's mistakes come out where its archive is read") {
  FileList list;
  CHECK_THROWS_AS(list.add_regular({.name = "d", .mode = S_IFDIR | 0755}, 0, content_of("")), std::invalid_argument);
  list.add_regular({.name = "short"}, 10, content_of("1234"));
  CHECK_THROWS_WITH(all_of(list.tar_gz()), "packing short: its content ends after 4 of 10 bytes");
  FileList failing;
  failing.add_regular({.name = "f"}, 1, [](std::uint64_t, std::span<char>) -> std::size_t {
    throw std::out_of_range("the disk is gone");
  });
  CHECK_THROWS_WITH_AS(all_of(failing.tar_gz()), "the disk is gone", std::out_of_range);
}
