#include <doctest/doctest.h>

#include "messages.h"
#include "names.h"

using namespace pargzip::tool;

TEST_CASE("a compressed file's name loses its suffix") {
  struct {
    const char *name, *content;
  } cases[] = {
      {"a.gz", "a"},          {"A.GZ", "A"},      {"x/a.tar.gz", "x/a.tar"},
      {"a.tgz", "a.tar"},     {"a.TaZ", "a.tar"}, {"a-gz", "a"},
      {"a_z", "a"},           {"a.own", "a"},     {"a.gz.gz", "a.gz"},
      {"x.gz/a.z", "x.gz/a"},
  };
  for (const auto& each : cases) {
    CAPTURE(each.name);
    CHECK(decompressed_name(each.name, ".own") == each.content);
  }
}

TEST_CASE("a name that is nothing but a suffix has none, and neither has a directory's") {
  for (const char* name : {"a", ".gz", "x/.gz", "x.gz/a", "gz", "", "/", "a.gz/"}) {
    CAPTURE(name);
    CHECK(compressed_suffix(name, ".gz").empty());
    CHECK_FALSE(decompressed_name(name, ".gz"));
  }
}

TEST_CASE("a path is a directory and what is in it") {
  CHECK(place_of("a").directory == ".");
  CHECK(place_of("a").leaf == "a");
  CHECK(place_of("/a").directory == "/");
  CHECK(place_of("x/y/a").directory == "x/y");
  CHECK(place_of("x/y/").leaf.empty());
}

TEST_CASE("what is shown has no control characters") {
  CHECK(printable("plain \xc3\xa9") == "plain \xc3\xa9");
  CHECK(printable("\x1b[31m\n\x7f\t") == "\\x1b[31m\\x0a\\x7f\\x09");
  CHECK(printable("\xc2\x9b") == "\xc2\\x9b");
  CHECK(printable(std::string_view("\0", 1)) == "\\x00");
}
