#include <doctest/doctest.h>

#include <string>

#include "gzip_header.h"

using namespace pargzip::tool;

namespace {

/// A header with these flags and what follows the first ten bytes.
std::string header(unsigned char flags, const std::string& rest) {
  return std::string("\x1f\x8b\x08", 3) + static_cast<char>(flags) + std::string("\x01\x02\x03\x84\0\x03", 6) + rest;
}

}  // namespace

TEST_CASE("a header gives its length, the name without directories, and the time") {
  struct {
    unsigned char flags;
    std::string rest;
    std::size_t length;
    std::string name;
  } cases[] = {
      {0, "", 10, ""},
      {8, std::string("a name\0", 7), 17, "a name"},
      {4, std::string("\x03\0abc", 5), 15, ""},
      {4 | 8 | 16 | 2, std::string("\x02\0zzname\0remark\0cc", 18), 28, "name"},
      {8, std::string("/etc/passwd\0", 12), 22, "passwd"},
      {8, std::string("../../x\0", 8), 18, "x"},
      {8, std::string("..\0", 3), 13, ""},
      {8, std::string(".\0", 2), 12, ""},
      {8, std::string("a/\0", 3), 13, ""},
      {8, std::string("\0", 1), 11, ""},
      {1 | 32 | 64 | 128, "", 10, ""},
  };
  for (const auto& each : cases) {
    const std::string bytes = header(each.flags, each.rest);
    CAPTURE(bytes);
    const auto found = read_header(bytes + "what follows");
    REQUIRE(found);
    CHECK(found->length == each.length);
    CHECK(found->name == each.name);
    CHECK(found->time == 0x84030201);
  }
}

TEST_CASE("what is no header, or not all of one, gives none") {
  const std::string whole = header(4 | 8 | 16, std::string("\x02\0zzname\0remark\0", 16));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    CAPTURE(length);
    CHECK_FALSE(read_header(std::string_view(whole).substr(0, length)));
  }
  CHECK(read_header(whole));
  CHECK_FALSE(read_header(std::string("\x1f\x8c") + whole.substr(2)));
  CHECK_FALSE(read_header(header(4, "\xff\xff") + std::string(65'534, 'x')));
  CHECK(read_header(header(4, "\xff\xff") + std::string(65'535, 'x'))->length == 10 + 2 + 65'535);
  CHECK_FALSE(read_header(header(8, std::string(100'000, 'n'))));
  CHECK_FALSE(read_header(std::string(64, '\xff')));
}

TEST_CASE("a naming member is a member with that name and time and nothing in it") {
  const std::string member = naming_member("a name", 1'400'000'000);
  const auto found = read_header(member);
  REQUIRE(found);
  CHECK(found->name == "a name");
  CHECK(found->time == 1'400'000'000);
  CHECK(member.substr(found->length) == std::string("\x03\0\0\0\0\0\0\0\0\0", 10));
}
