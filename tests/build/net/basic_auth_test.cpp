#include <build/net/basic_auth.h>

#include <doctest/doctest.h>

#include <string>

using namespace build::net;

TEST_CASE("basic credentials are read as Go reads them") {
  struct Row {
    std::string header;
    const char* user;  // nullptr: no credentials
    const char* password;
  };
  const std::string with_nul = "Basic " + std::string("YWI6\0", 5);
  const Row rows[] = {
      {"Basic OnMzY3JldA==", "", "s3cret"},
      {"basic dTpw", "u", "p"},
      {"BASIC dTpwOnE=", "u", "p:q"},
      {"Basic Og==", "", ""},
      {"Basic dTo=", "u", ""},
      {"Basic /+86eA==", "\xff\xef", "x"},
      {"", nullptr, nullptr},
      {"Basic", nullptr, nullptr},
      {"Basic ", nullptr, nullptr},
      {"Basic dXA=", nullptr, nullptr},           // no colon
      {"Basic OnMzY3JldA", nullptr, nullptr},     // no padding
      {"Basic OnMzY3JldA===", nullptr, nullptr},  // too much of it
      {"Basic =OnMzY3JldA=", nullptr, nullptr},   // in the wrong place
      {"Basic OnMz=Y3JldA=", nullptr, nullptr},
      {"Basic ====", nullptr, nullptr},
      {"Basic  dTpw", nullptr, nullptr},
      {"Basic dTpw ", nullptr, nullptr},
      {"Basic dT-_", nullptr, nullptr},  // the other alphabet
      {"Basic\tdTpw", nullptr, nullptr},
      {"Bearer dTpw", nullptr, nullptr},
      {with_nul, nullptr, nullptr},
  };
  for (const Row& row : rows) {
    CAPTURE(row.header);
    const auto credentials = parse_basic_credentials(row.header);
    REQUIRE(credentials.has_value() == (row.user != nullptr));
    if (!credentials) continue;
    CHECK(credentials->user == row.user);
    CHECK(credentials->password == row.password);
  }
}

TEST_CASE("two Authorization fields are none") {
  io::Fields fields;
  CHECK(!basic_credentials(fields));
  fields.add("authorization", "Basic dTpw");
  CHECK(basic_credentials(fields)->password == "p");
  fields.add("Authorization", "Basic dTpw");
  CHECK(!basic_credentials(fields));
}
