#include <revdial/control.h>

#include "harness.h"

#include <string>
#include <vector>

using namespace revdial;
using testing::World;

TEST_CASE("a control line is understood whatever the order, case and company of its keys") {
  struct Case {
    std::string line;
    ControlMessage expected;
  };
  const std::vector<Case> cases{
      {R"({"command":"keep-alive"})", {"keep-alive", "", ""}},
      {R"({"command":"conn-ready","connPath":"/revdial?a=1&b=2"})", {"conn-ready", "/revdial?a=1&b=2", ""}},
      {R"({"connPath":"/x?a=1\u0026b=2","command":"conn-ready"})", {"conn-ready", "/x?a=1&b=2", ""}},
      {R"({"COMMAND":"pickup-failed","connpath":"/p","ERR":"no"})", {"pickup-failed", "/p", "no"}},
      {R"({"command":"x","command":"y"})", {"y", "", ""}},
      {R"({"command":null,"err":"e"})", {"", "", "e"}},
      {R"({"command":"a","other":{"command":"b"},"n":[1,2.5e3,true]})", {"a", "", ""}},
      {" {\t\"command\" : \"keep-alive\" } \r", {"keep-alive", "", ""}},
      {"{}", {}},
      {R"({"command":"\u00fc\n\"\\"})", {"ü\n\"\\", "", ""}},
      {"{\"err\":\"a\xff"
       "b\xc3\"}",
       {"", "",
        "a\uFFFD"
        "b\uFFFD"}},
  };
  for (const Case& c : cases) {
    CAPTURE(c.line);
    CHECK(parse_control_line(c.line) == c.expected);
  }
}

TEST_CASE("a control line that is not one object with strings is refused") {
  const std::vector<std::string> lines{
      "",
      " ",
      "null",
      "[]",
      "\"keep-alive\"",
      "{",
      "{\"command\":\"keep-alive\"",
      "{\"command\":\"keep-alive\"}}",
      "{\"command\":\"keep-alive\"} {}",
      "{\"command\":3}",
      "{\"err\":[\"x\"]}",
      "{\"connPath\":{}}",
      "{'command':'x'}",
      "{\"command\":\"a\nb\"}",
      std::string("{\"command\":\"x\"}\0", 16),
      "{\"command\":\"\\ud800\"}",
      "GET / HTTP/1.1\r",
      std::string(4000, '['),
      "{\"x\":" + std::string(4000, '['),
  };
  for (const std::string& line : lines) {
    CAPTURE(line);
    CHECK_THROWS_AS(parse_control_line(line), ControlError);
  }
}

TEST_CASE("messages are written as the original's encoder writes them") {
  CHECK(serialize_control({"keep-alive", "", ""}) == "{\"command\":\"keep-alive\"}\n");
  CHECK(serialize_control({"conn-ready", "/revdial?a=1&revdial.dialer=0f", ""}) ==
        "{\"command\":\"conn-ready\",\"connPath\":\"/revdial?a=1\\u0026revdial.dialer=0f\"}\n");
  CHECK(serialize_control({"pickup-failed", "/p", "<a> \"b\" \\ \n\t\r\x01 ü\u2028"}) ==
        "{\"command\":\"pickup-failed\",\"connPath\":\"/p\",\"err\":\"\\u003ca\\u003e \\\"b\\\" \\\\ "
        "\\n\\t\\r\\u0001 ü\\u2028\"}\n");
  CHECK(serialize_control({"pickup-failed", "", "bad \xff"}) ==
        "{\"command\":\"pickup-failed\",\"err\":\"bad \uFFFD\"}\n");
}

TEST_CASE("a text that is too long for a line is cut between characters and stays readable") {
  for (const std::string piece : {"x", "ü", "\u20ac", "\xF0\x9F\x98\x80", "&", "\x01", "\xff", "a&ü"}) {
    CAPTURE(piece);
    std::string err;
    while (err.size() < 10'000) err += piece;
    const std::string line = serialize_control({"pickup-failed", "/revdial", err});
    CHECK(line.size() <= kMaxControlLine);
    CHECK(line.size() > kMaxControlLine - 16);
    const ControlMessage read = parse_control_line(line);
    CHECK(read.err.ends_with("..."));
    CHECK(serialize_control(read) == line);
  }
  CHECK(serialize_control({"pickup-failed", "", std::string(4096 - 36, 'x')}).size() == kMaxControlLine);
  CHECK_THROWS_AS(serialize_control({"conn-ready", "/" + std::string(5000, 'x'), ""}), std::length_error);
}

TEST_CASE("a line may have 4096 bytes with its newline and not one more") {
  World world;
  auto [near, far] = io::make_memory_pair(world.executor());
  testing::Peer peer(world, std::move(far));
  LineReader reader(*near);

  const std::string longest(kMaxControlLine - 1, 'a');
  peer.send("one\n\ntw");
  CHECK(world.start(reader.next()).value() == "one");
  CHECK(world.start(reader.next()).value() == "");
  peer.send("o\n" + longest + "\n" + longest + "a\n");
  CHECK(world.start(reader.next()).value() == "two");
  CHECK(world.start(reader.next()).value() == longest);
  auto too_long = world.start(reader.next());
  CHECK_THROWS_AS(too_long.value(), ControlError);
  CHECK(too_long.error() == "a control line is longer than 4096 bytes");
}

TEST_CASE("an endless line is given up after 4096 bytes, without waiting for its end") {
  World world;
  auto [near, far] = io::make_memory_pair(world.executor());
  testing::Peer peer(world, std::move(far));
  LineReader reader(*near);
  auto line = world.start(reader.next());
  peer.send(std::string(kMaxControlLine - 1, 'a'));
  CHECK_FALSE(line.done());
  peer.send("a");
  CHECK_THROWS_AS(line.value(), ControlError);
}

TEST_CASE("the end of the stream is an end after a whole line and an error inside of one") {
  World world;
  for (const bool whole : {true, false}) {
    auto [near, far] = io::make_memory_pair(world.executor());
    testing::Peer peer(world, std::move(far));
    LineReader reader(*near);
    peer.send(whole ? "a\n" : "a\nb");
    peer.end();
    CHECK(world.start(reader.next()).value() == "a");
    auto last = world.start(reader.next());
    if (whole) {
      CHECK(last.value() == std::nullopt);
    } else {
      CHECK(last.error() == "the connection ended in the middle of a control line");
    }
  }
}
