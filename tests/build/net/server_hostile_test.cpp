// Bytes that no honest client sends. Whatever they are, exactly one answer comes, the connection ends, and nothing
// behind the refused message is taken for a request.
#include "world.h"

using namespace build::net;
using testing::ServerWorld;
using namespace std::chrono_literals;

namespace {

struct Seen {
  int requests = 0;
  int smuggled = 0;
};

io::Task<> count(Seen& seen, Request& request, Response& response) {
  ++seen.requests;
  if (request.path() == "/smuggled") ++seen.smuggled;
  const std::string body = co_await request.body().read_all(1000);
  co_await response.send(200, body);
}

std::size_t answers_in(const std::string& text) {
  std::size_t answers = 0;
  for (std::size_t at = 0; (at = text.find("HTTP/1.", at)) != std::string::npos; ++at) ++answers;
  return answers;
}

}  // namespace

TEST_CASE("a refusal before there is a request looks as the original's") {
  Seen seen;
  ServerWorld world([&](Request& request, Response& response) { return count(seen, request, response); });
  CHECK(world.ask("GARBAGE\r\n\r\n") ==
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad "
        "Request");
  CHECK(world.ask("GET / HTTP/1.1\r\n\r\n") ==
        "HTTP/1.1 400 Bad Request: missing required Host header\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Connection: close\r\n\r\n400 Bad Request: missing required Host header");
  CHECK(world.ask("GET / HTTP/1.1\r\nHost: \r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(seen.requests == 1);
}

TEST_CASE("hostile requests get one answer and end the connection") {
  const std::string post = "POST / HTTP/1.1\r\nHost: h\r\n";
  const std::string smuggled = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
  std::string lines = "GET / HTTP/1.1\r\nHost: h\r\n";
  for (int i = 0; i < 1'000'000; ++i) lines += "a: b\r\n";
  struct Case {
    std::string what;
    std::string bytes;
    const char* status;
  };
  const Case cases[] = {
      {"length and chunked", post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
      {"chunked and length", post + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", "400"},
      {"xchunked", post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "501"},
      {"chunked with a tab before the colon", post + "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n", "400"},
      {"two codings", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n", "400"},
      {"two lengths", post + "Content-Length: 0\r\nContent-Length: 5\r\n\r\n", "400"},
      {"negative length", post + "Content-Length: -5\r\n\r\n", "400"},
      {"length beyond 64 bits", post + "Content-Length: 99999999999999999999\r\n\r\n", "400"},
      {"length too large for the handler", post + "Content-Length: 999999999999999999\r\n\r\n", "413"},
      {"folded length", post + "Content-Length:\r\n 5\r\n\r\n", "400"},
      {"bare LF", "GET / HTTP/1.1\nHost: h\n\n", "400"},
      {"bare LF hiding a field", post + "A: b\nContent-Length: 5\r\n\r\n", "400"},
      {"bare CR hiding a field", post + "A: b\rContent-Length: 5\r\n\r\n", "400"},
      {"NUL", post + std::string("A: \0\r\n\r\n", 8), "400"},
      {"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
      {"host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "400"},
      {"a million lines", lines, "431"},
      {"a head without end", "GET /" + std::string(200'000, 'a'), "431"},
      {"TLS to a plain port", "\x16\x03\x01\x02", "400"},
      {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"},
      {"chunk size beyond 64 bits", post + "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n", "400"},
      {"huge chunk", post + "Transfer-Encoding: chunked\r\n\r\n7ffffffffffffff\r\n" + std::string(2000, 'x'), "413"},
      {"negative chunk", post + "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n", "400"},
      {"chunk with 0x", post + "Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n", "400"},
      {"chunk ended by a bare LF", post + "Transfer-Encoding: chunked\r\n\r\n1\na\n0\n\n", "400"},
      {"chunk longer than its size", post + "Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n", "400"},
      {"extension hiding a line", post + "Transfer-Encoding: chunked\r\n\r\n1;\na\r\na\r\n0\r\n\r\n", "400"},
      {"endless extension", post + "Transfer-Encoding: chunked\r\n\r\n1;" + std::string(5000, 'e'), "400"},
      {"malformed trailer", post + "Transfer-Encoding: chunked\r\n\r\n0\r\nA b\r\n\r\n", "400"},
  };
  for (const Case& each : cases) {
    CAPTURE(each.what);
    Seen seen;
    ServerWorld world([&](Request& request, Response& response) { return count(seen, request, response); });
    auto peer = world.connect();
    peer->send(each.bytes + smuggled);
    world.advance(31s);  // the rest of a body that nobody wants may be waited for
    const std::string answer = peer->take();
    CHECK(answer.substr(0, 13) == std::string("HTTP/1.1 ") + each.status + " ");
    CHECK(answers_in(answer) == 1);
    CHECK(peer->ended());
    CHECK(seen.smuggled == 0);
    CHECK(world.server.connections() == 0);
  }
}

TEST_CASE("odd but honest requests are served, and so is the one behind them") {
  const std::string post = "POST / HTTP/1.1\r\nHost: h\r\n";
  const std::string next = "GET /next HTTP/1.1\r\nHost: h\r\n\r\n";
  for (const std::string& bytes : {
           post + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
           post + "Transfer-Encoding: Chunked\r\n\r\n3;name=\"value\"\r\nabc\r\n000\r\nTransfer-Encoding: x\r\n\r\n",
           std::string("GET / HTTP/1.1\r\nhOST:h\r\nA:\r\n\r\n"),
           std::string("GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, upgrade\r\nUpgrade: x\r\n\r\n"),
       }) {
    CAPTURE(bytes);
    Seen seen;
    ServerWorld world([&](Request& request, Response& response) { return count(seen, request, response); });
    const std::string answer = world.ask(bytes + next);
    CHECK(seen.requests == 2);
    CHECK(answers_in(answer) == 2);
  }
}

TEST_CASE("a connection that ends in the middle of a request is forgotten") {
  Seen seen;
  ServerWorld world([&](Request& request, Response& response) { return count(seen, request, response); });
  const std::string all =
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n";
  for (std::size_t size = 0; size < all.size(); ++size) {
    auto peer = world.connect();
    peer->send(all.substr(0, size));
    peer->close();
    CHECK(world.server.connections() == 0);
  }
}
