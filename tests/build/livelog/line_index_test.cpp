#include <build/livelog/line_index.h>
#include <doctest/doctest.h>
#include <io/event_loop.h>

#include <stdexcept>
#include <string>

#include "support/support.h"

using namespace build;
using livelog::LineIndex;

namespace {

const model::RunId kRun("run");

struct Fixture {
  testing::TempDir dir;
  io::EventLoop loop;
  io::BlockingPool pool{1};
  livelog::LogStore store{dir / "logs", loop.executor(), pool};
  LineIndex index{store};
  std::string text;

  io::Task<> append_now(std::string bytes) {
    const std::unique_ptr<livelog::Writer> writer = co_await store.open_writer(kRun);
    co_await writer->append(writer->size(), bytes);
  }
  void append(const std::string& bytes) {
    loop.run_until_done(append_now(bytes));
    text += bytes;
  }
  static io::Task<> set_line(LineIndex& index, std::uint64_t offset, std::uint64_t& line) {
    line = co_await index.line_at(kRun, offset);
  }
  std::uint64_t line_at(std::uint64_t offset) {
    std::uint64_t line = 0;
    loop.run_until_done(set_line(index, offset, line));
    return line;
  }
  static io::Task<> set_offset(LineIndex& index, std::uint64_t line, std::optional<std::uint64_t>& offset) {
    offset = co_await index.offset_of(kRun, line);
  }
  std::optional<std::uint64_t> offset_of(std::uint64_t line) {
    std::optional<std::uint64_t> offset;
    loop.run_until_done(set_offset(index, line, offset));
    return offset;
  }
  /// Every line as the text itself says it.
  void check_against_text() {
    std::uint64_t line = 1, begin = 0;
    for (;; ++line) {
      CAPTURE(line);
      REQUIRE(offset_of(line) == begin);
      REQUIRE(line_at(begin) == line);
      const std::size_t end = text.find('\n', begin);
      if (end == std::string::npos) break;
      REQUIRE(line_at(end) == line);
      begin = end + 1;
    }
    CHECK(line_at(text.size()) == line);
    CHECK_FALSE(offset_of(line + 1));
    CHECK_FALSE(offset_of(line + 1000));
  }
};

}  // namespace

TEST_CASE("every line of a log is found, and what is written later as well") {
  Fixture fixture;
  fixture.append("");
  CHECK(fixture.line_at(0) == 1);
  CHECK(fixture.offset_of(1) == 0);
  CHECK_FALSE(fixture.offset_of(2));
  fixture.append("one\n\nthree\r\nbegun");
  fixture.check_against_text();
  fixture.append(" and ended\n");
  fixture.check_against_text();
}

TEST_CASE("lines are found where they cross, end at and fill what is read at once") {
  Fixture fixture;
  constexpr std::size_t kStride = 64 * 1024;
  fixture.append(std::string(kStride - 1, 'a') + "\n");         // ends with a stride
  fixture.append("\n" + std::string(3 * kStride, 'b') + "\n");  // longer than some
  fixture.append(std::string(5, '\n'));
  fixture.append(std::string(17 * kStride, 'c'));  // longer than all that is read at once
  fixture.check_against_text();
  fixture.append("\n" + std::string(2 * kStride, 'd') + "\nlast");
  fixture.check_against_text();
}

TEST_CASE("a log or an offset that is not there is an error, and many logs are not all remembered") {
  Fixture fixture;
  CHECK_THROWS_AS(fixture.line_at(0 + 1), std::out_of_range);
  fixture.append("one\ntwo\n");
  CHECK_THROWS_AS(fixture.line_at(9), std::out_of_range);
  LineIndex small(fixture.store, 1);
  std::optional<std::uint64_t> offset;
  for (const model::RunId& run : {kRun, model::RunId("other"), kRun}) {
    if (run != kRun) {
      const auto use = [&]() -> io::Task<> { co_await small.offset_of(run, 2); };
      CHECK_THROWS_AS(fixture.loop.run_until_done(use()), std::out_of_range);
    } else {
      fixture.loop.run_until_done(Fixture::set_offset(small, 2, offset));
      CHECK(offset == 4);
    }
  }
}
