#include <build/config/farm_config.h>
#include <doctest/doctest.h>

#include "support/support.h"

#include <map>
#include <sstream>

using namespace build;

namespace {

/// The page's sections by their heading.
std::map<std::string, std::string> sections() {
  std::map<std::string, std::string> sections;
  std::istringstream page(testing::read_file(XBUILD_MAN_PAGE));
  std::string line, heading;
  while (std::getline(page, line)) {
    if (line.starts_with(".SH "))
      heading = line.substr(4);
    else
      sections[heading] += line + "\n";
  }
  return sections;
}

}  // namespace

TEST_CASE("the man page describes every key in its table's section") {
  auto page = sections();
  for (const std::string& key : config::known_keys()) {
    CAPTURE(key);
    const auto dot = key.rfind('.');
    const std::string table = key.substr(0, dot), name = key.substr(dot + 1);
    const bool single = table == "coordinator" || table == "access" || table == "retention";
    const std::string heading = single ? "[" + table + "]" : "[[" + table + "]]";
    REQUIRE(page.contains(heading));
    // A tagged paragraph begins with the key in bold, alone or with another.
    std::istringstream lines(page[heading]);
    std::string line;
    bool found = false, tag = false;
    while (std::getline(lines, line)) {
      if (tag)
        found = found || line == ".B " + name ||
                (line.starts_with(".BR ") && (line + " ").find(" " + name + " ") != std::string::npos);
      tag = line == ".TP";
    }
    CHECK(found);
  }
}

TEST_CASE("the man page's example is a right file") {
  std::string example = sections()["EXAMPLE"];
  const auto begin = example.find(".nf\n"), end = example.find(".fi");
  REQUIRE(begin != std::string::npos);
  REQUIRE(end != std::string::npos);
  const config::FarmConfig config = config::parse(example.substr(begin + 4, end - begin - 4), "example", "/");
  CHECK(config.builders.size() == 2);
  CHECK(config.repositories.at(0).steps.size() == 2);
}
