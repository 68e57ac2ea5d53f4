#include <doctest/doctest.h>
#include <io/http1.h>

#include <string>

using namespace io;

namespace {

// The status a whole request head is refused with; 0 if it is accepted, framing included.
int refusal(std::string_view bytes, HeadLimits limits = {}) {
  try {
    HeadScanner scanner(limits);
    const auto size = scanner.scan(bytes);
    if (!size) return -1;
    framing_of(parse_request_head(bytes.substr(0, *size), limits));
    return 0;
  } catch (const HttpError& error) {
    return error.status();
  }
}

// The same for the parser alone, which must not rely on the scanner having looked.
int parser_refusal(std::string_view bytes) {
  try {
    framing_of(parse_request_head(bytes));
    return 0;
  } catch (const HttpError& error) {
    return error.status();
  }
}

int response_refusal(std::string_view bytes) {
  try {
    framing_of(parse_response_head(bytes), "GET");
    return 0;
  } catch (const HttpError& error) {
    return error.status();
  }
}

struct Decoded {
  std::string data;
  Fields trailers;
  bool done = false;
  bool refused = false;
  std::string rest;
};

Decoded decode(std::string_view bytes, std::size_t step, ChunkLimits limits = {}) {
  Decoded result;
  ChunkDecoder decoder(limits);
  try {
    std::size_t position = 0;
    while (position < bytes.size() && !decoder.done()) {
      const ChunkDecoder::Step got = decoder.feed(bytes.substr(position, step));
      REQUIRE((got.consumed > 0));
      position += got.consumed;
      result.data += got.data;
    }
    result.rest = bytes.substr(position);
    result.done = decoder.done();
    result.trailers = decoder.trailers();
  } catch (const HttpError& error) {
    CHECK(error.status() == 400);
    result.refused = true;
  }
  return result;
}

std::string many_lines(std::size_t count) {
  std::string head = "GET / HTTP/1.1\r\nHost: h\r\n";
  for (std::size_t i = 0; i < count; ++i) head += "a: b\r\n";
  return head + "\r\n";
}

}  // namespace

TEST_CASE("a request head is taken apart") {
  const RequestHead head = parse_request_head(
      "POST /exec?mode=sys HTTP/1.1\r\nHost: \r\nX-A:  one \t\r\nx-a: two\r\nCookie: a=b; c\xc3\xa9\r\n\r\n");
  CHECK(head.method == "POST");
  CHECK(head.target == "/exec?mode=sys");
  CHECK(head.major == 1);
  CHECK(head.minor == 1);
  REQUIRE(head.fields.has("host"));
  CHECK(head.fields.get("host").empty());
  CHECK(head.fields.values("X-a") == std::vector<std::string>{"one", "two"});
  CHECK(head.fields.get("Cookie") == "a=b; c\xc3\xa9");
  CHECK(framing_of(head).kind == BodyFraming::Kind::none);
}

TEST_CASE("a response head is taken apart, also the one the original sends for 101") {
  const ResponseHead bare = parse_response_head("HTTP/0.0 101 Switching Protocols\r\n\r\n");
  CHECK(bare.status == 101);
  CHECK(bare.major == 0);
  CHECK(bare.reason == "Switching Protocols");
  CHECK(bare.fields.empty());
  CHECK(serialize(bare) == "HTTP/0.0 101 Switching Protocols\r\n\r\n");
  CHECK_FALSE(keeps_alive(bare));
  CHECK(parse_response_head("HTTP/1.1 200\r\n\r\n").status == 200);
  CHECK(parse_response_head("HTTP/1.1 404 \r\n\r\n").reason.empty());
  CHECK(parse_response_head("HTTP/1.1 404 Not Found: x\r\n\r\n").reason == "Not Found: x");
}

