#include <maintner/follower.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "follower_world.h"

using namespace maintner;
using build::net::Request;
using build::net::Response;
using testing::Asked;
using testing::FollowerWorld;
namespace fs = std::filesystem;

namespace {

/// All of the log, as somebody reads it who is given `list`.
std::string content(const SegmentList& list) {
  std::string all;
  for (const Segment& segment : list.segments) all += testing::read_file(segment.file).substr(0, segment.size);
  return all;
}

std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

std::string entry_of(const std::string& number, const std::string& size, const std::string& digest,
                     const std::string& url) {
  return R"([{"number":)" + number + R"(,"size":)" + size + R"(,"sha224":")" + digest + R"(","url":")" + url + R"("}])";
}

io::Task<> send_text(Response& response, int status, std::string type, std::string text) {
  co_await response.send(status, type, std::move(text));
}

io::Task<> send_elsewhere(Response& response, std::string location) {
  response.fields().set("Location", location);
  co_await response.send(302);
}

/// A segment's beginning only, and then the connection is cut.
io::Task<> send_cut(Response& response, std::string bytes, std::uint64_t announced) {
  response.fields().set("Content-Length", std::to_string(announced));
  co_await response.start(200);
  co_await response.write(bytes);
  throw build::net::AbortExchange();
}

io::Task<> send_for_ever(Response& response) {
  co_await response.start(200);
  const std::string piece(100'000, 'x');
  while (true) co_await response.write(piece);
}

}  // namespace

TEST_CASE("a follower has the server's log, fetches what is new of it, and keeps whole segments under their names") {
  FollowerWorld world(1000);
  world.add("one");
  const auto follower = world.follow();
  auto list = world.next(*follower);
  REQUIRE(list);
  CHECK(content(*list) == content(*world.store.segments()));
  CHECK(names_in(world.temp / "cache") == std::vector<std::string>{"0000.growing.mutlog", "lock"});
  const std::uint64_t first = list->size;
  world.asked.clear();
  const auto wait = world.begin_next(*follower);
  REQUIRE(world.until([&] { return world.logs.waiting() == 1; }));
  world.add("two");
  REQUIRE(world.ends(wait));
  const std::uint64_t second = wait->list->size;
  CHECK(world.asked ==
        std::vector<Asked>{{"/logs?waitsizenot=" + std::to_string(first), ""},
                           {"/logs/0", "bytes=" + std::to_string(first) + "-" + std::to_string(second - 1)}});
  // Two that fill segments, at once.
  world.store.append(std::string(990, 'x'));
  world.store.append(std::string(980, 'y'));
  world.store.append("z");
  world.store.commit();
  list = world.next(*follower);
  REQUIRE(list);
  CHECK(content(*list) == content(*world.store.segments()));
  const auto served = world.store.segments();
  CHECK(names_in(world.temp / "cache") == std::vector<std::string>{served->segments[0].file.filename(),
                                                                   served->segments[1].file.filename(),
                                                                   "0002.growing.mutlog", "lock"});
  CHECK(world.said.empty());
}

TEST_CASE("who has the growing segment open sees it grow, also when it is whole") {
  FollowerWorld world(100);
  world.add("one");
  const auto follower = world.follow();
  const auto list = world.next(*follower);
  REQUIRE(list);
  const Segment before = list->segments[0];
  REQUIRE(before.open);
  world.add(std::string(60, 'x'));
  world.add(std::string(60, 'y'));
  REQUIRE(world.next(*follower));
  std::string bytes(200, '\0');
  bytes.resize(static_cast<std::size_t>(::pread(before.open->get(), bytes.data(), bytes.size(), 0)));
  CHECK(bytes == testing::read_file(world.store.segments()->segments[0].file));
}

TEST_CASE("a new follower begins with what the cache has, and asks for the rest only") {
  FollowerWorld world(100);
  for (const char c : {'a', 'b', 'c'}) world.add(std::string(60, c));
  REQUIRE(world.next(*world.follow()));
  const auto growing = world.store.segments()->segments.back();
  SUBCASE("of which nothing is missing") {
    world.asked.clear();
    REQUIRE(world.next(*world.follow()));
    CHECK(world.asked == std::vector<Asked>{{"/logs?waitsizenot=0", ""}});
  }
  SUBCASE("of which there is only a part: a process died over it") {
    fs::resize_file(world.temp / "cache/0002.growing.mutlog", 10);
    world.asked.clear();
    const auto list = world.next(*world.follow());
    REQUIRE(list);
    CHECK(world.asked.back() == Asked{"/logs/2", "bytes=10-" + std::to_string(growing.size - 1)});
    CHECK(content(*list) == content(*world.store.segments()));
  }
  SUBCASE("of which something is wrong") {
    testing::write_file(world.temp / "cache/0002.growing.mutlog", "something else");
    const auto list = world.next(*world.follow());
    REQUIRE(list);
    CHECK(content(*list) == content(*world.store.segments()));
    CHECK(world.said.size() == 1);
  }
  SUBCASE("of which there is more than the server has, the same") {
    testing::write_file(world.temp / "cache/0002.growing.mutlog", testing::read_file(growing.file) + "more");
    const auto list = world.next(*world.follow());
    REQUIRE(list);
    CHECK(content(*list) == content(*world.store.segments()));
  }
  SUBCASE("of which there is more than the server has, something else") {
    testing::write_file(world.temp / "cache/0002.growing.mutlog", std::string(growing.size + 10, 'x'));
    const auto list = world.next(*world.follow());
    REQUIRE(list);
    CHECK(content(*list) == content(*world.store.segments()));
  }
  SUBCASE("in which a whole segment has another size") {
    fs::resize_file(world.temp / "cache" / world.store.segments()->segments[0].file.filename(), 10);
    const auto list = world.next(*world.follow());
    REQUIRE(list);
    CHECK(content(*list) == content(*world.store.segments()));
  }
}

TEST_CASE("whole segments of a cache are compared with their names once, and again if something was done to them") {
  FollowerWorld world(100);
  for (const char c : {'a', 'b', 'c'}) world.add(std::string(60, c));
  REQUIRE(world.next(*world.follow()));
  const fs::path cache = world.temp / "cache", first = cache / world.store.segments()->segments[0].file.filename();
  CHECK_FALSE(fs::exists(cache / "checked"));  // what has just come may not be on the disk yet
  REQUIRE(world.next(*world.follow()));
  const std::string checked = testing::read_file(cache / "checked");
  CHECK(std::count(checked.begin(), checked.end(), '\n') == 2);
  CHECK(checked.starts_with(first.filename().string() + " " + std::to_string(fs::file_size(first)) + " "));
  SUBCASE("while nobody follows") {
    testing::write_file(first, std::string(fs::file_size(first), 'x'));
    const auto list = world.next(*world.follow());
    REQUIRE(list);
    CHECK(content(*list) == content(*world.store.segments()));
  }
  SUBCASE("while somebody does") {
    const auto follower = world.follow();
    REQUIRE(world.next(*follower));
    testing::write_file(first, std::string(fs::file_size(first), 'x'));
    world.add("d");
    const auto list = world.next(*follower);
    REQUIRE(list);
    CHECK(content(*list) == content(*world.store.segments()));
  }
  SUBCASE("without a network: what comes behind is not delivered") {
    testing::write_file(cache / world.store.segments()->segments[1].file.filename(), "x");
    const auto list = world.next(*world.follow("cache", "http://log.invalid/logs"));
    REQUIRE(list);
    CHECK(list->segments.size() == 1);
    CHECK(fs::exists(first));
  }
  SUBCASE("and what is noted is nothing") {
    testing::write_file(cache / "checked", "x\n" + first.filename().string() + "\n\n" + std::string(5000, ' '));
    testing::write_file(first, std::string(fs::file_size(first), 'x'));
    const auto list = world.next(*world.follow());
    REQUIRE(list);
    CHECK(content(*list) == content(*world.store.segments()));
    CHECK(testing::read_file(cache / "checked")
              .starts_with(world.store.segments()->segments[1].file.filename().string() + " "));
    return;
  }
  CHECK(std::any_of(world.said.begin(), world.said.end(), [](const std::string& sentence) {
    return sentence.ends_with(".mutlog was not what its name says");
  }));
}

TEST_CASE(
    "a cache with whole segments of several histories has none of them without a network, and then the server's") {
  FollowerWorld world(100);
  for (const char c : {'a', 'b', 'c'}) world.add(std::string(60, c));
  REQUIRE(world.next(*world.follow()));
  const std::string other = framed(0, "another history");
  for (const std::uint64_t number : {1, 2})
    testing::write_file(world.temp / "cache" / to_text({number, testing::sha224(other)}), other);
  auto list = world.next(*world.follow("cache", "http://log.invalid/logs"));
  REQUIRE(list);
  CHECK(list->segments.size() == 1);
  REQUIRE(world.next(*world.follow()));
  list = world.next(*world.follow("cache", "http://log.invalid/logs"));
  REQUIRE(list);
  CHECK(content(*list) == content(*world.store.segments()));
}

TEST_CASE("what is no file, and stands in a cache for one, is removed; a directory with something in it is named") {
  FollowerWorld world(100);
  for (const char c : {'a', 'b', 'c'}) world.add(std::string(60, c));
  const fs::path cache = world.temp / "cache", elsewhere = world.temp / "elsewhere";
  const auto served = world.store.segments();
  fs::create_directory(cache);
  testing::write_file(elsewhere, "elsewhere");
  SUBCASE("links, pipes, directories") {
    fs::create_symlink(elsewhere, cache / "0002.growing.mutlog");
    fs::create_symlink(served->segments[0].file.filename(), cache / served->segments[0].file.filename());
    fs::create_directory(cache / served->segments[1].file.filename());
    REQUIRE(::mkfifo((cache / "0001.growing.mutlog").c_str(), 0600) == 0);
    REQUIRE(::mkfifo((cache / "checked").c_str(), 0600) == 0);
    const auto list = world.next(*world.follow());
    REQUIRE(list);
    CHECK(content(*list) == content(*served));
    CHECK(testing::read_file(elsewhere) == "elsewhere");
  }
  SUBCASE("a directory with something in it") {
    for (const std::string& name : {served->segments[1].file.filename().string(), std::string("0001.growing.mutlog")}) {
      fs::create_directories(cache / name / "x");
      CHECK(world.error_of_next(*world.follow()).find((cache / name).string()) != std::string::npos);
      CHECK(world.error_of_next(*world.follow("cache", "http://log.invalid/logs")).find((cache / name).string()) !=
            std::string::npos);
      fs::remove_all(cache / name);
    }
    CHECK(world.next(*world.follow()));
  }
}

TEST_CASE("what has come of a segment when the connection breaks is not asked for again") {
  FollowerWorld world;
  const std::string large(3'000'000, 'x');
  world.add(large);
  const std::string whole = framed(0, large);
  int cuts = 0;
  world.handler = [&](Request& request, Response& response) -> io::Task<> {
    if (request.path() == "/logs/0" && cuts++ == 0) return send_cut(response, whole.substr(0, 1'500'000), whole.size());
    return world.router(request, response);
  };
  const auto list = world.next(*world.follow());
  REQUIRE(list);
  CHECK(content(*list) == whole);
  REQUIRE(world.asked.size() == 3);
  CHECK(world.asked[2].range == "bytes=1500000-" + std::to_string(whole.size() - 1));
  CHECK(world.said.size() == 1);
}

TEST_CASE("a full disk is said, and when there is room the rest is fetched") {
  FollowerWorld world;
  const std::string large(3'000'000, 'x');
  world.add(large);
  const auto follower = world.follow();
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{2'000'000, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  const std::string error = world.error_of_next(*follower);
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(error.find("cannot write to " + (world.temp / "cache/0000.growing.mutlog").string()) == 0);
  const auto list = world.next(*follower);
  REQUIRE(list);
  CHECK(content(*list) == framed(0, large));
  CHECK(world.asked.back().range.starts_with("bytes=2000000-"));
}

TEST_CASE("a server whose history is another one is not followed any further") {
  FollowerWorld world;
  world.add("one");
  world.add("two");
  const auto follower = world.follow();
  REQUIRE(world.next(*follower));
  SegmentStore other(world.temp / "other");
  for (const char* payload : {"one", "three", "four"}) other.append(payload);
  other.commit();
  LogServer elsewhere(world.loop.executor(), world.clock, world.pool, other);
  build::net::Router router;
  elsewhere.add_to(router);
  world.handler = [&](Request& request, Response& response) { return router(request, response); };
  CHECK(world.error_of_next(*follower) == "maintner: leader server's history split, process out of sync");
  const auto list = world.next(*world.follow());
  REQUIRE(list);
  CHECK(content(*list) == content(*other.segments()));
}

TEST_CASE("a server that has less than before has another history, too") {
  FollowerWorld world;
  world.add("one");
  world.add("two");
  const auto follower = world.follow();
  REQUIRE(world.next(*follower));
  const std::string shorter = framed(0, "one");
  world.handler = [&](Request& request, Response& response) {
    return send_text(response, 200, "application/json",
                     request.path() == "/logs"
                         ? entry_of("0", std::to_string(shorter.size()), testing::sha224(shorter), "/logs/0")
                         : shorter);
  };
  CHECK(world.error_of_next(*follower) == HistorySplit().what());
}

TEST_CASE("two followers share a cache") {
  FollowerWorld world(1000);
  const auto one = world.follow(), other = world.follow();
  for (int i = 0; i < 20; ++i) {
    world.add(std::string(200, static_cast<char>('a' + i)));
    const auto first = world.begin_next(*one), second = world.begin_next(*other);
    REQUIRE(world.ends(first));
    REQUIRE(world.ends(second));
    CHECK(first->outcome->error == "");
    CHECK(second->outcome->error == "");
    REQUIRE(first->list);
    REQUIRE(second->list);
    CHECK(content(*first->list) == content(*world.store.segments()));
    CHECK(content(*second->list) == content(*world.store.segments()));
  }
}

TEST_CASE("a follower of the tail fetches the last segment and what comes behind it") {
  FollowerWorld world(100);
  for (const char c : {'a', 'b', 'c'}) world.add(std::string(60, c));
  FollowerOptions options;
  options.server = world.address();
  options.cache = world.temp / "cache";
  options.tail = true;
  Follower follower(world.loop.executor(), world.clock, world.pool, options);
  auto list = world.next(follower);
  REQUIRE(list);
  CHECK(world.asked.size() == 2);
  REQUIRE(list->segments.size() == 3);
  CHECK(list->segments[1].file.empty());
  CHECK(testing::read_file(list->segments[2].file) == framed(0, std::string(60, 'c')));
  world.add(std::string(60, 'd'));
  list = world.next(follower);
  REQUIRE(list);
  REQUIRE(list->segments.size() == 4);
  CHECK(testing::read_file(list->segments[3].file) == framed(0, std::string(60, 'd')));
  CHECK(list->size == world.store.segments()->size);
}

TEST_CASE("redirections are followed, with the range") {
  FollowerWorld world;
  world.add("one");
  world.handler = [&](Request& request, Response& response) {
    if (request.path() == "/logs/0") return send_elsewhere(response, "../elsewhere/0");
    if (request.path() == "/elsewhere/0") return send_text(response, 200, "application/octet-stream", framed(0, "one"));
    return world.router(request, response);
  };
  const auto list = world.next(*world.follow());
  REQUIRE(list);
  CHECK(content(*list) == framed(0, "one"));
  CHECK(world.asked.back().range == "bytes=0-" + std::to_string(list->size - 1));
}

TEST_CASE("without a network a follower has what is in the cache, and goes on from there") {
  FollowerWorld world(100);
  for (const char c : {'a', 'b', 'c'}) world.add(std::string(60, c));
  REQUIRE(world.next(*world.follow()));
  const auto list = world.next(*world.follow("cache", "http://log.invalid/logs"));
  REQUIRE(list);
  CHECK(content(*list) == content(*world.store.segments()));
  fs::remove(world.temp / "cache" / list->segments[1].file.filename());
  const auto beginning = world.next(*world.follow("cache", "http://log.invalid/logs"));
  REQUIRE(beginning);
  CHECK(beginning->segments.size() == 1);
}

TEST_CASE("what a server may not say") {
  const std::string digest = testing::sha224(framed(0, "one"));
  const std::string size = std::to_string(framed(0, "one").size());
  struct Case {
    const char* what;
    std::string index, segment, error;
  };
  const std::vector<Case> cases{
      {"HTML", "<html>404</html>", "", "JSON: Invalid value. at byte 0"},
      {"nothing", "", "", "JSON: The document is empty. at byte 0"},
      {"an object", "{}", "", "JSON: it is no array"},
      {"numbers in it", "[1]", "", "JSON: segment 0 is no object"},
      {"deep", std::string(100'000, '['), "", "JSON: "},
      {"a negative number", entry_of("-1", size, digest, "/logs/0"), "", "segment 0 does not have that number"},
      {"a huge number", entry_of("99999999999999999999", size, digest, "/logs/0"), "",
       "segment 0 does not have that number"},
      {"not from 0 on", entry_of("1", size, digest, "/logs/0"), "", "segment 0 does not have that number"},
      {"a negative size", entry_of("0", "-1", digest, "/logs/0"), "", "segment 0 has no size"},
      {"a huge size", entry_of("0", "18446744073709551615", digest, "/logs/0"), "",
       "segment 0 has 18446744073709551615 bytes, more than the 4294967296 that are taken"},
      {"no digest", entry_of("0", size, "", "/logs/0"), "", "segment 0 has no SHA-224"},
      {"a digest that is a path",
       entry_of("0", size, "../../../../../../../../../../../../../../../../tmp/evil0000", "/logs/0"), "",
       "segment 0 has no SHA-224"},
      {"another protocol", entry_of("0", size, digest, "file:///etc/passwd"), "",
       "segment 0: \"file:///etc/passwd\" does not begin with http:// or https://"},
      {"an address with a line end", entry_of("0", size, digest, "/logs/0\\r\\nX: y"), "",
       "has a character that is none of an address"},
      {"a wrong digest", entry_of("0", size, std::string(56, 'a'), "/logs/0"), framed(0, "one"), "corrupt download"},
      {"too small a size", entry_of("0", "5", digest, "/logs/0"), framed(0, "one"),
       "more than the 5 bytes that the segment is to have"},
      {"too large a size", entry_of("0", "500", digest, "/logs/0"), framed(0, "one"), "corrupt download"},
  };
  FollowerWorld world;
  for (const Case& each : cases) {
    CAPTURE(each.what);
    world.handler = [&](Request& request, Response& response) {
      return send_text(response, 200, "text/plain", request.path() == "/logs" ? each.index : each.segment);
    };
    const auto follower = world.follow(each.what);
    const std::string error = world.error_of_next(*follower);
    CAPTURE(error);
    CHECK(error.find(each.error) != std::string::npos);
    CHECK(error.find("127.0.0.1:") != std::string::npos);
  }
}

TEST_CASE("a server that is of no use") {
  FollowerWorld world;
  const std::string index = entry_of("0", "1000", std::string(56, 'a'), "/logs/0");
  struct Case {
    const char* what;
    std::function<io::Task<>(Request&, Response&)> handler;
    std::string error;
    std::size_t tries;
  };
  const std::vector<Case> cases{
      {"not there", [](Request&, Response& response) { return send_text(response, 404, "text/plain", "no"); },
       "404 Not Found", 1},
      {"broken", [](Request&, Response& response) { return send_text(response, 503, "text/plain", "no"); },
       "after 5 attempts, fetching server segments still failed: ", 5},
      {"in a circle", [](Request&, Response& response) { return send_elsewhere(response, "/logs"); },
       "redirected too often", 11},
      {"elsewhere", [](Request&, Response& response) { return send_elsewhere(response, "ftp://host/"); },
       "does not begin with http:// or https://", 1},
      {"204", [](Request&, Response& response) { return send_text(response, 204, "text/plain", ""); }, "204 No Content",
       1},
      {"a segment that is not there",
       [&](Request& request, Response& response) {
         return request.path() == "/logs" ? send_text(response, 200, "application/json", index)
                                          : send_text(response, 404, "text/plain", "no");
       },
       "/logs/0: 404 Not Found", 2},
      {"a segment that never ends",
       [&](Request& request, Response& response) {
         return request.path() == "/logs" ? send_text(response, 200, "application/json", index)
                                          : send_for_ever(response);
       },
       "after 10 attempts, syncing segment 0 still failed: ", 11},
      {"a wrong range",
       [&](Request& request, Response& response) {
         response.fields().set("Content-Range", "bytes 5-9/1000");
         return request.path() == "/logs" ? send_text(response, 200, "application/json", index)
                                          : send_text(response, 206, "application/octet-stream", "hello");
       },
       "another range than asked for: bytes 5-9/1000", 2},
  };
  for (const Case& each : cases) {
    CAPTURE(each.what);
    world.handler = each.handler;
    world.asked.clear();
    const auto follower = world.follow(each.what);
    const std::string error = world.error_of_next(*follower);
    CAPTURE(error);
    CHECK(error.find(each.error) != std::string::npos);
    CHECK(world.asked.size() == each.tries);
  }
}

TEST_CASE("an index that is the same again is an error, not a reason to ask at once") {
  FollowerWorld world;
  world.add("one");
  const std::string segment = framed(0, "one");
  world.handler = [&](Request& request, Response& response) {
    return send_text(response, 200, "application/json",
                     request.path() == "/logs"
                         ? entry_of("0", std::to_string(segment.size()), testing::sha224(segment), "/logs/0")
                         : segment);
  };
  const auto follower = world.follow();
  REQUIRE(world.next(*follower));
  CHECK(world.error_of_next(*follower) == "maintner.netsource: maintnerd server returned unchanged log segments");
}

TEST_CASE("an address that is none is refused at once") {
  FollowerWorld world;
  for (const char* address : {"", "logs", "ftp://host/logs", "http://", "http:///logs", "http://:80/logs",
                              "http://user@host/logs", "http://host/lo gs", "http://[::1/logs"}) {
    CAPTURE(address);
    FollowerOptions options;
    options.server = address;
    CHECK_THROWS_AS(Follower(world.loop.executor(), world.clock, world.pool, options), std::invalid_argument);
  }
}
