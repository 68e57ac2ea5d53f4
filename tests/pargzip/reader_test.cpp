#include <doctest/doctest.h>

#include <stdexcept>

#include "gzip_bytes.h"

using namespace testing;
using pargzip::Reader;
using pargzip::ReadErrorKind;

namespace {

/// The same for one thread and for several, and for any way to cut the file.
Outcome read_in_all_ways(std::string_view file) {
  const Outcome outcome = read_all(file, {.threads = 1});
  for (const unsigned threads : {1, 2, 3}) {
    for (const std::size_t at_once : {std::size_t{1} << 20, std::size_t{4099}, std::size_t{1}}) {
      if (file.size() > 100'000 && at_once < 1000) continue;
      CAPTURE(threads);
      CAPTURE(at_once);
      CHECK((read_all(file, {.threads = threads}, at_once) == outcome));
    }
  }
  return outcome;
}

}  // namespace

TEST_CASE("what Writer wrote is read back") {
  const std::string content = text(3'000'000) + noise(1'000'000);
  for (const std::size_t chunk : {10'000, 1 << 20, 16 << 20}) {
    for (const bool compat : {false, true}) {
      const std::string file = compressed(content, {.level = 1, .chunk_size = chunk, .compat = compat});
      const Outcome outcome = read_in_all_ways(file);
      CHECK((outcome.output == content));
      CHECK_FALSE(outcome.error);
      CHECK(outcome.members == (content.size() + chunk - 1) / chunk);
      CHECK(outcome.bytes_in == file.size());
    }
  }
}

TEST_CASE("members of all kinds may stand in one file") {
  const std::string name = "a name", content = text(30'000);
  const std::string file =
      Member{.content = "one", .flags = 8, .after_fixed_header = name + '\0'}.bytes() + sized_member("two") +
      sized_member(content) + bgzf_member(content) + bgzf_member("") + Member{}.bytes() + sized_member("") +
      Member{.content = content, .flags = 4, .after_fixed_header = extra_field("RA", "something else")}.bytes() +
      sized_member("last");
  const Outcome outcome = read_in_all_ways(file);
  CHECK(outcome.output == "onetwo" + content + content + content + "last");
  CHECK_FALSE(outcome.error);
  CHECK(outcome.members == 9);
}

TEST_CASE("a member too long for one piece of memory is streamed") {
  // Said sizes: 9 MiB of input, and 9 MiB of output from little input.
  for (const std::string& content : {noise(9 << 20), std::string(9 << 20, 'x')}) {
    const std::string file = sized_member("before") + sized_member(content) + sized_member("after");
    const Outcome outcome = read_in_all_ways(file);
    CHECK((outcome.output == "before" + content + "after"));
    CHECK_FALSE(outcome.error);
  }
}

TEST_CASE("read() and next() may be mixed, and a full read() is not needed") {
  const std::string content = text(1'000'000);
  const std::string file = compressed(content, {.chunk_size = 100'000});
  Reader reader(source_of(file), {.threads = 2});
  std::string output;
  for (bool copy = true;; copy = !copy) {
    char room[1000];
    std::span<const char> bytes;
    if (copy) {
      bytes = std::span(room).first(reader.read(room));
    } else {
      bytes = reader.next();
    }
    if (bytes.empty()) break;
    output.append(bytes.data(), bytes.size());
  }
  CHECK((output == content));
  CHECK(reader.next().empty());
}

TEST_CASE("a Reader may go before it has read everything") {
  const std::string file = compressed(noise(3'000'000), {.level = 0, .chunk_size = 50'000});
  for (int pieces = 0; pieces < 4; ++pieces) {
    Reader reader(source_of(file), {.threads = 3});
    for (int i = 0; i < pieces; ++i) CHECK_FALSE(reader.next().empty());
  }
}

TEST_CASE("a Reader ends while the file goes on without end") {
  // Neither output nor an end: only the Reader's end can stop it.
  const std::string empty = Member{}.bytes(), zeros(1000, '\0');
  for (const std::string& forever : {empty, zeros}) {
    std::string_view rest;
    bool first = true;
    const auto source = [&](std::span<char> into) {
      if (rest.empty()) rest = first ? std::string_view(empty) : std::string_view(forever);
      first = false;
      const std::size_t size = std::min(into.size(), rest.size());
      std::copy_n(rest.begin(), size, into.begin());
      rest.remove_prefix(size);
      return size;
    };
    const std::string start = Member{.content = "x"}.bytes();
    bool started = false;
    Reader reader(
        [&](std::span<char> into) {
          if (started) return source(into);
          started = true;
          std::copy(start.begin(), start.end(), into.begin());
          return start.size();
        },
        {.threads = 2});
    CHECK(reader.next().size() == 1);
  }
}

TEST_CASE("output that is there is given before the source is asked for more") {
  // As when a log is followed.
  const std::string first = Member{.content = "first"}.bytes(), second = sized_member("second");
  for (const std::string& next : {Member{.content = "next"}.bytes(), sized_member("next")}) {
    std::vector<std::string> given{first, next, second};
    std::size_t asked = 0;
    Reader reader(
        [&](std::span<char> into) -> std::size_t {
          if (asked == given.size()) return 0;
          std::copy(given[asked].begin(), given[asked].end(), into.begin());
          return given[asked++].size();
        },
        {.threads = 1});
    const auto one = reader.next();
    CHECK(std::string(one.data(), one.size()) == "first");
    CHECK(asked == 1);
    const auto two = reader.next();
    CHECK(std::string(two.data(), two.size()) == "next");
    CHECK(asked == 2);
  }
}

TEST_CASE("what the source throws comes out of read(), after what came before") {
  const std::string file = Member{.content = "before"}.bytes();
  for (const unsigned threads : {1, 2}) {
    bool given = false;
    Reader reader(
        [&](std::span<char> into) {
          if (given) throw std::runtime_error("the line is dead");
          given = true;
          std::copy(file.begin(), file.end(), into.begin());
          return file.size();
        },
        {.threads = threads});
    CHECK(reader.next().size() == 6);
    for (int i = 0; i < 2; ++i) CHECK_THROWS_WITH(reader.next(), "the line is dead");
  }
}

TEST_CASE("output is limited") {
  const std::string content = text(100'000);
  for (const std::string& file : {compressed(content, {.chunk_size = 9000}), Member{.content = content}.bytes()}) {
    for (const unsigned threads : {1, 2}) {
      CHECK_FALSE(read_all(file, {.threads = threads, .max_output = content.size()}).error);
      for (const std::size_t limit : {std::size_t{0}, std::size_t{1}, std::size_t{9000}, content.size() - 1}) {
        const Outcome outcome = read_all(file, {.threads = threads, .max_output = limit});
        CHECK(outcome.error == ReadErrorKind::limit);
        CHECK((outcome.output == content.substr(0, limit)));
      }
    }
  }
}

TEST_CASE("more threads than there can be are refused") {
  CHECK_THROWS_AS(Reader(source_of(""), {.threads = pargzip::kMaxThreads + 1}), std::invalid_argument);
}
