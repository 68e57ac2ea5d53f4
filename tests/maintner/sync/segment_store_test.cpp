#include <maintner/segment_store.h>

#include <build/base/digest.h>

#include <doctest/doctest.h>

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/memory_blobs.h"
#include "support/support.h"

using namespace maintner;
namespace fs = std::filesystem;

namespace {

std::string hex224(std::string_view bytes) {
  build::base::Sha224 digest;
  digest.update(bytes);
  return digest.hex();
}

/// As they stand one behind the other.
std::string log_of(const std::vector<std::string>& payloads) {
  std::string log;
  for (const std::string& payload : payloads) log += framed(log.size(), payload);
  return log;
}

std::string error_of(const fs::path& directory) {
  try {
    const SegmentStore store(directory);
  } catch (const std::exception& error) {
    return error.what();
  }
  return "none";
}

}  // namespace

TEST_CASE("SHA-224 of pieces, and of a copy that goes on") {
  CHECK(hex224("") == "d14a028c2a3a2bc9476102bb288234c415a2b01f828ea62ac5b3e42f");
  build::base::Sha224 digest;
  digest.update("a");
  build::base::Sha224 copy = digest;
  copy.update("bc");
  CHECK(copy.hex() == "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7");
  CHECK(digest.hex() == hex224("a"));
}

TEST_CASE("names of segments are read and written as the original's") {
  const std::string digest(56, 'a');
  CHECK(to_text({7, ""}) == "0007.growing.mutlog");
  CHECK(to_text({12345, digest}) == "12345." + digest + ".mutlog");
  for (const SegmentName& name : {SegmentName{0, ""}, SegmentName{9999, digest}, SegmentName{10000, digest}})
    CHECK(parse_segment_name(to_text(name)) == name);
  for (const std::string name : {"", "0000.mutlog", "000.growing.mutlog", "00000.growing.mutlog", "-001.growing.mutlog",
                                 "0x01.growing.mutlog", "0000.growing.mutlog.tmp", "0000.grow.mutlog", "0000..mutlog",
                                 "maintner-2021-01-01.mutlog", "9999999999999999999999.growing.mutlog"}) {
    CAPTURE(name);
    CHECK_FALSE(parse_segment_name(name));
  }
  CHECK_FALSE(parse_segment_name("0000." + std::string(56, 'A') + ".mutlog"));
  CHECK_FALSE(parse_segment_name("0000." + std::string(57, 'a') + ".mutlog"));
}

TEST_CASE("what was committed is visible, and there again after a restart") {
  const testing::TempDir temp;
  const fs::path directory = temp / "log";
  {
    SegmentStore store(directory);
    CHECK(store.segments()->segments.empty());
    int told = 0;
    store.on_commit([&] { ++told; });
    store.append("one");
    CHECK(store.segments()->size == 0);
    store.commit();
    store.commit();
    CHECK(told == 1);
    const auto list = store.segments();
    REQUIRE(list->segments.size() == 1);
    CHECK(list->size == log_of({"one"}).size());
    CHECK(list->segments[0].sha224 == hex224(log_of({"one"})));
    CHECK_FALSE(list->segments[0].frozen);
    store.append("two");
    store.commit();
    CHECK(list->segments[0].size == log_of({"one"}).size());
  }
  SegmentStore again(directory);
  again.append("three");
  again.commit();
  CHECK(again.segments()->segments[0].sha224 == hex224(log_of({"one", "two", "three"})));
  CHECK(testing::read_file(directory / "0000.growing.mutlog") == log_of({"one", "two", "three"}));
}

TEST_CASE("a segment is full before a record that would make it too large, and its name says what is in it") {
  const testing::TempDir temp;
  const std::string large(300, 'x');
  SegmentStore store(temp / "log", 200);
  store.append(large);  // larger than a segment, and no reason for an empty one
  store.append(std::string(20, 'a'));
  store.append(std::string(180, 'b'));
  store.append("c");
  store.commit();
  const auto list = store.segments();
  REQUIRE(list->segments.size() == 3);
  const std::vector<std::string> contents{log_of({large}), log_of({std::string(20, 'a')}),
                                          log_of({std::string(180, 'b'), "c"})};
  for (std::size_t i = 0; i < contents.size(); ++i) {
    const Segment& segment = list->segments[i];
    CHECK(segment.number == i);
    CHECK(segment.size == contents[i].size());
    CHECK(segment.sha224 == hex224(contents[i]));
    CHECK(segment.frozen == (i < 2));
    CHECK(testing::read_file(segment.file) == contents[i]);
  }
  CHECK(list->segments[0].file.filename() == "0000." + hex224(contents[0]) + ".mutlog");
  CHECK(list->size == contents[0].size() + contents[1].size() + contents[2].size());
}

