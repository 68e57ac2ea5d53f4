#include <build/blob/directory.h>

#include <doctest/doctest.h>

#include <filesystem>
#include <stdexcept>
#include <string>

#include <sys/stat.h>

#include "support/support.h"

using namespace build::blob;
namespace fs = std::filesystem;

namespace {

std::string content(const Blob& blob, std::uint64_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  blob.read(offset, bytes);
  return bytes;
}

}  // namespace

TEST_CASE("a file that is taken is a blob, and is the same whatever becomes of its name") {
  const testing::TempDir temp;
  fs::create_directory(temp / "blobs");
  Directory blobs(temp / "blobs");
  testing::write_file(temp / "file", "content");
  blobs.take("b", temp / "file");
  blobs.sync();
  CHECK_FALSE(fs::exists(temp / "file"));
  CHECK(blobs.file_of("b") == temp / "blobs/b");
  const auto blob = blobs.open("b");
  CHECK(blob->size() == 7);
  CHECK(content(*blob, 0, 7) == "content");
  CHECK(content(*blob, 3, 2) == "te");
  CHECK(content(*blob, 7, 0).empty());
  testing::write_file(temp / "other", "another");
  blobs.take("b", temp / "other");
  CHECK(content(*blob, 0, 7) == "content");
  CHECK(content(*blobs.open("b"), 0, 7) == "another");
}

TEST_CASE("blobs are listed by name; what is no file is none") {
  const testing::TempDir temp;
  for (const char* const name : {"b", "a"}) testing::write_file(temp / name, std::string(3, *name));
  fs::create_directory(temp / "directory");
  REQUIRE(::mkfifo((temp / "pipe").c_str(), 0600) == 0);
  const Directory blobs(temp / "");
  const auto list = blobs.list();
  REQUIRE(list.size() == 2);
  CHECK(list[0].name == "a");
  CHECK(list[1].name == "b");
  CHECK(list[1].size == 3);
  for (const char* const name : {"directory", "pipe", "nothing"})
    CHECK_THROWS_WITH_AS(blobs.open(name), doctest::Contains(name), std::runtime_error);
}

TEST_CASE("what cannot be: names that are paths, bytes behind the end, a file that is not there") {
  const testing::TempDir temp;
  testing::write_file(temp / "a", "aaa");
  Directory blobs(temp / "");
  for (const std::string name : {"", ".", "..", "../a", "/a", "x/a"}) {
    CHECK_THROWS_AS(blobs.open(name), std::invalid_argument);
    CHECK_THROWS_AS(blobs.take(name, temp / "a"), std::invalid_argument);
  }
  const auto blob = blobs.open("a");
  CHECK_THROWS_WITH_AS(content(*blob, 1, 3), doctest::Contains("beyond its 3 bytes"), std::runtime_error);
  CHECK_THROWS_AS(content(*blob, 4, 0), std::runtime_error);
  CHECK_THROWS_WITH_AS(blobs.take("b", temp / "nothing"), doctest::Contains("nothing"), std::system_error);
  fs::resize_file(temp / "a", 1);
  CHECK_THROWS_WITH_AS(content(*blob, 0, 3), doctest::Contains("has become shorter"), std::runtime_error);
}
