#include <io/clock.h>

#include <doctest/doctest.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>

#include "io/world.h"

namespace asio = boost::asio;
using namespace std::chrono_literals;
using namespace testing;

namespace {

struct VirtualWorld : World {
  io::VirtualClock time{io::WallTime{1'700'000'000s}};
  void advance(io::Duration amount) {
    time.advance(amount, [this] { loop.poll(); });
  }
};

io::Task<> sleep_and_note(io::Clock& clock, io::Duration delay, std::string name, std::string& log) {
  co_await clock.sleep_for(delay);
  log += name;
}

io::Task<> sleep_twice(io::Clock& clock, std::vector<io::Instant>& woken) {
  co_await clock.sleep_for(2s);
  woken.push_back(clock.now());
  co_await clock.sleep_for(3s);
  woken.push_back(clock.now());
}

}  // namespace

TEST_CASE("virtual time stands still until it is moved") {
  VirtualWorld world;
  const auto start = world.time.now();
  CHECK(world.time.wall_now() == io::WallTime{1'700'000'000s});
  world.loop.poll();
  CHECK(world.time.now() == start);
  world.advance(90s);
  CHECK(world.time.now() == start + 90s);
  CHECK(world.time.wall_now() == io::WallTime{1'700'000'090s});
}

TEST_CASE("virtual alarms ring in the order of their times, equal ones in the order they were asked for") {
  VirtualWorld world;
  std::string log;
  std::vector<io::Alarm> alarms;
  const auto ask = [&](io::Duration delay, const char* name) {
    alarms.push_back(world.time.call_after(world.loop.executor(), delay, [&log, name] { log += name; }));
  };
  ask(3s, "d");
  ask(1s, "a");
  ask(2s, "b");
  ask(2s, "c");
  CHECK(world.time.next_due() == world.time.now() + 1s);
  world.advance(1s);
  CHECK(log == "a");
  world.advance(10s);
  CHECK(log == "abcd");
  CHECK_FALSE(world.time.next_due().has_value());
}

TEST_CASE("a coroutine that sleeps repeatedly wakes at the exact instants of one long advance") {
  VirtualWorld world;
  const auto start = world.time.now();
  std::vector<io::Instant> woken;
  const Background sleeper(world.loop, sleep_twice(world.time, woken));
  world.advance(4s);
  CHECK(woken == std::vector{start + 2s});
  world.advance(10s);
  CHECK(woken == std::vector{start + 2s, start + 5s});
  CHECK(sleeper.done());
}

TEST_CASE("a cancelled or destroyed alarm does not ring") {
  VirtualWorld world;
  int rung = 0;
  auto first = world.time.call_after(world.loop.executor(), 1s, [&] { ++rung; });
  {
    const auto second = world.time.call_after(world.loop.executor(), 1s, [&] { ++rung; });
    auto third = world.time.call_after(world.loop.executor(), 1s, [&] { ++rung; });
    first = std::move(third);  // cancels the first; the third goes on
  }
  world.advance(2s);
  CHECK(rung == 1);
}

TEST_CASE("an alarm cancelled after its time, but before its call, does not ring") {
  VirtualWorld world;
  int rung = 0;
  io::Alarm second;
  const auto first = world.time.call_after(world.loop.executor(), 1s, [&] { second.cancel(); });
  second = world.time.call_after(world.loop.executor(), 1s, [&] { ++rung; });
  world.advance(1s);
  CHECK(rung == 0);
}

TEST_CASE("an alarm may outlive its virtual clock") {
  World world;
  io::Alarm alarm;
  {
    io::VirtualClock clock;
    alarm = clock.call_after(world.loop.executor(), 1s, [] {});
  }
  alarm.cancel();
}

TEST_CASE("cancelling a sleeping coroutine ends its sleep with operation_aborted") {
  VirtualWorld world;
  asio::cancellation_signal cancel;
  boost::system::error_code code;
  asio::co_spawn(world.loop.executor(), world.time.sleep_for(1h),
                 asio::bind_cancellation_slot(cancel.slot(), [&code](std::exception_ptr error) {
                   code = code_of([&] {
                     if (error) std::rethrow_exception(error);
                   });
                 }));
  world.loop.poll();
  CHECK(world.time.next_due().has_value());
  cancel.emit(asio::cancellation_type::terminal);
  world.loop.poll();
  CHECK(code == asio::error::operation_aborted);
  CHECK_FALSE(world.time.next_due().has_value());
}

TEST_CASE("the real clock's sleepers wake in the order of their delays") {
  World world;
  std::string log;
  const auto before = world.clock.now();
  std::vector<io::Task<>> tasks;
  tasks.push_back(sleep_and_note(world.clock, 20ms, "b", log));
  tasks.push_back(sleep_and_note(world.clock, 1ms, "a", log));
  world.run(std::move(tasks));
  CHECK(log == "ab");
  CHECK(world.clock.now() - before >= 20ms);
}

TEST_CASE("a real alarm that is cancelled keeps the event loop from nothing") {
  World world;
  auto alarm = world.clock.call_after(world.loop.executor(), io::Duration::max(), [] {});
  alarm.cancel();
  world.loop.run();  // returns, as nothing is left to wait for
  CHECK(world.clock.wall_now() > io::WallTime{1'700'000'000s});
}

TEST_CASE("a deadline expires once its limit is over, and not if it was disarmed or destroyed") {
  VirtualWorld world;
  int expiries = 0;
  const auto expire = [&] { ++expiries; };
  io::Deadline in_time(world.time, world.loop.executor(), 2s, expire);
  io::Deadline disarmed(world.time, world.loop.executor(), 2s, expire);
  { const io::Deadline destroyed(world.time, world.loop.executor(), 2s, expire); }
  disarmed.disarm();
  world.advance(1999ms);
  CHECK_FALSE(in_time.expired());
  world.advance(1ms);
  CHECK(in_time.expired());
  CHECK_FALSE(disarmed.expired());
  CHECK(expiries == 1);
}

TEST_CASE("a deadline that is restarted counts from then, and an expired one stays expired") {
  VirtualWorld world;
  int expiries = 0;
  io::Deadline deadline(world.time, world.loop.executor(), 2s, [&] { ++expiries; });
  world.advance(1500ms);
  deadline.restart();
  world.advance(1500ms);
  CHECK_FALSE(deadline.expired());
  world.advance(500ms);
  CHECK(deadline.expired());
  deadline.restart();
  world.advance(10s);
  CHECK(expiries == 1);
}
