#include <build/buildlet/http_url.h>

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

using namespace build::buildlet;

namespace {

std::string refusal(const std::string& url) {
  try {
    parse_http_url(url);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

std::string redirected(const char* from, const char* location) {
  return redirected_url(parse_http_url(from), location).str();
}

}  // namespace

TEST_CASE("a URL is taken apart") {
  const HttpUrl url = parse_http_url("https://go.dev/dl/x.tar.gz?a=b&c#part");
  CHECK(url.secure);
  CHECK(url.host == "go.dev");
  CHECK(url.port == "443");
  CHECK(url.target == "/dl/x.tar.gz?a=b&c");
  CHECK(url.authority() == "go.dev");
  CHECK(parse_http_url("HTTP://h").str() == "http://h/");
  CHECK(parse_http_url("http://h:8080?q").str() == "http://h:8080/?q");
  CHECK(parse_http_url("http://h:80/").authority() == "h");
  CHECK(parse_http_url("http://[::1]:81/x").authority() == "[::1]:81");
  CHECK(parse_http_url("http://[::1]:81/x").host == "::1");
}

TEST_CASE("what is no URL to fetch is refused") {
  for (const char* bad : {"",
                          "x",
                          "ftp://h/",
                          "file:///etc/passwd",
                          "http:/h",
                          "http://",
                          "http:///x",
                          "http://user@h/",
                          "http://u:p@h/",
                          "http://h:0/",
                          "http://h:65536/",
                          "http://h:8a/",
                          "http://[::1",
                          "http://[1.2.3.4]/",
                          "http://[fe80::1%25lo]/",
                          "http://[::1]x/",
                          "http://h h/",
                          "http://h/a b",
                          "http://h/\r\nX: y",
                          "http://h\\x/",
                          "http://h%2f/",
                          "gopher://h/",
                          "http://h/\x7f",
                          "http://h/\xc3\xa4",
                          "javascript:alert(1)",
                          "http://::1/"}) {
    CAPTURE(bad);
    CHECK(refusal(bad) != "");
  }
  CHECK(refusal("ftp://h/") == "unsupported protocol scheme \"ftp\"");
  CHECK(refusal("http://h/" + std::string(9000, 'x')) == "the URL is longer than 8 KiB");
  CHECK(refusal(std::string("http://h/\0x", 11)) != "");
}

TEST_CASE("redirects lead where their location says") {
  CHECK(redirected("https://h/a/b?q", "c") == "https://h/a/c");
  CHECK(redirected("https://h/a/b?q", "/c?d#e") == "https://h/c?d");
  CHECK(redirected("https://h/a/b?q", "?d") == "https://h/a/b?d");
  CHECK(redirected("https://h/a/b", "//other/x") == "https://other/x");
  CHECK(redirected("https://h/a/b", "http://other:81/x") == "http://other:81/x");
  CHECK_THROWS(redirected("https://h/a", "ftp://other/"));
  CHECK_THROWS(redirected("https://h/a", "/x\r\nHost: y"));
}

TEST_CASE("addresses are judged by what they lead to, however they are written") {
  const auto is = [](AddressKind kind, std::initializer_list<const char*> addresses) {
    for (const char* address : addresses) {
      CAPTURE(address);
      CHECK(kind_of_address(address) == kind);
    }
  };
  is(AddressKind::everybody,
     {"8.8.8.8", "172.32.0.1", "192.0.2.1", "2001:db8::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"});
  is(AddressKind::inside,
     {"127.0.0.1", "127.9.9.9", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "::1",
      "fd12::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:0a00:0001::1", "64:ff9b::10.0.0.1"});
  is(AddressKind::nobody, {"169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::169.254.169.254", "fe80::1",
                           "fd00:ec2::254", "0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "ff02::1",
                           "100.100.100.200", "192.0.0.192", "2002:a9fe:a9fe::", "localhost", ""});
}

TEST_CASE("a server outside chooses nothing inside") {
  const HttpUrl secure = parse_http_url("https://h/"), plain = parse_http_url("http://h/");
  using enum AddressKind;
  CHECK(redirect_objection(plain, everybody, secure, everybody).empty());
  CHECK(redirect_objection(plain, inside, plain, inside).empty());
  CHECK(redirect_objection(plain, inside, plain, everybody).empty());
  CHECK(redirect_objection(plain, everybody, plain, inside) != "");
  CHECK(redirect_objection(secure, inside, plain, inside) == "the redirect gives up encryption");
}
