#include <doctest/doctest.h>

#include <stdexcept>

#include "gzip_bytes.h"

using namespace testing;
using pargzip::Writer;
using pargzip::WriterOptions;

TEST_CASE("what is written is read back by any gunzip, at each level and with any number of threads") {
  const std::string content = text(700'000) + noise(300'000) + std::string(500'000, '\0');
  for (int level = 0; level <= pargzip::kMaxLevel; ++level) {
    CAPTURE(level);
    const std::string file = compressed(content, {.level = level, .chunk_size = 100'000, .threads = 3});
    CHECK(unzipped(file) == content);
    // The bytes do not depend on who compressed them.
    CHECK(file == compressed(content, {.level = level, .chunk_size = 100'000, .threads = 1}));
  }
}

TEST_CASE("each member says how long it is") {
  const std::string file = compressed(text(1'000'000), {.chunk_size = 300'000, .threads = 2});
  const auto members = seen_by_zlib(file);
  REQUIRE(members);
  REQUIRE(members->size() == 4);
  for (const SeenMember& member : *members) {
    const std::string start(std::string_view("\x1f\x8b\x08\x04\0\0\0\0\0\xff\x08\0XB\x04\0", 16));
    CHECK(file.substr(member.begin, 20) == start + little_endian(member.end - member.begin, 4));
  }
  CHECK(members->at(0).content.size() == 300'000);
  CHECK(members->at(3).content.size() == 100'000);
}

TEST_CASE("the chunks do not depend on the sizes of the writes") {
  const std::string content = text(250'000);
  const WriterOptions options{.chunk_size = 4096, .threads = 2};
  const std::string expected = compressed(content, options);
  for (const std::size_t size : {1, 7, 4095, 4096, 4097, 100'000}) {
    CAPTURE(size);
    std::string file;
    Writer writer([&](std::span<const char> bytes) { file.append(bytes.data(), bytes.size()); }, options);
    for (std::size_t at = 0; at < content.size(); at += size) writer.write(std::string_view(content).substr(at, size));
    writer.finish();
    CHECK(file == expected);
    CHECK(writer.bytes_in() == content.size());
    CHECK(writer.bytes_out() == file.size());
  }
}

TEST_CASE("no input makes an empty gzip file, and none at all when compatible") {
  for (const unsigned threads : {1, 2}) {
    const std::string file = compressed("", {.threads = threads});
    CHECK(unzipped(file).empty());
    CHECK(file.size() <= 33);
    CHECK(compressed("", {.threads = threads, .compat = true}).empty());
  }
}

TEST_CASE("what does not compress grows by the frames only") {
  const std::string content = noise(1 << 20);
  CHECK(compressed(content).size() <= content.size() + 28 + 5 * 17);
  CHECK(unzipped(compressed(content, {.level = 0})) == content);
}

TEST_CASE("options out of range are refused") {
  const auto sink = [](std::span<const char>) {};
  CHECK_THROWS_AS(Writer(sink, {.level = -1}), std::invalid_argument);
  CHECK_THROWS_AS(Writer(sink, {.level = 13}), std::invalid_argument);
  CHECK_THROWS_AS(Writer(sink, {.chunk_size = 0}), std::invalid_argument);
  CHECK_THROWS_AS(Writer(sink, {.chunk_size = pargzip::kMaxChunkSize + 1}), std::invalid_argument);
  CHECK_THROWS_AS(Writer(sink, {.threads = pargzip::kMaxThreads + 1}), std::invalid_argument);
}

TEST_CASE("what the sink throws comes out, again and again, and the sink is not called any more") {
  for (const unsigned threads : {1, 2}) {
    CAPTURE(threads);
    int calls = 0;
    Writer writer(
        [&](std::span<const char>) {
          if (++calls == 3) throw std::runtime_error("no space");
        },
        {.chunk_size = 1000, .threads = threads});
    const std::string content = noise(1000);
    int failed = 0;
    for (int i = 0; i < 100; ++i) {
      try {
        writer.write(content);
      } catch (const std::runtime_error& error) {
        CHECK(std::string(error.what()) == "no space");
        ++failed;
      }
    }
    CHECK(failed > 80);
    CHECK_THROWS_WITH(writer.finish(), "no space");
    CHECK_THROWS_WITH(writer.finish(), "no space");
    CHECK(calls == 3);
  }
}

TEST_CASE("without finish() the file has no valid end, or no last part") {
  for (const unsigned threads : {1, 2}) {
    std::string file;
    {
      Writer writer([&](std::span<const char> bytes) { file.append(bytes.data(), bytes.size()); },
                    {.chunk_size = 1000, .threads = threads});
      writer.write(text(999));
    }
    CHECK(file.empty());
  }
}

TEST_CASE("a second finish() does nothing, and write() after it is a mistake") {
  std::string file;
  Writer writer([&](std::span<const char> bytes) { file.append(bytes.data(), bytes.size()); });
  writer.write(text(10));
  writer.finish();
  const std::string before = file;
  writer.finish();
  CHECK(file == before);
  CHECK_THROWS_AS(writer.write(text(1)), std::logic_error);
  CHECK(unzipped(file) == text(10));
}

TEST_CASE("the sink gets members as soon as they are there, not only at the end") {
  std::size_t largest_gap = 0, given = 0, taken = 0;
  Writer writer([&](std::span<const char> bytes) { given += bytes.size(); },
                {.level = 0, .chunk_size = 10'000, .threads = 2});
  const std::string content = noise(10'000);
  for (int i = 0; i < 100; ++i) {
    writer.write(content);
    taken += content.size();
    largest_gap = std::max(largest_gap, taken - std::min(taken, given));
  }
  writer.finish();
  CHECK(largest_gap <= 4 * content.size());
}
