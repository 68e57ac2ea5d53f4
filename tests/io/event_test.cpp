#include <io/event.h>
#include <io/event_loop.h>

#include <doctest/doctest.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include "io/world.h"

#include <csignal>
#include <optional>

namespace asio = boost::asio;
using namespace testing;

namespace {

io::Task<> fail_with(boost::system::error_code code) {
  throw boost::system::system_error(code, "as told");
  co_return;
}

io::Task<> count_waits(io::Event& event, int times, int& woken) {
  for (int i = 0; i < times; ++i) {
    co_await event.wait();
    ++woken;
  }
}

}  // namespace

TEST_CASE("an event wakes all who wait at that moment, and is not remembered") {
  World world;
  io::Event event(world.loop.executor());
  event.notify_all();
  int woken = 0;
  const Background first(world.loop, count_waits(event, 2, woken));
  const Background second(world.loop, count_waits(event, 1, woken));
  world.loop.poll();
  CHECK(woken == 0);
  event.notify_all();
  world.loop.poll();
  CHECK(woken == 2);
  CHECK(second.done());
  CHECK_FALSE(first.done());
  event.notify_all();
  world.loop.poll();
  CHECK(first.done());
}

TEST_CASE("an event that is destroyed wakes those who wait with operation_aborted") {
  World world;
  std::optional<io::Event> event(world.loop.executor());
  int woken = 0;
  const Background waiting(world.loop, count_waits(*event, 1, woken));
  world.loop.poll();
  event.reset();
  world.loop.poll();
  CHECK(waiting.code() == asio::error::operation_aborted);
}

TEST_CASE("an event notified and destroyed at once has still woken those who waited") {
  World world;
  std::optional<io::Event> event(world.loop.executor());
  int woken = 0;
  const Background waiting(world.loop, count_waits(*event, 1, woken));
  world.loop.poll();
  event->notify_all();
  event.reset();
  world.loop.poll();
  CHECK(waiting.done());
  CHECK(woken == 1);
}

TEST_CASE("cancelling a coroutine that waits for an event ends only its own wait") {
  World world;
  io::Event event(world.loop.executor());
  int woken = 0;
  const Background other(world.loop, count_waits(event, 1, woken));
  asio::cancellation_signal cancel;
  boost::system::error_code code;
  asio::co_spawn(world.loop.executor(), event.wait(),
                 asio::bind_cancellation_slot(cancel.slot(), [&code](std::exception_ptr error) {
                   code = code_of([&] {
                     if (error) std::rethrow_exception(error);
                   });
                 }));
  world.loop.poll();
  cancel.emit(asio::cancellation_type::terminal);
  world.loop.poll();
  CHECK(code == asio::error::operation_aborted);
  CHECK_FALSE(other.done());
  event.notify_all();
  world.loop.poll();
  CHECK(woken == 1);
}

TEST_CASE("a gate closes when the last one has left") {
  World world;
  io::Gate gate(world.loop.executor());
  std::optional<io::Gate::Pass> first(gate.enter());
  std::optional<io::Gate::Pass> second(gate.enter());
  std::optional<io::Gate::Pass> moved(std::move(*second));
  CHECK(gate.inside() == 2);
  const Background closing(world.loop, gate.close());
  world.loop.poll();
  CHECK(gate.closed());
  CHECK_FALSE(closing.done());
  first.reset();
  second.reset();
  world.loop.poll();
  CHECK_FALSE(closing.done());
  moved.reset();
  world.loop.poll();
  CHECK(closing.done());
  CHECK(gate.inside() == 0);
}

TEST_CASE("spawn hands errors to its handler, and a cancellation to nobody") {
  World world;
  std::vector<std::string> errors;
  const auto note = [&](std::exception_ptr error) {
    errors.push_back(complaint_of([&] { std::rethrow_exception(error); }));
  };
  io::spawn(world.loop.executor(), fail_with(asio::error::operation_aborted), note);
  io::spawn(world.loop.executor(), fail_with(asio::error::connection_reset), note);
  world.loop.run();
  REQUIRE(errors.size() == 1);
  CHECK(errors[0].starts_with("as told: "));
}

TEST_CASE("an event loop runs again after it ran out of work, and run_until_done throws what the task threw") {
  World world;
  int ran = 0;
  for (int round = 0; round < 2; ++round) {
    asio::post(world.loop.executor(), [&] { ++ran; });
    world.loop.run();
  }
  asio::post(world.loop.executor(), [&] { ++ran; });
  CHECK(world.loop.poll() == 1);
  CHECK(ran == 3);
  CHECK(code_of([&] { world.loop.run_until_done(fail_with(asio::error::eof)); }) == asio::error::eof);
}

TEST_CASE("an event loop that was stopped before it ran returns at once, and runs the next time") {
  World world;
  bool ran = false;
  asio::post(world.loop.executor(), [&] { ran = true; });
  world.loop.stop();
  world.loop.run();
  CHECK_FALSE(ran);
  world.loop.run();
  CHECK(ran);
}

TEST_CASE("an event loop reports signals, each time they come") {
  World world;
  int got = 0;
  world.loop.on_signals({SIGUSR1}, [&](int signal) {
    CHECK(signal == SIGUSR1);
    if (++got == 2) {
      world.loop.stop();
    } else {
      std::raise(SIGUSR1);
    }
  });
  std::raise(SIGUSR1);
  world.loop.run();
  CHECK(got == 2);
}

TEST_CASE("a loop that has gone leaves SIGHUP ignored, if it took it") {
  const auto has_action = [](int signal, void (*wanted)(int)) {
    struct sigaction action {};
    ::sigaction(signal, nullptr, &action);
    return action.sa_handler == wanted;
  };
  {
    io::EventLoop loop;
    loop.on_signals({SIGHUP, SIGUSR1}, [](int) {});
    CHECK_FALSE(has_action(SIGHUP, SIG_DFL));
  }
  CHECK(has_action(SIGHUP, SIG_IGN));
  CHECK(has_action(SIGUSR1, SIG_DFL));
  ::signal(SIGHUP, SIG_DFL);
}
