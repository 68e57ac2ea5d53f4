#include <io/byte_stream.h>

#include <doctest/doctest.h>
#include <boost/asio/error.hpp>

#include "io/world.h"

namespace asio = boost::asio;
using namespace testing;

namespace {

io::Task<> write_three_times(io::ByteStream& stream) {
  co_await stream.write("one ");
  co_await stream.write("two ");
  co_await stream.write("three");
  co_await stream.shutdown_write();
}

}  // namespace

TEST_CASE("what is written into a memory pair comes out at the other end, in order") {
  World world;
  auto [left, right] = io::make_memory_pair(world.loop.executor());
  std::string forth, back;
  std::vector<io::Task<>> tasks;
  tasks.push_back(write_three_times(*left));
  tasks.push_back(write_three_times(*right));
  tasks.push_back(read_until_end(*right, forth));
  tasks.push_back(read_until_end(*left, back));
  world.run(std::move(tasks));
  CHECK(forth == "one two three");
  CHECK(back == "one two three");
}

TEST_CASE("a writer into a memory pair waits for room") {
  World world;
  auto [left, right] = io::make_memory_pair(world.loop.executor(), 10);
  const Background writer(world.loop, write_all(*left, "0123456789abcdefghijklmno"));
  world.loop.poll();
  CHECK_FALSE(writer.done());
  std::string got;
  world.loop.run_until_done(read_exactly(*right, 10, got));
  world.loop.poll();
  CHECK_FALSE(writer.done());
  world.loop.run_until_done(read_exactly(*right, 5, got));
  world.loop.poll();
  CHECK(writer.done());
  world.loop.run_until_done(read_exactly(*right, 10, got));
  CHECK(got == "0123456789abcdefghijklmno");
}

TEST_CASE("much data goes through a small memory pair unchanged") {
  World world;
  auto [left, right] = io::make_memory_pair(world.loop.executor(), 997);
  const std::string sent = pattern(1'000'000);
  std::string got;
  std::vector<io::Task<>> tasks;
  tasks.push_back(write_all(*left, sent));
  tasks.push_back(read_exactly(*right, sent.size(), got));
  world.run(std::move(tasks));
  CHECK(got == sent);
}

TEST_CASE("a memory stream that has ended its writing still reads, and refuses to write") {
  World world;
  auto [left, right] = io::make_memory_pair(world.loop.executor());
  world.loop.run_until_done(left->shutdown_write());
  std::string got;
  world.loop.run_until_done(read_until_end(*right, got));
  CHECK(got.empty());
  world.loop.run_until_done(write_all(*right, "answer"));
  world.loop.run_until_done(read_exactly(*left, 6, got));
  CHECK(got == "answer");
  CHECK(code_of([&] { world.loop.run_until_done(write_all(*left, "x")); }) == asio::error::shut_down);
}

TEST_CASE("closing a memory stream ends its pending and later operations with operation_aborted") {
  World world;
  auto [left, right] = io::make_memory_pair(world.loop.executor(), 4);
  std::string got;
  const Background reader(world.loop, read_until_end(*left, got));
  const Background writer(world.loop, write_all(*left, "too much"));
  world.loop.poll();
  left->close();
  left->close();
  world.loop.poll();
  CHECK(reader.code() == asio::error::operation_aborted);
  CHECK(writer.code() == asio::error::operation_aborted);
  CHECK(code_of([&] { world.loop.run_until_done(write_all(*left, "x")); }) == asio::error::operation_aborted);
  CHECK(code_of([&] { world.loop.run_until_done(read_until_end(*left, got)); }) == asio::error::operation_aborted);
  CHECK(code_of([&] { world.loop.run_until_done(left->shutdown_write()); }) == asio::error::operation_aborted);
}

TEST_CASE("when one memory stream is closed the other reads what is left, then the end, and cannot write") {
  World world;
  auto [left, right] = io::make_memory_pair(world.loop.executor(), 8);
  world.loop.run_until_done(write_all(*left, "last"));
  const Background writer(world.loop, write_all(*right, "more than there is room for"));
  world.loop.poll();
  CHECK_FALSE(writer.done());
  left.reset();
  world.loop.poll();
  CHECK(writer.code() == asio::error::connection_reset);
  std::string got;
  world.loop.run_until_done(read_until_end(*right, got));
  CHECK(got == "last");
  CHECK(code_of([&] { world.loop.run_until_done(write_all(*right, "x")); }) == asio::error::connection_reset);
}

TEST_CASE("a memory stream may be destroyed while a read is pending") {
  World world;
  auto [left, right] = io::make_memory_pair(world.loop.executor());
  std::string got;
  const Background reader(world.loop, read_until_end(*left, got));
  world.loop.poll();
  left.reset();
  world.loop.poll();
  CHECK(reader.code() == asio::error::operation_aborted);
}

TEST_CASE("surplus bytes come before what the stream gives, and writes go through") {
  World world;
  auto [left, right] = io::make_memory_pair(world.loop.executor());
  auto stream = io::with_surplus("early ", std::move(left));
  CHECK_FALSE(stream->secure());
  CHECK(stream->peer() == "memory");
  world.loop.run_until_done(write_three_times(*right));
  std::string got;
  world.loop.run_until_done(read_exactly(*stream, 2, got));
  CHECK(got == "ea");
  world.loop.run_until_done(read_until_end(*stream, got));
  CHECK(got == "early one two three");
  world.loop.run_until_done(write_all(*stream, "back"));
  got.clear();
  world.loop.run_until_done(read_exactly(*right, 4, got));
  CHECK(got == "back");
}

TEST_CASE("a closed stream gives no surplus any more") {
  World world;
  auto [left, right] = io::make_memory_pair(world.loop.executor());
  auto stream = io::with_surplus("early", std::move(left));
  stream->close();
  std::string got;
  CHECK(code_of([&] { world.loop.run_until_done(read_until_end(*stream, got)); }) == asio::error::operation_aborted);
}

TEST_CASE("a stream without surplus is handed back as it is") {
  World world;
  auto [left, right] = io::make_memory_pair(world.loop.executor());
  const io::ByteStream* before = left.get();
  CHECK(io::with_surplus("", std::move(left)).get() == before);
}
