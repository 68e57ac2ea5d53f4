#include <io/blocking_pool.h>
#include <io/bridge.h>

#include <doctest/doctest.h>

#include "io/world.h"

#include <future>

using namespace testing;

namespace {

constexpr std::size_t kPiece = 100'003;  // no multiple of any buffer
constexpr std::size_t kMuch = 50'000'000;

// Says at which byte a stream of pattern() differs from it.
struct PatternCheck {
  void take(std::string_view bytes) {
    for (const char c : bytes) good = (c == static_cast<char>(seen++ % 251)) && good;
  }
  std::size_t seen = 0;
  bool good = true;
};

io::Task<> write_pattern(std::shared_ptr<io::ToBlocking> bridge, std::size_t size) {
  const std::string text = pattern(251 * 400);
  for (std::size_t at = 0; at < size;) {
    const std::size_t from = at % 251;
    const io::asio::const_buffer piece(text.data() + from, std::min({text.size() - from, size - at, kPiece}));
    co_await bridge->write(piece);
    at += piece.size();
  }
  bridge->finish();
}

PatternCheck read_pattern(io::ToBlocking& bridge) {
  PatternCheck check;
  std::vector<char> buffer(30'011);
  while (const std::size_t count = bridge.read(buffer)) check.take({buffer.data(), count});
  return check;
}

io::Task<> read_on_thread(io::BlockingPool& pool, std::shared_ptr<io::ToBlocking> bridge, PatternCheck& result) {
  auto job = [bridge] { return read_pattern(*bridge); };
  result = co_await pool.run(job);
}

io::Task<> write_one(std::shared_ptr<io::ToBlocking> bridge, std::string text) {
  const io::asio::const_buffer piece(text.data(), text.size());
  co_await bridge->write(piece);
}

io::Task<> read_pattern_async(std::shared_ptr<io::FromBlocking> bridge, PatternCheck& check) {
  std::vector<char> buffer(30'011);
  for (;;) {
    const io::asio::mutable_buffer room(buffer.data(), buffer.size());
    const std::size_t count = co_await bridge->read_some(room);
    if (count == 0) co_return;
    check.take({buffer.data(), count});
  }
}

void write_pattern_blocking(io::FromBlocking& bridge, std::size_t size) {
  const std::string text = pattern(251 * 400);
  for (std::size_t at = 0; at < size;) {
    const std::size_t from = at % 251;
    const std::size_t count = std::min({text.size() - from, size - at, kPiece});
    bridge.write({text.data() + from, count});
    at += count;
  }
  bridge.finish();
}

std::exception_ptr error_saying(const char* text) { return std::make_exception_ptr(std::runtime_error(text)); }

struct BridgeWorld : World {
  io::BlockingPool pool{2};
  std::shared_ptr<io::ToBlocking> to = std::make_shared<io::ToBlocking>(loop.executor(), 64 * 1024);
  std::shared_ptr<io::FromBlocking> from = std::make_shared<io::FromBlocking>(loop.executor(), 64 * 1024);
};

}  // namespace

TEST_CASE("fifty million bytes go from a coroutine to a thread through 64 KiB") {
  BridgeWorld world;
  PatternCheck check;
  std::vector<io::Task<>> tasks;
  tasks.push_back(write_pattern(world.to, kMuch));
  tasks.push_back(read_on_thread(world.pool, world.to, check));
  world.run(std::move(tasks));
  CHECK(check.seen == kMuch);
  CHECK(check.good);
}

TEST_CASE("fifty million bytes go from a thread to a coroutine through 64 KiB") {
  BridgeWorld world;
  PatternCheck check;
  std::vector<io::Task<>> tasks;
  tasks.push_back(run_on(world.pool, [&] { write_pattern_blocking(*world.from, kMuch); }));
  tasks.push_back(read_pattern_async(world.from, check));
  world.run(std::move(tasks));
  CHECK(check.seen == kMuch);
  CHECK(check.good);
}

TEST_CASE("a coroutine's writing stops at the bridge's capacity") {
  BridgeWorld world;
  const Background writer(world.loop, write_one(world.to, std::string(64 * 1024 + 1, 'x')));
  world.loop.poll();
  CHECK_FALSE(writer.done());
  std::vector<char> buffer(64 * 1024);
  CHECK(world.to->read(buffer) == 64 * 1024);
  world.loop.poll();
  CHECK(writer.done());
}

TEST_CASE("a reading thread that gives up wakes the writing coroutine with its error") {
  BridgeWorld world;
  const Background writer(world.loop, write_pattern(world.to, kMuch));
  world.loop.poll();
  CHECK_FALSE(writer.done());
  world.loop.run_until_done(run_on(world.pool, [&] { world.to->stop_reading(error_saying("disk full")); }));
  world.loop.run();
  REQUIRE(writer.done());
  CHECK(complaint_of([&] { std::rethrow_exception(writer.error()); }) == "disk full");
  CHECK(complaint_of([&] { world.loop.run_until_done(write_one(world.to, "x")); }) == "disk full");
}

TEST_CASE("a reading thread that gives up without an error lets the writer write into nothing") {
  BridgeWorld world;
  const Background writer(world.loop, write_pattern(world.to, 10'000'000));
  world.loop.poll();
  CHECK_FALSE(writer.done());
  world.to->stop_reading();
  world.loop.run();
  CHECK(writer.done());
  CHECK_FALSE(writer.error());
}

TEST_CASE("a thread that waits for bytes goes on when another one says that no more are wanted") {
  BridgeWorld world;
  std::promise<void> begun;
  auto reader = std::async(std::launch::async, [&] {
    begun.set_value();
    char byte = 0;
    return world.to->read({&byte, 1});
  });
  begun.get_future().wait();
  world.to->stop_reading();
  CHECK(reader.get() == 0);
}

TEST_CASE("a writing coroutine's failure comes out in the reading thread") {
  BridgeWorld world;
  PatternCheck check;
  const Background reader(world.loop, read_on_thread(world.pool, world.to, check));
  world.loop.poll();
  world.loop.run_until_done(write_one(world.to, "some"));
  world.to->fail(error_saying("connection lost"));
  world.loop.run();
  REQUIRE(reader.done());
  CHECK(complaint_of([&] { std::rethrow_exception(reader.error()); }) == "connection lost");
}

TEST_CASE("a reading coroutine that gives up wakes the writing thread with an error") {
  BridgeWorld world;
  const Background writer(world.loop, run_on(world.pool, [&] { write_pattern_blocking(*world.from, kMuch); }));
  PatternCheck check;
  std::vector<char> buffer(10);
  const io::asio::mutable_buffer room(buffer.data(), buffer.size());
  world.loop.poll();
  world.from->stop_reading();
  world.loop.run();
  REQUIRE(writer.done());
  CHECK(complaint_of([&] { std::rethrow_exception(writer.error()); }).find("nobody reads") != std::string::npos);
}

TEST_CASE("a writing thread's failure comes out in the reading coroutine") {
  BridgeWorld world;
  PatternCheck check;
  const Background reader(world.loop, read_pattern_async(world.from, check));
  world.loop.poll();
  CHECK_FALSE(reader.done());
  world.loop.run_until_done(run_on(world.pool, [&] { world.from->fail(error_saying("file unreadable")); }));
  world.loop.run();
  REQUIRE(reader.done());
  CHECK(complaint_of([&] { std::rethrow_exception(reader.error()); }) == "file unreadable");
}

TEST_CASE("a bridge that is finished without a byte gives its end") {
  BridgeWorld world;
  world.to->finish();
  std::vector<char> buffer(10);
  CHECK(world.to->read(buffer) == 0);
  world.from->finish();
  PatternCheck check;
  world.loop.run_until_done(read_pattern_async(world.from, check));
  CHECK(check.seen == 0);
}
