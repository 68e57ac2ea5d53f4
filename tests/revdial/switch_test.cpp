#include <revdial/switch.h>

#include "harness.h"

#include <string>
#include <vector>

using namespace revdial;
using namespace std::chrono_literals;
using testing::World;

namespace {

constexpr const char* kRequest = "GET /revdial?id=1 HTTP/1.1\r\nHost: \r\nUser-Agent: Go-http-client/1.1\r\n\r\n";

struct Exchange {
  World world;
  io::StreamPair pair = io::make_memory_pair(world.executor());
  testing::Peer server{world, std::move(pair.second)};
  testing::Running<io::StreamPtr> client =
      world.start(switch_protocols(std::move(pair.first), switch_request("/revdial?id=1"), world.clock, 30s));
};

std::string redirect(const std::string& location, const std::string& more = "Content-Length: 3\r\n\r\nabc") {
  return "HTTP/1.1 307 Temporary Redirect\r\nLocation: " + location + "\r\n" + more;
}

}  // namespace

TEST_CASE("the request has the original's bytes, and every byte after the 101 is kept") {
  for (const std::string answer :
       {"HTTP/0.0 101 Switching Protocols\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"}) {
    CAPTURE(answer);
    Exchange exchange;
    CHECK(exchange.server.take() == kRequest);
    exchange.server.send(answer + "{\"command\":\"keep-alive\"}\nmore");
    io::StreamPtr stream = std::move(exchange.client.value());
    CHECK(testing::read_ready(exchange.world, *stream) == "{\"command\":\"keep-alive\"}\nmore");
    exchange.server.send("later");
    CHECK(testing::read_ready(exchange.world, *stream) == "later");
    CHECK_FALSE(exchange.server.saw_end());
  }
}

TEST_CASE("an answer that comes byte by byte is the same answer") {
  Exchange exchange;
  for (const char c : std::string(kSwitchResponse)) {
    CHECK_FALSE(exchange.client.done());
    exchange.server.send(std::string(1, c));
  }
  CHECK(exchange.client.value() != nullptr);
}

TEST_CASE("one redirect is followed on the same connection") {
  const std::vector<std::string> bodies{
      "Content-Length: 3\r\n\r\nabc",
      "Content-Length: 0\r\n\r\n",
      "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
      "Content-Length: 65536\r\n\r\n" + std::string(65536, 'b'),
  };
  for (const std::string& body : bodies) {
    Exchange exchange;
    exchange.server.take();
    exchange.server.send(redirect("/other?id=2", body));
    CHECK(exchange.server.take() == "GET /other?id=2 HTTP/1.1\r\nHost: \r\nUser-Agent: Go-http-client/1.1\r\n\r\n");
    exchange.server.send(std::string(kSwitchResponse) + "surplus");
    io::StreamPtr stream = std::move(exchange.client.value());
    CHECK(testing::read_ready(exchange.world, *stream) == "surplus");
  }
}

TEST_CASE("a second redirect is one too many, also to where it all began") {
  Exchange exchange;
  exchange.server.send(redirect("/other"));
  exchange.server.send(redirect("/revdial?id=1"));
  CHECK_THROWS_AS(exchange.client.value(), TooManyRedirects);
  CHECK(exchange.client.error() == "too many redirects");
  CHECK(exchange.server.saw_end());
}

