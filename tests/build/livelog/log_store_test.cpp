#include <build/livelog/log_store.h>
#include <doctest/doctest.h>
#include <io/event_loop.h>

#include "support/support.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/system/system_error.hpp>

#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <functional>

// g++ 12 takes the frames of some optimised coroutines for deleted by the wrong function.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

using namespace build;
using livelog::LogStore;
using testing::TempDir;
using Follow = LogStore::Follow;

namespace {

const model::RunId kRun("build-12.1_step-0");

/// A store in a directory of the test's own, and a loop to use it on.
struct Fixture {
  TempDir dir;
  io::EventLoop loop;
  io::BlockingPool pool{2};
  LogStore store{dir / "logs", loop.executor(), pool};

  void run(io::Task<> task) { loop.run_until_done(std::move(task)); }
  /// The file that the store made for its only log.
  std::filesystem::path only_file() const {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(dir / "logs"))
      if (entry.is_regular_file()) return entry.path();
    throw std::runtime_error("there is no log");
  }
};

io::Task<std::string> read_text(LogStore& store, std::uint64_t offset, Follow follow, std::size_t room = 4096) {
  std::string text(room, '?');
  const std::size_t size = co_await store.read(kRun, offset, io::asio::buffer(text), follow);
  text.resize(size);
  co_return text;
}

/// Reads to the end as a follower does.
io::Task<> follow_to_end(LogStore& store, std::string& into, int& ended) {
  for (;;) {
    const std::string text = co_await read_text(store, into.size(), Follow::yes);
    if (text.empty()) break;
    into += text;
  }
  ++ended;
}

io::Task<> write_text(LogStore& store, std::string text) {
  const auto writer = co_await store.open_writer(kRun);
  co_await writer->append(0, text);
  co_await writer->finish();
}

template <typename Error>
io::Task<std::string> message_of(io::Task<> task) {
  std::string message = "(nothing was thrown)";
  try {
    co_await std::move(task);
  } catch (const Error& error) {
    message = error.what();
  }
  co_return message;
}

void rethrow(std::exception_ptr error) { std::rethrow_exception(error); }

io::Task<> read_back(LogStore& store) {
  const auto writer = co_await store.open_writer(kRun);
  CHECK(writer->size() == 0);
  co_await writer->append(0, "first\n");
  co_await writer->append(6, "second\n");
  CHECK(writer->size() == 13);
  CHECK((co_await read_text(store, 0, Follow::no)) == "first\nsecond\n");
  CHECK((co_await read_text(store, 6, Follow::yes)) == "second\n");
  CHECK((co_await read_text(store, 1, Follow::no, 3)) == "irs");
  CHECK((co_await read_text(store, 13, Follow::no)) == "");
  CHECK((co_await read_text(store, UINT64_MAX, Follow::no)) == "");
  auto info = co_await store.info(kRun);
  REQUIRE(info);
  CHECK(info->size == 13);
  CHECK(info->growing);
  CHECK_FALSE(info->complete);

  co_await writer->finish();
  co_await writer->finish();
  info = co_await store.info(kRun);
  CHECK(info->size == 13);
  CHECK_FALSE(info->growing);
  CHECK(info->complete);
  CHECK((co_await read_text(store, 6, Follow::yes)) == "second\n");
  CHECK((co_await read_text(store, 13, Follow::yes)) == "");
  CHECK((co_await read_text(store, UINT64_MAX, Follow::yes)) == "");
  CHECK((co_await message_of<std::logic_error>(writer->append(13, "more"))).starts_with("append to the finished log "));
  CHECK((co_await message_of<std::runtime_error>(write_text(store, "x"))).ends_with(": it is finished"));
}