TEST_CASE("hostile request heads are refused, harmless oddities are not") {
  struct Case {
    std::string what;
    std::string bytes;
    int status;
  };
  const std::string get = "GET / HTTP/1.1\r\nHost: h\r\n";
  const std::string post = "POST / HTTP/1.1\r\nHost: h\r\n";
  const Case cases[] = {
      {"plain", get + "\r\n", 0},
      {"empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 0},
      {"empty value", get + "A:\r\n\r\n", 0},
      {"tab in a value", get + "A: b\tc\r\n\r\n", 0},
      {"identical lengths", post + "Content-Length: 3\r\nContent-Length: 3\r\n\r\n", 0},
      {"length zero", post + "Content-Length: 0\r\n\r\n", 0},
      {"chunked in another case", post + "transfer-encoding: CHUNKED\r\n\r\n", 0},
      {"huge length", post + "Content-Length: 999999999999999999\r\n\r\n", 0},
      {"unfinished", get, -1},
      {"empty line first", "\r\n" + get + "\r\n", 400},
      {"garbage", "GARBAGE\r\n\r\n", 400},
      {"no version", "GET /\r\n\r\n", 400},
      {"two spaces", "GET  / HTTP/1.1\r\n\r\n", 400},
      {"space in the target", "GET /a b HTTP/1.1\r\n\r\n", 400},
      {"space before the method", " GET / HTTP/1.1\r\n\r\n", 400},
      {"lower-case version", "GET / http/1.1\r\n\r\n", 400},
      {"version with three digits", "GET / HTTP/1.10\r\n\r\n", 400},
      {"version 2", "PRI * HTTP/2.0\r\n\r\n", 505},
      {"version 0", "GET / HTTP/0.9\r\n\r\n", 505},
      {"method with a control character", "G\x01T / HTTP/1.1\r\n\r\n", 400},
      {"method with a comma", "GE,T / HTTP/1.1\r\n\r\n", 400},
      {"bare LF after the request line", "GET / HTTP/1.1\nHost: h\r\n\r\n", 400},
      {"bare LF only", "GET / HTTP/1.1\nHost: h\n\n", 400},
      {"bare LF in a value", get + "A: b\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"bare CR in a value", get + "A: b\rTransfer-Encoding: chunked\r\n\r\n", 400},
      {"CR CR LF", get + "A: b\r\r\n\r\n", 400},
      {"NUL in a value", get + std::string("A: b\0c\r\n\r\n", 10), 400},
      {"NUL in a name", get + std::string("A\0b: c\r\n\r\n", 10), 400},
      {"NUL in the target", std::string("GET /\0 HTTP/1.1\r\n\r\n", 19), 400},
      {"DEL in a value", get + "A: b\x7f\r\n\r\n", 400},
      {"escape in a value", get + "A: \x1b[31m\r\n\r\n", 400},
      {"folded field", get + "A: b\r\n c\r\n\r\n", 400},
      {"folded field with a tab", get + "A: b\r\n\tc\r\n\r\n", 400},
      {"first field folded", "GET / HTTP/1.1\r\n Host: h\r\n\r\n", 400},
      {"space before the colon", post + "Content-Length : 3\r\n\r\n", 400},
      {"tab before the colon", post + "Transfer-Encoding\t: chunked\r\n\r\n", 400},
      {"no colon", get + "Host\r\n\r\n", 400},
      {"no name", get + ": a\r\n\r\n", 400},
      {"name with a slash", get + "a/b: c\r\n\r\n", 400},
      {"name with UTF-8", get + "\xc3\xa9: c\r\n\r\n", 400},
      {"length and chunked", post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"chunked and length", post + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400},
      {"different lengths", post + "Content-Length: 3\r\nContent-Length: 4\r\n\r\n", 400},
      {"same length in two forms", post + "Content-Length: 3\r\nContent-Length: 03\r\n\r\n", 400},
      {"list of lengths", post + "Content-Length: 3, 3\r\n\r\n", 400},
      {"negative length", post + "Content-Length: -1\r\n\r\n", 400},
      {"length with a plus", post + "Content-Length: +1\r\n\r\n", 400},
      {"hexadecimal length", post + "Content-Length: 0x10\r\n\r\n", 400},
      {"empty length", post + "Content-Length: \r\n\r\n", 400},
      {"length with text", post + "Content-Length: 3 bytes\r\n\r\n", 400},
      {"length over 64 bits", post + "Content-Length: 18446744073709551617\r\n\r\n", 400},
      {"xchunked", post + "Transfer-Encoding: xchunked\r\n\r\n", 501},
      {"chunked with a vertical tab",
       post + "Transfer-Encoding: \x0b"
              "chunked\r\n\r\n",
       400},
      {"quoted chunked", post + "Transfer-Encoding: \"chunked\"\r\n\r\n", 501},
      {"gzip, chunked", post + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
      {"chunked, identity", post + "Transfer-Encoding: chunked, identity\r\n\r\n", 501},
      {"empty coding", post + "Transfer-Encoding:\r\n\r\n", 501},
      {"chunked twice", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"chunked, then identity", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", 400},
      {"chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"127 more fields", many_lines(127), 0},
      {"128 more fields", many_lines(128), 431},
      {"a million fields", many_lines(1'000'000), 431},
      {"a long line", get + "A: " + std::string(70'000, 'b') + "\r\n\r\n", 431},
      {"a long target", "GET /" + std::string(70'000, 'b'), 431},
  };
  for (const Case& each : cases) {
    CAPTURE(each.what);
    CHECK(refusal(each.bytes) == each.status);
    if (each.status == 400 || each.status == 501 || each.status == 505)
      CHECK(parser_refusal(each.bytes) == each.status);
  }
}

TEST_CASE("the scanner finds the end of a head however it is cut, and refuses as early as it can") {
  const std::string head = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
  const std::string all = head + "body\r\n\r\n";
  HeadScanner scanner;
  for (std::size_t i = 0; i < head.size(); ++i) REQUIRE_FALSE(scanner.scan(std::string_view(all).substr(0, i)));
  CHECK(scanner.scan(std::string_view(all).substr(0, head.size())) == head.size());
  scanner.reset();
  CHECK(scanner.scan(all) == head.size());
  HeadScanner exact({.max_bytes = head.size()});
  CHECK(exact.scan(all) == head.size());
  HeadScanner small({.max_bytes = head.size() - 1});
  CHECK_THROWS_AS(small.scan(all), HttpError);
  HeadScanner early;
  CHECK_THROWS_AS(early.scan("GET / HTTP/1.1\n"), HttpError);
  HeadScanner tls;
  CHECK_THROWS_AS(tls.scan("\x16\x03\x01"), HttpError);
}

TEST_CASE("hostile response heads are refused") {
  struct Case {
    std::string what;
    std::string bytes;
    int status;
  };
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  const Case cases[] = {
      {"plain", ok + "\r\n", 0},
      {"chunked", ok + "Transfer-Encoding: chunked\r\n\r\n", 0},
      {"version 2", "HTTP/2.0 200 OK\r\n\r\n", 502},
      {"not HTTP", "SSH-2.0-OpenSSH\r\n\r\n", 502},
      {"no status", "HTTP/1.1\r\n\r\n", 502},
      {"short status", "HTTP/1.1 20\r\n\r\n", 502},
      {"long status", "HTTP/1.1 2000 OK\r\n\r\n", 502},
      {"negative status", "HTTP/1.1 -20 OK\r\n\r\n", 502},
      {"status below 100", "HTTP/1.1 099 OK\r\n\r\n", 502},
      {"status with letters", "HTTP/1.1 2x0 OK\r\n\r\n", 502},
      {"control character in the reason", "HTTP/1.1 200 O\x01K\r\n\r\n", 502},
      {"length and chunked", ok + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 502},
      {"different lengths", ok + "Content-Length: 3\r\nContent-Length: 4\r\n\r\n", 502},
      {"negative length", ok + "Content-Length: -3\r\n\r\n", 502},
      {"xchunked", ok + "Transfer-Encoding: xchunked\r\n\r\n", 502},
      {"chunked in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 502},
      {"folded field", ok + "A: b\r\n c\r\n\r\n", 502},
      {"space before the colon", ok + "A : b\r\n\r\n", 502},
      {"bare LF", ok + "A: b\nC: d\r\n\r\n", 502},
      {"NUL", ok + std::string("A: \0\r\n\r\n", 8), 502},
      {"unfinished", ok, 502},
      {"a million fields", "HTTP/1.1 200 OK\r\n" + many_lines(1'000'000).substr(16), 502},
  };
  for (const Case& each : cases) {
    CAPTURE(each.what);
    CHECK(response_refusal(each.bytes) == each.status);
  }
}

TEST_CASE("the framing of an answer depends on the request and the status") {
  using Kind = BodyFraming::Kind;
  const auto kind = [](const std::string& bytes, std::string_view method) {
    return framing_of(parse_response_head(bytes), method).kind;
  };
  const std::string length = "Content-Length: 7\r\n\r\n";
  CHECK(kind("HTTP/1.1 200 OK\r\n" + length, "GET") == Kind::length);
  CHECK(kind("HTTP/1.1 200 OK\r\n" + length, "HEAD") == Kind::none);
  CHECK(kind("HTTP/1.1 304 Not Modified\r\n" + length, "GET") == Kind::none);
  CHECK(kind("HTTP/1.1 204 No Content\r\n\r\n", "GET") == Kind::none);
  CHECK(kind("HTTP/1.1 101 Switching Protocols\r\n\r\n", "GET") == Kind::none);
  CHECK(kind("HTTP/1.1 200 OK\r\n\r\n", "GET") == Kind::until_close);
  CHECK(kind("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "GET") == Kind::none);
}

TEST_CASE("heads are written as they are and never with a line too many") {
  RequestHead request{.method = "PUT", .target = "/a?b", .fields = {}};
  request.fields.add("Host", "");
  request.fields.add("X-A", "b c");
  CHECK(serialize(request) == "PUT /a?b HTTP/1.1\r\nHost: \r\nX-A: b c\r\n\r\n");
  ResponseHead response{.status = 422, .reason = {}, .fields = {}};
  CHECK(serialize(response) == "HTTP/1.1 422 Unprocessable Entity\r\n\r\n");

  for (const std::string value : {"a\r\nB: c", "a\nb", "a\rb", " a", "a ", "\x01"}) {
    CAPTURE(value);
    ResponseHead bad;
    bad.fields.add("A", value);
    CHECK_THROWS_AS(serialize(bad), std::invalid_argument);
  }
  for (const char* name : {"", "A b", "A:", "A\r\n"}) {
    ResponseHead bad;
    bad.fields.add(name, "b");
    CHECK_THROWS_AS(serialize(bad), std::invalid_argument);
    Fields trailers;
    trailers.add(name, "b");
    CHECK_THROWS_AS(last_chunk(trailers), std::invalid_argument);
  }
  for (const char* target : {"", "/a b", "/a\r\nHost: x", "/\x7f"})
    CHECK_THROWS_AS(serialize(RequestHead{.target = target, .fields = {}}), std::invalid_argument);
  CHECK_THROWS_AS(serialize(RequestHead{.method = "G T", .fields = {}}), std::invalid_argument);
  CHECK_THROWS_AS(serialize(ResponseHead{.status = 99, .reason = {}, .fields = {}}), std::invalid_argument);
  CHECK_THROWS_AS(serialize(ResponseHead{.reason = "a\r\nb", .fields = {}}), std::invalid_argument);
}

TEST_CASE("fields are found without regard to case and keep their order") {
  Fields fields;
  fields.add("B", "1");
  fields.add("a", "2");
  fields.add("b", "3");
  fields.set("B", "4");
  fields.set("C", "5");
  CHECK(fields.values("b") == std::vector<std::string>{"4"});
  CHECK(fields.size() == 3);
  CHECK(fields.begin()->name == "B");
  fields.remove("A");
  CHECK_FALSE(fields.has("a"));
  fields.add("Connection", "keep-alive, Close");
  CHECK(fields.has_token("connection", "close"));
  CHECK(fields.has_token("connection", "keep-alive"));
  CHECK_FALSE(fields.has_token("connection", "clos"));
}

TEST_CASE("who keeps a connection open") {
  const auto keeps = [](const std::string& text) { return keeps_alive(parse_request_head(text)); };
  CHECK(keeps("GET / HTTP/1.1\r\n\r\n"));
  CHECK_FALSE(keeps("GET / HTTP/1.1\r\nConnection: close\r\n\r\n"));
  CHECK_FALSE(keeps("GET / HTTP/1.1\r\nConnection: upgrade, CLOSE\r\n\r\n"));
  CHECK_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
  CHECK(keeps("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
}

TEST_CASE("a chunked body is the same however it is cut") {
  const std::string body =
      "5\r\nhello\r\n1;a=b;c=\"d\"\r\n,\r\n00006\r\n world\r\n0;last\r\nProcess-State: ok\r\nX: \r\n\r\nGET /";
  for (std::size_t step = 1; step <= body.size(); ++step) {
    CAPTURE(step);
    const Decoded got = decode(body, step);
    CHECK_FALSE(got.refused);
    CHECK(got.done);
    CHECK(got.data == "hello, world");
    CHECK(got.trailers.size() == 2);
    CHECK(got.trailers.get("process-state") == "ok");
    CHECK(got.rest == "GET /");
  }
}

TEST_CASE("hostile chunked bodies are refused however they are cut") {
  struct Case {
    std::string what;
    std::string bytes;
  };
  const Case cases[] = {
      {"no size", "\r\nhello"},
      {"no size but an extension", ";a\r\nhello\r\n"},
      {"negative size", "-5\r\nhello\r\n"},
      {"size with a plus", "+5\r\nhello\r\n"},
      {"size with 0x", "0x5\r\nhello\r\n"},
      {"size with a space", "5 \r\nhello\r\n"},
      {"size after a space", " 5\r\nhello\r\n"},
      {"size not hexadecimal", "g\r\nhello\r\n"},
      {"size over 64 bits", "10000000000000005\r\nhello\r\n"},
      {"size of all ones", "ffffffffffffffff\r\nhello\r\n"},
      {"size with many zeros", std::string(100, '0') + "5\r\nhello\r\n"},
      {"bare LF after the size", "5\nhello\r\n"},
      {"bare CR after the size", "5\rhello\r\n0\r\n\r\n"},
      {"bare LF in an extension", "5;a\nb\r\nhello\r\n"},
      {"bare CR in an extension", "5;a\rb\r\nhello\r\n"},
      {"NUL in an extension", std::string("5;\0\r\nhello\r\n", 12)},
      {"data longer than its size", "5\r\nhello!\r\n0\r\n\r\n"},
      {"data followed by a bare LF", "5\r\nhello\n0\r\n\r\n"},
      {"data followed by CR and something", "5\r\nhello\rX0\r\n\r\n"},
      {"endless extension", "5;" + std::string(2000, 'a')},
      {"endless size line", std::string(2000, '0')},
      {"trailer without a colon", "0\r\nabc\r\n\r\n"},
      {"folded trailer", "0\r\nA: b\r\n c\r\n\r\n"},
      {"trailer with a space before the colon", "0\r\nA : b\r\n\r\n"},
      {"trailer with a bare LF", "0\r\nA: b\n\r\n"},
      {"trailer with NUL", std::string("0\r\nA: \0\r\n\r\n", 11)},
      {"endless trailer", "0\r\nA: " + std::string(20'000, 'b')},
      {"bare LF instead of the last line", "0\r\n\n"},
  };
  for (const Case& each : cases) {
    CAPTURE(each.what);
    for (const std::size_t step : {std::size_t{1}, std::size_t{3}, each.bytes.size()})
      CHECK(decode(each.bytes, step).refused);
  }
  std::string trailers = "0\r\n";
  for (int i = 0; i < 65; ++i) trailers += "A: b\r\n";
  CHECK(decode(trailers + "\r\n", 1000).refused);
  trailers = "0\r\n";
  for (int i = 0; i < 60; ++i) trailers += "A: " + std::string(300, 'b') + "\r\n";
  CHECK(decode(trailers + "\r\n", 1000).refused);
}

TEST_CASE("a body that ends too early is not done") {
  for (const std::string bytes :
       {"5", "5\r\n", "5\r\nhell", "5\r\nhello", "5\r\nhello\r\n", "0\r\n", "0\r\nA: b\r\n"}) {
    CAPTURE(bytes);
    const Decoded got = decode(bytes, 1);
    CHECK_FALSE(got.refused);
    CHECK_FALSE(got.done);
  }
}

TEST_CASE("chunks that are written are read back") {
  std::string body;
  for (const std::size_t size : {1u, 15u, 16u, 255u, 4096u})
    body += chunk_header(size) + std::string(size, 'x') + "\r\n";
  Fields trailers;
  trailers.add("Process-State", "exit status 3");
  body += last_chunk(trailers);
  const Decoded got = decode(body, 1000);
  CHECK(got.done);
  CHECK(got.data.size() == 1 + 15 + 16 + 255 + 4096);
  CHECK(got.trailers.get("Process-State") == "exit status 3");
  CHECK(chunk_header(0x32) == "32\r\n");
  CHECK(last_chunk() == "0\r\n\r\n");
}

TEST_CASE("percent-encoding goes both ways") {
  CHECK(percent_decode("a%20b%2Fc+d") == "a b/c+d");
  CHECK(percent_decode("a+b", Plus::space) == "a b");
  CHECK(percent_decode("%00") == std::string(1, '\0'));
  for (const char* bad : {"%", "%4", "%zz", "a%2", "%-1", "% 1"}) CHECK_FALSE(percent_decode(bad));
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  CHECK(percent_decode(percent_encode(all)) == all);
  CHECK(percent_encode("a b/~") == "a%20b%2F~");
}

TEST_CASE("queries are taken apart as the original does") {
  const Params params = parse_query("cmd=%2Fbin%2Fecho&cmdArg=two+words&cmdArg=&flag&=x&&a;b=c&bad=%zz&last=1=2");
  CHECK(params.get("cmd") == "/bin/echo");
  CHECK(params.all("cmdArg") == std::vector<std::string>{"two words", ""});
  CHECK(params.has("flag"));
  CHECK(params.get("") == "x");
  CHECK_FALSE(params.has("bad"));
  CHECK(params.get("last") == "1=2");
  CHECK(params.size() == 6);
  CHECK(parse_query("a&b&c&d", 2).size() == 2);
  CHECK(parse_query("").size() == 0);
  Params made;
  made.add("a b", "c&d");
  made.add("e", "");
  CHECK(made.encode() == "a+b=c%26d&e=");
}

TEST_CASE("dates are written in the form of RFC 9110") {
  CHECK(http_date(std::chrono::sys_seconds{std::chrono::seconds{784111777}}) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(http_date(std::chrono::sys_seconds{}) == "Thu, 01 Jan 1970 00:00:00 GMT");
}