TEST_CASE("an answer that is no switch is an error with the original's text, and the connection is closed") {
  struct Case {
    std::string answer;
    int status;
    std::string text;
  };
  const std::vector<Case> cases{
      {"HTTP/1.1 400 Bad Request\r\nContent-Length: 15\r\n\r\nunknown dialer\n", 400,
       "want HTTP status 101 or 307; got 400 Bad Request:\n\tunknown dialer\n"},
      {"HTTP/1.1 412 Precondition Failed\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 412,
       "want HTTP status 101 or 307; got 412 Precondition Failed:\n\tabc"},
      {"HTTP/1.1 200 OK\r\n\r\nuntil the end", 200, "want HTTP status 101 or 307; got 200 OK:\n\tuntil the end"},
      {"HTTP/1.1 500 X\r\nContent-Length: 100\r\n\r\ncut", 500, "want HTTP status 101 or 307; got 500 X:\n\tcut"},
      {"HTTP/1.1 500 X\r\nContent-Length: 9999999999\r\n\r\n" + std::string(10'000, 'e'), 500,
       "want HTTP status 101 or 307; got 500 X:\n\t" + std::string(4096, 'e')},
      {redirect("https://other.example/revdial"), 307,
       "redirect Location must be relative: URL \"https://other.example/revdial\" is not relative: contains scheme"},
      {redirect("mailto:x"), 307,
       "redirect Location must be relative: URL \"mailto:x\" is not relative: contains scheme"},
      {redirect("//host/x"), 307,
       "redirect Location must be relative: URL \"//host/x\" is not relative: contains host"},
      {redirect("other"), 307, "redirect Location must be relative: URL \"other\" is not a path"},
      {redirect("/a b"), 307, "redirect Location must be relative: URL \"/a b\" is not a path"},
      {redirect("/\xc3\xbc"), 307, "redirect Location must be relative: URL \"/\\xc3\\xbc\" is not a path"},
      {redirect("/" + std::string(2048, 'p')), 307,
       "redirect Location must be relative: URL \"/" + std::string(2048, 'p') + "\" is not a path"},
      {redirect(""), 307, "redirect missing Location header"},
      {"HTTP/1.1 307 Temporary Redirect\r\nContent-Length: 0\r\n\r\n", 307, "redirect missing Location header"},
      {redirect("/x", "Content-Length: 65537\r\n\r\n" + std::string(65537, 'b')), 307,
       "redirect cannot be followed: the connection is not kept open after it"},
      {redirect("/x", "\r\n"), 307, "redirect cannot be followed: the connection is not kept open after it"},
      {redirect("/x", "Connection: close\r\nContent-Length: 0\r\n\r\n"), 307,
       "redirect cannot be followed: the connection is not kept open after it"},
      {"", 0, "error reading response: unexpected EOF"},
      {"HTTP/1.1 101 Switching", 0, "error reading response: unexpected EOF"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.answer.substr(0, 100));
    Exchange exchange;
    exchange.server.send(c.answer);
    exchange.server.end();
    CHECK(exchange.client.error() == c.text);
    try {
      exchange.client.value();
    } catch (const SwitchError& error) {
      CHECK(error.status() == c.status);
    }
    CHECK(exchange.server.saw_end());
  }
}

TEST_CASE("an answer that is not HTTP is an error, however it goes on") {
  for (const std::string& answer : {std::string("SSH-2.0-OpenSSH_9.2\r\n\r\n"), std::string("HTTP/1.1 101 X\nA: b\n\n"),
                                    std::string("HTTP/1.1 xx\r\n\r\n"), std::string("\0\0\0\0", 4),
                                    "HTTP/1.1 101 X\r\nA: " + std::string(100'000, 'a')}) {
    CAPTURE(answer.substr(0, 40));
    Exchange exchange;
    exchange.server.send(answer);
    CHECK_THROWS_AS(exchange.client.value(), SwitchError);
    CHECK(exchange.client.error().starts_with("error reading response: "));
    CHECK(exchange.server.saw_end());
  }
}

TEST_CASE("the whole exchange has one time limit") {
  Exchange exchange;
  exchange.world.advance(20s);
  exchange.server.send(redirect("/x"));
  exchange.world.advance(9s);
  CHECK_FALSE(exchange.client.done());
  exchange.world.advance(1s);
  CHECK(exchange.client.error() == "no answer within 30 s");
  CHECK(exchange.server.saw_end());
}

TEST_CASE("a refusal whose body does not come is told when the time is over") {
  Exchange exchange;
  exchange.server.send("HTTP/1.1 503 Busy\r\nContent-Length: 10\r\n\r\nso");
  exchange.world.advance(30s);
  CHECK(exchange.client.error() == "want HTTP status 101 or 307; got 503 Busy:\n\tso");
}

TEST_CASE("a switch that is cancelled closes its connection") {
  Exchange exchange;
  exchange.client.cancel();
  CHECK(exchange.server.saw_end());
  CHECK(exchange.client.was_cancelled());
}