TEST_CASE("a segment that is nearly full is not gone on with after a restart") {
  const testing::TempDir temp;
  constexpr std::uint64_t kSize = 10'000;
  for (const std::size_t payload : {5'000u, 7'000u}) {
    const fs::path directory = temp / std::to_string(payload);
    {
      SegmentStore store(directory, kSize);
      store.append(std::string(payload, 'x'));
      store.commit();
    }
    SegmentStore again(directory, kSize);
    again.append("y");
    again.commit();
    CHECK(again.segments()->segments.size() == (payload == 5'000 ? 1 : 2));
  }
}

TEST_CASE("a record that was torn was never shown, and is cut off") {
  const testing::TempDir temp;
  const fs::path directory = temp / "log";
  fs::create_directories(directory);
  const std::string whole = log_of({"one", "two"});
  testing::write_file(directory / "0000.growing.mutlog", whole.substr(0, whole.size() - 1));
  SegmentStore store(directory);
  CHECK(store.cut() == log_of({"one", "two"}).size() - 1 - log_of({"one"}).size());
  CHECK(store.segments()->segments[0].sha224 == hex224(log_of({"one"})));
  store.append("three");
  store.commit();
  CHECK(testing::read_file(directory / "0000.growing.mutlog") == log_of({"one", "three"}));
}

TEST_CASE("a store that is not whole is refused, with the segment's name") {
  const testing::TempDir temp;
  const auto with = [&](const std::vector<SegmentName>& names) {
    static int number = 0;
    const fs::path directory = temp / std::to_string(++number);
    fs::create_directories(directory);
    for (const SegmentName& name : names) testing::write_file(directory / to_text(name), log_of({"x"}));
    return error_of(directory);
  };
  const std::string a(56, 'a'), b(56, 'b');
  CHECK(with({{0, a}, {1, ""}}) == "none");
  CHECK(with({{0, a}, {3, b}}).find("saw max segment number 3 but missing segment 1 in ") == 0);
  CHECK(with({{1, ""}}).find("saw max segment number 1 but missing segment 0 in ") == 0);
  CHECK(with({{0, a}, {0, b}, {1, ""}}).find("there is another one of that number") != std::string::npos);
  CHECK(with({{0, ""}, {0, a}}).find("0000.growing.mutlog: there is another one of that number") != std::string::npos);
  CHECK(with({{0, ""}, {1, b}}).find("0000.growing.mutlog is not the last segment, and not whole") !=
        std::string::npos);
  const fs::path damaged = temp / "damaged";
  fs::create_directories(damaged);
  testing::write_file(damaged / "0000.growing.mutlog", "this is no log, but longer than any record's header is");
  CHECK(error_of(damaged).find("header") != std::string::npos);
}

TEST_CASE("frozen segments are blobs, and are there again after a restart") {
  const testing::TempDir temp;
  const auto blobs = std::make_shared<testing::MemoryBlobs>();
  const std::string a(90, 'a'), b(90, 'b'), c(90, 'c');
  {
    SegmentStore store(temp / "log", blobs, 100);
    store.append(a);
    store.append(b);
    store.commit();
    CHECK(blobs->syncs == 1);
    CHECK(blobs->list().size() == 1);
    CHECK_FALSE(fs::exists(temp / "log/0000.growing.mutlog"));
    SUBCASE("what cannot be taken keeps growing, and is taken at the next try") {
      blobs->broken = true;
      CHECK_THROWS_WITH_AS(store.append(c), doctest::Contains("cannot take 0001."), std::runtime_error);
      store.commit();
      CHECK(store.segments()->segments[1].sha224 == hex224(log_of({b})));
      blobs->broken = false;
    }
    SUBCASE("a process that dies when it has frozen one leaves it in the directory, too") { blobs->keeps_files = true; }
    store.append(c);
    store.commit();
  }
  SegmentStore store(temp / "log", blobs, 100);
  const auto list = store.segments();
  const std::vector<std::string> contents{log_of({a}), log_of({b}), log_of({c})};
  REQUIRE(list->segments.size() == contents.size());
  for (std::size_t i = 0; i < contents.size(); ++i) {
    const auto blob = store.open(list->segments[i]);
    std::string bytes(static_cast<std::size_t>(blob->size()), '\0');
    blob->read(0, bytes);
    CHECK(bytes == contents[i]);
    CHECK((list->segments[i].frozen || i == 2));
  }
  CHECK_FALSE(fs::exists(temp / "log/0001.growing.mutlog"));
}

TEST_CASE("one process writes to a store") {
  const testing::TempDir temp;
  const SegmentStore store(temp / "log");
  CHECK(error_of(temp / "log").find("lock") != std::string::npos);
}
