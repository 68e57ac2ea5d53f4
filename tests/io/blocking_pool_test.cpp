#include <io/blocking_pool.h>

#include <doctest/doctest.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>

#include "io/world.h"

#include <atomic>
#include <future>
#include <memory>
#include <thread>

namespace asio = boost::asio;
using namespace testing;

namespace {

io::Task<> run_many(io::BlockingPool& pool, int jobs, std::atomic<long>& sum) {
  for (int i = 0; i < jobs; ++i) {
    const int got = co_await pool.run([i] { return i; });
    sum += got;
  }
}

io::Task<> take_pointer(io::BlockingPool& pool, std::unique_ptr<int>& into) {
  into = co_await pool.run([] { return std::make_unique<int>(7); });
}

io::Task<> fail_inside(io::BlockingPool& pool) {
  co_await pool.run([] { throw std::runtime_error("no such luck"); });
}

io::Task<> note_threads(io::BlockingPool& pool, std::thread::id& inside, std::thread::id& after) {
  inside = co_await pool.run([] { return std::this_thread::get_id(); });
  after = std::this_thread::get_id();
}

io::Task<> run_holding(io::BlockingPool& pool, std::shared_ptr<int> held, int& got) {
  auto copied = [held] { return *held; };
  got = co_await pool.run(copied);
  auto only_moved = [held, own = std::make_unique<int>(0)] { return *held + *own; };
  got += co_await pool.run(std::ref(only_moved));
}

io::Task<> wait_for(io::BlockingPool& pool, std::shared_future<void> go, bool& ended) {
  auto job = [go, &ended] {
    go.wait();
    ended = true;
  };
  co_await pool.run(job);
}

}  // namespace

TEST_CASE("a thousand jobs from several coroutines all give their results back") {
  World world;
  io::BlockingPool pool(4);
  std::atomic<long> sum = 0;
  std::vector<io::Task<>> tasks;
  for (int i = 0; i < 10; ++i) tasks.push_back(run_many(pool, 100, sum));
  world.run(std::move(tasks));
  CHECK(sum == 10 * 99 * 100 / 2);
}

TEST_CASE("a job's value may be of a kind that can only be moved") {
  World world;
  io::BlockingPool pool(1);
  std::unique_ptr<int> got;
  world.loop.run_until_done(take_pointer(pool, got));
  REQUIRE(got);
  CHECK(*got == 7);
}

TEST_CASE("a job's exception comes out in the coroutine") {
  World world;
  io::BlockingPool pool(2);
  CHECK(complaint_of([&] { world.loop.run_until_done(fail_inside(pool)); }) == "no such luck");
}

TEST_CASE("a job runs on a thread of the pool, and the coroutine goes on on its own") {
  World world;
  io::BlockingPool pool(1);
  std::thread::id inside, after;
  world.loop.run_until_done(note_threads(pool, inside, after));
  CHECK(inside != std::this_thread::get_id());
  CHECK(after == std::this_thread::get_id());
}

TEST_CASE("cancelling a coroutine whose job runs waits for the job") {
  World world;
  io::BlockingPool pool(1);
  std::promise<void> go;
  bool ended = false;
  bool resumed = false;
  asio::cancellation_signal cancel;
  asio::co_spawn(world.loop.executor(), wait_for(pool, go.get_future().share(), ended),
                 asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr) {
                   CHECK(ended);
                   resumed = true;
                 }));
  world.loop.poll();
  cancel.emit(asio::cancellation_type::terminal);
  world.loop.poll();
  CHECK_FALSE(resumed);
  go.set_value();
  world.loop.run();
  CHECK(resumed);
}

TEST_CASE("what a job holds is destroyed exactly once, and one that can only be moved can be lent") {
  World world;
  io::BlockingPool pool(1);
  const auto held = std::make_shared<int>(5);
  int got = 0;
  world.loop.run_until_done(run_holding(pool, held, got));
  CHECK(got == 10);
  CHECK(held.use_count() == 1);
}

TEST_CASE("a pool that goes runs what is queued first, in order") {
  std::string log;
  {
    io::BlockingPool pool(1);
    for (const char* name : {"a", "b", "c"}) pool.post([&log, name] { log += name; });
  }
  CHECK(log == "abc");
}