io::Task<> append_rules(LogStore& store) {
  const auto writer = co_await store.open_writer(kRun);
  co_await writer->append(0, "abcdef");
  co_await writer->append(0, "abc");     // all there already
  co_await writer->append(3, "defghi");  // half of it
  co_await writer->append(9, "");
  CHECK(writer->size() == 9);
  const std::string gap = co_await message_of<std::invalid_argument>(writer->append(10, "x"));
  CHECK(gap.ends_with(" at offset 10: it has 9 bytes"));
  CHECK((co_await read_text(store, 0, Follow::no)) == "abcdefghi");
  const std::string second = co_await message_of<std::runtime_error>(write_text(store, "x"));
  CHECK(second == "the log of run build-12.1_step-0 has a writer already");
}

}  // namespace

TEST_CASE("what was appended is read back, while the log grows and after") {
  Fixture fixture;
  fixture.run(read_back(fixture.store));
  CHECK(testing::read_file(fixture.only_file()) == "first\nsecond\n");
}

TEST_CASE("bytes that are there already are skipped, a gap is refused, and there is one writer") {
  Fixture fixture;
  fixture.run(append_rules(fixture.store));
}

TEST_CASE("followers are woken by each append and end with the log") {
  Fixture fixture;
  std::unique_ptr<livelog::Writer> writer;
  const auto open = [&]() -> io::Task<> { writer = co_await fixture.store.open_writer(kRun); };
  fixture.run(open());

  std::string seen[3];
  int ended = 0;
  for (std::string& text : seen) io::spawn(fixture.loop.executor(), follow_to_end(fixture.store, text, ended), rethrow);
  fixture.loop.poll();

  std::string expected;
  const auto append = [&](std::string_view text) -> io::Task<> {
    co_await writer->append(writer->size(), text);
    expected += text;
  };
  const auto caught_up = [&] {
    return std::all_of(std::begin(seen), std::end(seen), [&](const std::string& text) { return text == expected; });
  };
  for (int i = 0; i < 50; ++i) {
    fixture.run(append("line " + std::to_string(i) + "\n"));
    while (!caught_up()) fixture.loop.poll();
    CHECK(ended == 0);
  }
  bool complete = false;
  SUBCASE("finished") {
    fixture.run(writer->finish());
    complete = true;
  }
  SUBCASE("cut short: its writer is gone") { writer.reset(); }
  while (ended < 3) fixture.loop.poll();
  CHECK(caught_up());

  std::optional<LogStore::Info> info;
  const auto look = [&]() -> io::Task<> { info = co_await fixture.store.info(kRun); };
  fixture.run(look());
  CHECK_FALSE(info->growing);
  CHECK(info->complete == complete);
  CHECK(info->size == expected.size());
}

TEST_CASE("who follows a log that is just being opened waits for what is written to it") {
  Fixture fixture;
  // One job after the other: the file is made, then looked at, and only then does the store hear that it is there.
  io::BlockingPool pool{1};
  LogStore store(fixture.dir / "opened", fixture.loop.executor(), pool);
  std::unique_ptr<livelog::Writer> writer;
  const auto open = [&]() -> io::Task<> { writer = co_await store.open_writer(kRun); };
  std::string seen;
  int ended = 0;
  io::spawn(fixture.loop.executor(), open(), rethrow);
  io::spawn(fixture.loop.executor(), follow_to_end(store, seen, ended), rethrow);
  while (writer == nullptr) fixture.loop.poll();
  fixture.run(writer->append(0, "the first line\n"));
  while (seen.empty() && ended == 0) fixture.loop.poll();
  CHECK(seen == "the first line\n");
  fixture.run(writer->finish());
  while (ended == 0) fixture.loop.poll();
  CHECK(seen == "the first line\n");
}

namespace {

io::Task<> after_restart(LogStore& store) {
  auto info = co_await store.info(kRun);
  REQUIRE(info);
  CHECK(info->size == 5);
  CHECK_FALSE(info->growing);
  CHECK_FALSE(info->complete);
  // It has no writer: a follower does not wait for one.
  CHECK((co_await read_text(store, 5, Follow::yes)) == "");

  const auto writer = co_await store.open_writer(kRun);
  CHECK(writer->size() == 5);
  co_await writer->append(0, "first and more");
  co_await writer->finish();
  CHECK((co_await read_text(store, 0, Follow::no)) == "first and more");
}

io::Task<> begin_log(LogStore& store) {
  const auto writer = co_await store.open_writer(kRun);
  co_await writer->append(0, "first");
}

io::Task<> check_finished(LogStore& store) {
  const auto info = co_await store.info(kRun);
  REQUIRE(info);
  CHECK(info->complete);
  CHECK_FALSE(info->growing);
  CHECK(info->size == 14);
}

}  // namespace

