#include <build/base/build_info.h>
#include <build/base/builder_key.h>
#include <build/base/environment.h>
#include <build/base/ids.h>
#include <build/base/random.h>
#include <build/base/utf8.h>
#include <build/base/version.h>

#include <doctest/doctest.h>

#include <array>
#include <set>

#include "support/support.h"

using namespace build::base;

TEST_CASE("hexadecimal text and bytes turn into each other") {
  const std::array bytes = {std::byte{0}, std::byte{0x1f}, std::byte{0xff}};
  CHECK(to_hex(bytes) == "001fff");
  CHECK(from_hex("001FfF") == std::vector<std::byte>(bytes.begin(), bytes.end()));
  CHECK(from_hex("")->empty());
  for (const char* bad : {"0", "0g", "g0", "00 1", "-1", "0x"}) CHECK_MESSAGE(!from_hex(bad), bad);
}

TEST_CASE("only lower-case digits of the right number count as an id") {
  CHECK(is_lower_hex("00ff", 4));
  for (const char* bad : {"00f", "00fff", "00fF", "00f ", ""}) CHECK_MESSAGE(!is_lower_hex(bad, 4), bad);
  CHECK_FALSE(is_lower_hex(std::string_view("00f\0", 4), 4));
}

TEST_CASE("random ids have the length asked for, differ, and repeat with the seed") {
  SystemRandom system;
  CHECK(is_lower_hex(random_id(system), 32));
  CHECK(random_id(system) != random_id(system));
  SeededRandom first(7), second(7), third(8);
  const std::string id = random_id(first, 5);
  CHECK(is_lower_hex(id, 10));
  CHECK(id == random_id(second, 5));
  CHECK(id != random_id(third, 5));
}

TEST_CASE("numbers below a bound stay below it and reach every value") {
  SeededRandom random(1);
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 200; ++i) seen.insert(random.below(7));
  CHECK(seen.size() == 7);
  CHECK(*seen.rbegin() == 6);
  CHECK(random.below(1) == 0);
  CHECK(random.below(0) == 0);
}

TEST_CASE("builder keys are the known ones for the development master key") {
  CHECK(builder_key(kDevMasterKey, "user-gopher") == "875a7345b291621360b36e62a0fc6a14");
  CHECK(builder_key(kDevMasterKey, "host-linux-amd64-localdev") == "4d8129e2963df29b29cab65e108397d1");
}

TEST_CASE("an empty master key gives no builder key") {
  CHECK_THROWS_WITH_AS(builder_key("", "user-gopher"), "cannot derive a builder key: the master key is empty",
                       std::invalid_argument);
}

TEST_CASE("a master key file is trimmed, and refused when there is no key in it") {
  const testing::TempDir dir;
  testing::write_file(dir / "key", " \tgophers rule\r\n\n");
  CHECK(read_master_key(dir / "key") == "gophers rule");
  testing::write_file(dir / "blank", " \n\t");
  CHECK_THROWS_WITH(read_master_key(dir / "blank"), ("the key file " + (dir / "blank").string() + " is empty").c_str());
  CHECK_THROWS_AS(read_master_key(dir / "missing"), std::runtime_error);
}

TEST_CASE("secrets are compared by content") {
  CHECK(constant_time_equal("", ""));
  CHECK(constant_time_equal("abc", "abc"));
  CHECK_FALSE(constant_time_equal("abc", "abd"));
  CHECK_FALSE(constant_time_equal("abc", "ab"));
  CHECK_FALSE(constant_time_equal("", "a"));
  CHECK_FALSE(constant_time_equal(std::string_view("a\0b", 3), std::string_view("a\0c", 3)));
}

TEST_CASE("a later environment entry wins and stands where it stood") {
  struct Case {
    Environment given, wanted;
  };
  const Case cases[] = {
      {{}, {}},
      {{"A=1", "B=2", "A=3"}, {"B=2", "A=3"}},
      {{"A=1", "a=2"}, {"A=1", "a=2"}},
      {{"A=1", "AB=2", "A="}, {"AB=2", "A="}},
      {{"A=1=2", "A=3=4"}, {"A=3=4"}},
      {{"noequals", "", "noequals"}, {"noequals", "noequals"}},
      {{"=C:=C:\\a", "=D:=x", "=C:=C:\\b"}, {"=D:=x", "=C:=C:\\b"}},
      {{"=x", "=y"}, {"=y"}},
  };
  for (const Case& each : cases) CHECK(deduplicated(each.given) == each.wanted);
}

TEST_CASE("environment variables are found, set and removed by name") {
  const char* envp[] = {"PATH=/bin", "PATHS=/x", nullptr};
  Environment list = environment_from(envp);
  CHECK(find_variable(list, "PATH") == "/bin");
  CHECK_FALSE(find_variable(list, "PAT"));
  set_variable(list, "PATH", "/usr/bin");
  CHECK(list == Environment{"PATH=/bin", "PATHS=/x", "PATH=/usr/bin"});
  CHECK(find_variable(list, "PATH") == "/usr/bin");
  remove_variable(list, "PATH");
  CHECK(list == Environment{"PATHS=/x"});
  CHECK(environment_from(nullptr).empty());
}

TEST_CASE("text for a terminal is so wide, and does not steer it") {
  CHECK(terminal_text("four", 3) == "fou");
  CHECK(terminal_text("four", 10, 6) == "four  ");
  CHECK(terminal_text("Mart\xC3\xAD", 5, 5) == "Mart\xC3\xAD");
  CHECK(terminal_text("a\x1B[2J\n\x7F", 10) == "a?[2J??");
  CHECK(terminal_text("\xC2\x9B\xFF\xC3", 10) == "???");
  CHECK(terminal_text("", 5, 2) == "  ");
}

TEST_CASE("the version names the project's, the commit and the kind of build") {
  CHECK(version().find('.') != std::string_view::npos);
  CHECK_FALSE(commit().empty());
  CHECK(version_text() ==
        std::string(version()) + " (commit " + std::string(commit()) + ", " + std::string(build_type()) + ")");
}
