#include <io/relay.h>
#include <io/secret.h>

#include "world.h"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

TEST_CASE("a relay carries both ways and passes each end on by itself") {
  testing::World world;
  auto one = io::make_memory_pair(world.loop.executor()), other = io::make_memory_pair(world.loop.executor());
  testing::Background relaying(world.loop, io::relay(std::move(one.second), std::move(other.second)));
  std::string there, back;
  const auto talk = [&]() -> io::Task<> {
    const std::string much = testing::pattern(300'000);
    testing::Background writing(world.loop, testing::write_all(*one.first, much));
    co_await testing::read_exactly(*other.first, much.size(), there);
    co_await writing.ended();
    co_await one.first->shutdown_write();
    co_await testing::read_until_end(*other.first, there);
    co_await testing::write_all(*other.first, "answer");
    co_await other.first->shutdown_write();
    co_await testing::read_until_end(*one.first, back);
    co_await relaying.ended();
    CHECK(there == much);
  };
  std::vector<io::Task<>> tasks;
  tasks.push_back(talk());
  world.run(std::move(tasks));
  CHECK(back == "answer");
  CHECK_FALSE(relaying.error());
}

TEST_CASE("a relay ends when a side breaks, and both sides see it") {
  testing::World world;
  auto one = io::make_memory_pair(world.loop.executor()), other = io::make_memory_pair(world.loop.executor());
  testing::Background relaying(world.loop, io::relay(std::move(one.second), std::move(other.second)));
  std::string got;
  const auto talk = [&]() -> io::Task<> {
    one.first->close();
    co_await testing::read_until_end(*other.first, got);
    other.first->close();
    co_await relaying.ended();
  };
  std::vector<io::Task<>> tasks;
  tasks.push_back(talk());
  world.run(std::move(tasks));
  CHECK(relaying.done());
}

TEST_CASE("the kernel's random bytes differ") {
  std::array<std::byte, 32> one{}, other{};
  io::system_random(one);
  io::system_random(other);
  CHECK(one != other);
}

TEST_CASE("secrets are compared whole") {
  CHECK(io::equal_in_constant_time("", ""));
  CHECK(io::equal_in_constant_time("secret", "secret"));
  CHECK_FALSE(io::equal_in_constant_time("secret", "secreT"));
  CHECK_FALSE(io::equal_in_constant_time("Secret", "secret"));
  CHECK_FALSE(io::equal_in_constant_time("secret", "secret "));
  CHECK_FALSE(io::equal_in_constant_time("secret", ""));
}
