#include "url.h"

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

using maintner::parse_url;
using maintner::resolve;
using maintner::with_query;

TEST_CASE("addresses") {
  CHECK(parse_url("https://host").text() == "https://host/");
  CHECK(parse_url("https://host").address.port == "443");
  CHECK(parse_url("http://host?a=b#c").text() == "http://host/?a=b");
  CHECK(parse_url("http://[::1]/x").address.host == "::1");
  CHECK(parse_url("http://[::1]:8080/x").address.port == "8080");
  CHECK(with_query(parse_url("http://host/logs"), "a=b").text() == "http://host/logs?a=b");
  CHECK(with_query(parse_url("http://host/logs?x=y"), "a=b").text() == "http://host/logs?x=y&a=b");
}

TEST_CASE("references are resolved as in RFC 3986, 5.4") {
  const maintner::Url base = parse_url("http://a/b/c/d;p?q");
  const auto at = [&](const char* reference) { return resolve(base, reference).text(); };
  CHECK(at("g") == "http://a/b/c/g");
  CHECK(at("./g") == "http://a/b/c/g");
  CHECK(at("g/") == "http://a/b/c/g/");
  CHECK(at("/g") == "http://a/g");
  CHECK(at("//g") == "http://g/");
  CHECK(at("?y") == "http://a/b/c/d;p?y");
  CHECK(at("g?y") == "http://a/b/c/g?y");
  CHECK(at("#s") == "http://a/b/c/d;p?q");
  CHECK(at("") == "http://a/b/c/d;p?q");
  CHECK(at(".") == "http://a/b/c/");
  CHECK(at("..") == "http://a/b/");
  CHECK(at("../g") == "http://a/b/g");
  CHECK(at("../../../g") == "http://a/g");
  CHECK(at("/./g") == "http://a/g");
  CHECK(at("g.") == "http://a/b/c/g.");
  CHECK(at("..g") == "http://a/b/c/..g");
  CHECK(at("./g/.") == "http://a/b/c/g/");
  CHECK(at("g?y/../x") == "http://a/b/c/g?y/../x");
  CHECK(at("https://x:1/y") == "https://x:1/y");
  CHECK_THROWS_AS(at("mailto:x"), std::invalid_argument);
}
