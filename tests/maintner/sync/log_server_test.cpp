#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "byte_range.h"
#include "log_world.h"
#include "support/memory_blobs.h"

using namespace maintner;
using namespace std::chrono_literals;
using testing::body_of;
using testing::LogWorld;

namespace {

std::string status_line(const std::string& answer) { return answer.substr(0, answer.find("\r\n")); }

std::string read(std::string_view field, std::uint64_t size) {
  const auto range = parse_range(field, size);
  if (std::holds_alternative<WholeRange>(range)) return "all";
  if (std::holds_alternative<NoOverlap>(range)) return "outside";
  if (std::holds_alternative<BadRange>(range)) return "bad";
  const ByteRange bytes = std::get<ByteRange>(range);
  return std::to_string(bytes.begin) + " to " + std::to_string(bytes.end);
}

}  // namespace

TEST_CASE("ranges are read as Go reads them") {
  CHECK(read("", 10) == "all");
  CHECK(read("bytes=0-0", 10) == "0 to 1");
  CHECK(read("bytes=3-", 10) == "3 to 10");
  CHECK(read("bytes=3-100", 10) == "3 to 10");
  CHECK(read("bytes=3-99999999999999999999", 10) == "3 to 10");
  CHECK(read("bytes= 3 - 4 ", 10) == "3 to 5");
  CHECK(read("bytes=-3", 10) == "7 to 10");
  CHECK(read("bytes=-30", 10) == "0 to 10");
  CHECK(read("bytes=-0", 10) == "outside");
  CHECK(read("bytes=10-", 10) == "outside");
  CHECK(read("bytes=99999999999999999999-", 10) == "outside");
  CHECK(read("bytes=0-", 0) == "all");
  CHECK(read("bytes=0-1,3-4", 10) == "all");
  for (const char* field :
       {"bytes=5-4", "bytes=--5", "bytes=a-", "bytes=1-b", "bytes=1", "bits=0-1", "bytes=-", "bytes=+1-2"}) {
    CAPTURE(field);
    CHECK(read(field, 10) == "bad");
  }
}

TEST_CASE("the index has what there is, from a segment on, and says which are frozen") {
  LogWorld world(100);
  CHECK(body_of(world.get("/logs")) == "[]");
  CHECK(world.get("/logs").find("X-Sum-Segment-Size: 0\r\n") != std::string::npos);
  world.add(std::string(90, 'a'));
  world.add(std::string(80, 'b'));
  const auto list = world.store.segments();
  const std::string first = "\t{\n\t\t\"number\": 0,\n\t\t\"size\": " + std::to_string(list->segments[0].size) +
                            ",\n\t\t\"sha224\": \"" + list->segments[0].sha224 +
                            "\",\n\t\t\"url\": \"/logs/0\",\n\t\t\"frozen\": true\n\t}";
  const std::string second = "\t{\n\t\t\"number\": 1,\n\t\t\"size\": " + std::to_string(list->segments[1].size) +
                             ",\n\t\t\"sha224\": \"" + list->segments[1].sha224 + "\",\n\t\t\"url\": \"/logs/1\"\n\t}";
  CHECK(body_of(world.get("/logs")) == "[\n" + first + ",\n" + second + "\n]");
  CHECK(body_of(world.get("/logs?startseg=1")) == "[\n" + second + "\n]");
  CHECK(body_of(world.get("/logs?startseg=2")) == "[\n" + first + ",\n" + second + "\n]");
  CHECK(world.get("/logs?startseg=1").find("X-Sum-Segment-Size: " + std::to_string(list->segments[1].size) + "\r\n") !=
        std::string::npos);
}

TEST_CASE("frozen segments that lie elsewhere than in files are served, whole and in part") {
  const auto blobs = std::make_shared<testing::MemoryBlobs>();
  LogWorld world(3'000'000, blobs);
  const std::string large(2'500'000, 'x');
  world.add(large);
  world.add(large + "y");
  world.add("z");
  const auto list = world.store.segments();
  REQUIRE(list->segments.size() == 2);
  CHECK(list->segments[0].file.empty());
  CHECK(blobs->list().size() == 1);
  CHECK(world.get("/logs").find(list->segments[0].sha224) != std::string::npos);
  const std::string first = maintner::framed(0, large);
  CHECK(body_of(world.get("/logs/0")) == first);
  CHECK(body_of(world.get("/logs/0", "Range: bytes=2400000-\r\n")) == first.substr(2'400'000));
  CHECK(body_of(world.get("/logs/1")).ends_with("=z"));
}

TEST_CASE("segments are given whole and in part, also those of several megabytes, and after they were frozen") {
  LogWorld world(5'000'000);
  const std::string large(4'000'000, 'x');
  world.add(large);
  const auto before = world.store.segments();
  world.add(large + "y");
  const std::string whole = framed(0, large), next = framed(0, large + "y");
  CHECK(body_of(world.get("/logs/0")) == whole);
  CHECK(body_of(world.get("/logs/1")) == next);
  CHECK(body_of(world.get("/logs/0", "Range: bytes=3000000-3999999\r\n")) == whole.substr(3'000'000, 1'000'000));
  CHECK(body_of(world.get("/logs/1", "Range: bytes=-2\r\n")) == "xy");
  CHECK(status_line(world.get("/logs/2")) == "HTTP/1.1 400 Bad Request");
  CHECK(status_line(world.get("/logs/0", "Range: lines=1-2\r\n")) == "HTTP/1.1 416 Requested Range Not Satisfiable");
  CHECK(before->segments[0].open != nullptr);
}

TEST_CASE("a segment whose file is gone is a failure that is told, and the server goes on") {
  LogWorld world(100);
  world.add(std::string(90, 'a'));
  world.add(std::string(90, 'b'));
  std::filesystem::remove(world.store.segments()->segments[0].file);
  CHECK(status_line(world.get("/logs/0")) == "HTTP/1.1 500 Internal Server Error");
  CHECK(status_line(world.get("/logs/1")) == "HTTP/1.1 200 OK");
}

TEST_CASE("who waits is answered when there is something new, or after 55 seconds, or has gone") {
  LogWorld world;
  const std::string ask = "GET /logs?waitsizenot=";
  const std::string end = " HTTP/1.1\r\nHost: x\r\n\r\n";
  const auto empty = world.connect();
  empty->send(ask + "0" + end);
  CHECK(world.logs.waiting() == 1);
  world.add("x");
  CHECK(empty->received().find("\"number\": 0") != std::string::npos);
  const std::string size = std::to_string(world.store.segments()->size);
  const auto late = world.connect(), gone = world.connect();
  late->send(ask + size + end);
  gone->send(ask + size + end);
  CHECK(world.logs.waiting() == 2);
  gone->close();
  CHECK(world.logs.waiting() == 1);
  world.advance(54s);
  CHECK(late->received().empty());
  world.advance(1s);
  CHECK(status_line(late->received()) == "HTTP/1.1 304 Not Modified");
  CHECK(body_of(late->take()).empty());
  CHECK(world.logs.waiting() == 0);
  // On the same connection.
  late->send(ask + size + end);
  world.add("y");
  CHECK(status_line(late->received()) == "HTTP/1.1 200 OK");
}
