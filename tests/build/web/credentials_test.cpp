// What requests say about their sender: tables of the honest and of the hostile.
#include "credentials.h"

#include <doctest/doctest.h>

namespace build::web {

namespace {

io::Fields fields(std::initializer_list<std::pair<const char*, std::string>> pairs) {
  io::Fields result;
  for (const auto& [name, value] : pairs) result.add(name, value);
  return result;
}

std::string token(const std::string& authorization) {
  return presented_token(fields({{"Authorization", authorization}})).token;
}

}  // namespace

TEST_CASE("a token comes as a bearer's or as the password of HTTP Basic") {
  CHECK(token("Bearer abc123") == "abc123");
  CHECK(token("bearer   abc123 ") == "abc123");
  CHECK(token("Basic OmFiYzEyMw==") == "abc123");
  CHECK(token("Basic bWlhOmFiYzEyMw==") == "abc123");
  CHECK_FALSE(presented_token({}).given);
}

TEST_CASE("what is no token is given, but none") {
  for (const std::string& odd :
       {std::string(), std::string("Bearer"), std::string("Bearer "), std::string("Bearer a b"),
        std::string("Bearer \x80"), std::string("Bearer a\0b", 10), "Bearer " + std::string(201, 'a'),
        std::string("Basic"), std::string("Basic ????"), std::string("Basic bWlh"), std::string("Digest username=mia"),
        std::string("abc123"), std::string("BearerBearer x")}) {
    CAPTURE(odd);
    const Presented presented = presented_token(fields({{"Authorization", odd}}));
    CHECK(presented.given);
    CHECK(presented.token.empty());
  }
  const Presented two = presented_token(fields({{"Authorization", "Bearer a"}, {"Authorization", "Bearer b"}}));
  CHECK(two.given);
  CHECK(two.token.empty());
}

TEST_CASE("a cookie is found by its whole name") {
  const auto value = [](const std::string& line) { return cookie_value(fields({{"Cookie", line}}), "s"); };
  CHECK(value("s=1") == "1");
  CHECK(value("a=0; s=1; s=2") == "1");
  CHECK(value("xs=0;s=1=2") == "1=2");
  CHECK(cookie_value(fields({{"Cookie", "a=0"}, {"Cookie", "s=1"}}), "s") == "1");
  for (const char* none : {"", ";", ";;;", "s", "ss=1", "S=1", "=1", "a=s=1", " ; = ; "})
    CHECK_MESSAGE(value(none).empty(), none);
}

TEST_CASE("a browser's page is our own only if everything says so") {
  const auto sender = [](std::initializer_list<std::pair<const char*, std::string>> pairs) {
    return sender_of(fields(pairs));
  };
  CHECK(sender({{"Host", "farm:80"}}) == Sender::program);
  CHECK(sender({{"Host", "farm:80"}, {"Origin", "http://farm:80"}}) == Sender::own);
  CHECK(sender({{"Host", "Farm"}, {"Origin", "https://farm"}, {"Sec-Fetch-Site", "same-origin"}}) == Sender::own);
  CHECK(sender({{"Host", "farm"}, {"Sec-Fetch-Site", "same-origin"}}) == Sender::own);
  for (const char* origin : {"null", "", "http://evil", "http://farm.evil", "http://farm:81", "http://farm@evil",
                             "farm", "//farm", "ftp://farm", "http://farm/", "http://", "http://evil farm"})
    CHECK_MESSAGE(sender({{"Host", "farm"}, {"Origin", origin}}) == Sender::other, origin);
  for (const char* site : {"cross-site", "same-site", "none", "", "SAME-ORIGIN"})
    CHECK_MESSAGE(sender({{"Host", "farm"}, {"Origin", "http://farm"}, {"Sec-Fetch-Site", site}}) == Sender::other,
                  site);
  CHECK(sender({{"Host", "farm"}, {"Origin", "http://farm"}, {"Origin", "http://evil"}}) == Sender::other);
}

TEST_CASE("this machine is known by its addresses and its own names only") {
  for (const char* peer : {"127.0.0.1:5", "127.8.9.1:5", "[::1]:5", "[::ffff:127.0.0.1]:5"})
    CHECK_MESSAGE(is_loopback_peer(peer), peer);
  for (const char* peer : {"192.0.2.1:5", "[2001:db8::1]:5", "memory", "", "1127.0.0.1:5", "[::11]:5"})
    CHECK_MESSAGE(!is_loopback_peer(peer), peer);
  for (const char* host : {"localhost", "LOCALHOST:80", "127.0.0.1:80", "[::1]:80", "[::1]"})
    CHECK_MESSAGE(is_loopback_host(host), host);
  for (const char* host : {"", "evil.example:80", "localhost.evil", "127.0.0.1.evil", "127.0.0.1@evil", "[::1", "::1"})
    CHECK_MESSAGE(!is_loopback_host(host), host);
}

TEST_CASE("a redirect leads to a path of ours or to the front page") {
  for (const char* path : {"/", "/build/7", "/?repository=a&branch=b%2Fc"}) CHECK(local_path(path) == path);
  for (const std::string& path :
       {std::string(), std::string("//evil"), std::string("/\\evil"), std::string("http://evil"),
        std::string("build/7"), std::string("/a\r\nSet-Cookie: x"), std::string("/a b"), std::string("/\0", 2),
        "/" + std::string(1000, 'a'), std::string("javascript:alert(1)")})
    CHECK(local_path(path) == "/");
}

}  // namespace build::web