TEST_CASE("after a restart a log without a writer does not grow, and can be gone on with") {
  Fixture fixture;
  fixture.run(begin_log(fixture.store));
  LogStore second(fixture.dir / "logs", fixture.loop.executor(), fixture.pool);
  fixture.run(after_restart(second));
  LogStore third(fixture.dir / "logs", fixture.loop.executor(), fixture.pool);
  fixture.run(check_finished(third));
}

namespace {

io::Task<> use_bad_ids(LogStore& store) {
  const std::string too_long(201, 'a');
  for (const std::string& id :
       {std::string(), std::string("../../etc/passwd"), std::string("a/b"), std::string(".."), std::string(".hidden"),
        std::string("a\0b", 3), std::string("a b"), std::string("\xc3\xa4"), too_long}) {
    CAPTURE(id);
    const model::RunId run(id);
    CHECK_FALSE(co_await store.info(run));
    bool refused = false;
    try {
      const auto writer = co_await store.open_writer(run);
    } catch (const std::invalid_argument&) {
      refused = true;
    }
    CHECK(refused);
    bool unknown = false;
    char room[1];
    const io::asio::mutable_buffer into = io::asio::buffer(room);
    try {
      co_await store.read(run, 0, into, Follow::yes);
    } catch (const std::out_of_range&) {
      unknown = true;
    }
    CHECK(unknown);
  }
}

io::Task<> use_odd_ids(LogStore& store) {
  for (const std::string& id : {std::string("-rf"), std::string("a"), std::string("a.."), std::string("a.log"),
                                std::string("a.part"), std::string("A"), std::string(200, 'z')}) {
    const auto writer = co_await store.open_writer(model::RunId(id));
    co_await writer->append(0, id);
    co_await writer->finish();
    const auto info = co_await store.info(model::RunId(id));
    REQUIRE(info);
    CHECK(info->size == id.size());
  }
}

}  // namespace

TEST_CASE("an id that could lead elsewhere is no log's") {
  Fixture fixture;
  fixture.run(use_bad_ids(fixture.store));
  CHECK(std::filesystem::is_empty(fixture.dir / "logs"));
  fixture.run(use_odd_ids(fixture.store));
}

TEST_CASE("a log that does not exist is unknown") {
  Fixture fixture;
  const auto look = [&]() -> io::Task<> {
    CHECK_FALSE(co_await fixture.store.info(kRun));
    const auto read = [&]() -> io::Task<> { co_await read_text(fixture.store, 0, Follow::yes); };
    const std::string message = co_await message_of<std::out_of_range>(read());
    CHECK(message == "there is no log of run build-12.1_step-0");
  };
  fixture.run(look());
}

TEST_CASE("the files are for their owner only") {
  Fixture fixture;
  fixture.run(begin_log(fixture.store));
  struct stat status {};
  REQUIRE(::stat(fixture.only_file().c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  REQUIRE(::stat((fixture.dir / "logs").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0700);
}

TEST_CASE("a full disk is named, and the bytes can be appended again") {
  Fixture fixture;
  // A limit on the size of files stands in for the disk.
  struct rlimit before {};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const struct rlimit small {
    .rlim_cur = 4096, .rlim_max = before.rlim_max
  };
  const auto old_action = std::signal(SIGXFSZ, SIG_IGN);
  const std::string line(3000, 'x');
  const auto fill = [&]() -> io::Task<> {
    const auto writer = co_await fixture.store.open_writer(kRun);
    co_await writer->append(0, line);
    ::setrlimit(RLIMIT_FSIZE, &small);
    const std::string message = co_await message_of<std::runtime_error>(writer->append(3000, line));
    ::setrlimit(RLIMIT_FSIZE, &before);
    CHECK(message == "cannot write " + fixture.only_file().string() + ": File too large");
    CHECK(writer->size() == 3000);
    CHECK((co_await read_text(fixture.store, 3000, Follow::no)) == "");
    co_await writer->append(3000, line);
    CHECK(writer->size() == 6000);
  };
  fixture.run(fill());
  std::signal(SIGXFSZ, old_action);
  CHECK(testing::read_file(fixture.only_file()) == line + line);
}

TEST_CASE("a follower that gives up does not disturb the log") {
  Fixture fixture;
  std::unique_ptr<livelog::Writer> writer;
  const auto open = [&]() -> io::Task<> { writer = co_await fixture.store.open_writer(kRun); };
  fixture.run(open());

  io::asio::cancellation_signal stop;
  bool cancelled = false;
  const auto ended = [&](std::exception_ptr error, const std::string&) {
    try {
      if (error) std::rethrow_exception(error);
    } catch (const boost::system::system_error& failure) {
      cancelled = failure.code() == io::asio::error::operation_aborted;
    }
  };
  io::asio::co_spawn(fixture.loop.executor(), read_text(fixture.store, 0, Follow::yes),
                     io::asio::bind_cancellation_slot(stop.slot(), ended));
  fixture.loop.poll();
  CHECK_FALSE(cancelled);
  stop.emit(io::asio::cancellation_type::terminal);
  fixture.loop.poll();
  CHECK(cancelled);
  fixture.run(writer->append(0, "goes on"));
  CHECK(writer->size() == 7);
}

namespace {

/// The kernel's figure for this process, now.
std::size_t resident_bytes() {
  std::ifstream in("/proc/self/statm");
  std::size_t pages = 0, resident = 0;
  in >> pages >> resident;
  return resident * 4096;
}

io::Task<> follow_and_count(LogStore& store, std::uint64_t& size, bool& right, std::size_t& peak, int& ended) {
  std::string buffer(64 * 1024, '\0');
  for (;;) {
    const io::asio::mutable_buffer into = io::asio::buffer(buffer);
    const std::size_t count = co_await store.read(kRun, size, into, Follow::yes);
    if (count == 0) break;
    // The log repeats a block of 100,000 bytes of the alphabet.
    for (std::size_t i = 0; i < count; i += 997) right = right && buffer[i] == 'a' + char((size + i) % 100'000 % 26);
    size += count;
    if (size % (16 * 1024 * 1024) < count) peak = std::max(peak, resident_bytes());
  }
  ++ended;
}

}  // namespace

TEST_CASE("three followers read 200 MB while it is written, in little memory") {
  Fixture fixture;
  constexpr std::uint64_t kSize = 200'000'000;
  std::string block(100'000, '\0');
  for (std::size_t i = 0; i < block.size(); ++i) block[i] = static_cast<char>('a' + i % 26);

  std::uint64_t sizes[3] = {};
  bool right = true;
  std::size_t peak = 0;
  int ended = 0;
  const std::size_t before = resident_bytes();
  const auto write = [&]() -> io::Task<> {
    const auto writer = co_await fixture.store.open_writer(kRun);
    for (int i = 0; i < 3; ++i)
      io::spawn(fixture.loop.executor(), follow_and_count(fixture.store, sizes[i], right, peak, ended), rethrow);
    while (writer->size() < kSize) co_await writer->append(writer->size(), block);
    co_await writer->finish();
  };
  fixture.run(write());
  while (ended < 3) fixture.loop.poll();
  for (const std::uint64_t size : sizes) CHECK(size == kSize);
  CHECK(right);
  CHECK(peak > 0);
  // About 2 MB; a sanitizer keeps freed memory for a while.
  CHECK(peak - std::min(peak, before) < 64 * 1024 * 1024);
  CHECK(std::filesystem::file_size(fixture.only_file()) == kSize);
}
