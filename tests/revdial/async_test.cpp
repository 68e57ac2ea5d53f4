// Completion tokens of every kind, and the blocking faces.
#include <revdial/blocking.h>
#include <revdial/dialer.h>
#include <revdial/listener.h>
#include <revdial/switch.h>

#include "dialer_lines.h"
#include "harness.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <array>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <tuple>

using namespace revdial;
using namespace std::chrono_literals;
using namespace testing;
namespace asio = boost::asio;

namespace {

/// A Dialer and a Listener that reach each other in memory.
class Both {
 public:
  explicit Both(io::Executor executor, io::Clock& clock)
      : executor_(executor),
        control_(io::make_memory_pair(executor)),
        dialer(std::move(control_.first), clock, pickups_, {.random = counting()}),
        listener(
            std::move(control_.second), [this] { return dial_server(); }, clock) {}

  /// The way to the server, with no HTTP server at its end: any transport will do.
  io::Task<io::StreamPtr> dial_server() {
    auto pair = io::make_memory_pair(executor_);
    io::spawn(executor_, answer(std::move(pair.second)), [](std::exception_ptr) {});
    co_return std::move(pair.first);
  }

 private:
  io::Task<> answer(io::StreamPtr stream) {
    std::array<char, 512> piece;
    const auto room = asio::buffer(piece);
    const std::size_t count = co_await stream->read_some(room);
    const std::string_view request(piece.data(), count);
    const std::string token(request.substr(request.find('=') + 1, kTokenDigits));
    co_await stream->write(kSwitchResponse);
    pickups_.offer(token, std::move(stream));
  }

  io::Executor executor_;
  io::StreamPair control_;
  Pickups pickups_;

 public:
  Dialer dialer;
  Listener listener;
};

io::Task<> with_coroutines(Both& both, bool& done) {
  using namespace asio::experimental::awaitable_operators;
  auto [dialed, accepted] = co_await (both.dialer.async_dial(DialOptions{.limit = 5s}, asio::use_awaitable) &&
                                      both.listener.async_accept(asio::use_awaitable));
  const std::string_view text = "hello";
  co_await dialed.stream->write(text);
  std::array<char, 16> piece;
  const auto room = asio::buffer(piece);
  const std::size_t count = co_await accepted->read_some(room);
  done = std::string_view(piece.data(), count) == text;
}

}  // namespace

TEST_CASE("dials and accepts complete by call-back, future, coroutine and deferred operation") {
  World world;
  Both both(world.executor(), world.clock);
  auto ended = both.dialer.async_run(asio::use_future);
  bool listener_ended = false;
  both.listener.async_run([&](const std::exception_ptr&, const SessionEnd&) { listener_ended = true; });

  SUBCASE("call-back") {
    io::StreamPtr dialed, accepted;
    both.dialer.async_dial([&](const std::exception_ptr&, Dialed result) { dialed = std::move(result.stream); });
    both.listener.async_accept([&](const std::exception_ptr&, io::StreamPtr result) { accepted = std::move(result); });
    world.settle();
    CHECK(dialed);
    CHECK(accepted);
  }
  SUBCASE("future") {
    auto dialed = both.dialer.async_dial(asio::use_future);
    auto accepted = both.listener.async_accept(asio::use_future);
    world.settle();
    CHECK(dialed.get().stream);
    CHECK(accepted.get());
  }
  SUBCASE("coroutine") {
    bool done = false;
    world.start(with_coroutines(both, done));
    CHECK(done);
  }
  SUBCASE("deferred") {
    auto operation = both.dialer.async_dial(asio::deferred);
    world.settle();
    bool done = false;
    std::move(operation)([&](const std::exception_ptr&, Dialed result) { done = result.stream != nullptr; });
    world.settle();
    CHECK(done);
  }
  SUBCASE("errors") {
    both.dialer.close();
    auto dialed = both.dialer.async_dial(asio::use_future);
    world.settle();
    CHECK_THROWS_AS(dialed.get(), DialError);
  }
  SUBCASE("cancellation") {
    asio::cancellation_signal signal;
    std::exception_ptr error;
    both.listener.async_accept(asio::bind_cancellation_slot(
        signal.slot(), [&](const std::exception_ptr& failure, const io::StreamPtr&) { error = failure; }));
    world.settle();
    signal.emit(asio::cancellation_type::terminal);
    world.settle();
    REQUIRE(error);
    CHECK_THROWS_AS(std::rethrow_exception(error), boost::system::system_error);
  }
  both.dialer.close();
  world.settle();
  CHECK(ended.get().cause == SessionEnd::Cause::closed_here);
  CHECK(listener_ended);
}

TEST_CASE("code that blocks dials, accepts, reads and writes, each on a thread of its own") {
  io::LoopThread loop;
  io::RealClock clock;
  // The server's end, which lives on the loop.
  struct Server {
    Pickups pickups;
    std::shared_ptr<Dialer> dialer;
    std::promise<void> ended;
  };
  const auto server = std::make_shared<Server>();
  const auto answer = [server, &clock](io::StreamPtr stream) -> io::Task<> {
    std::array<char, 512> piece;
    const auto room = asio::buffer(piece);
    const std::size_t count = co_await stream->read_some(room);
    const std::string_view request(piece.data(), count);
    co_await stream->write(kSwitchResponse);
    if (request.starts_with("GET /revdial")) {
      const std::string token(request.substr(request.find('=') + 1, kTokenDigits));
      server->pickups.offer(token, std::move(stream));
      co_return;
    }
    server->dialer =
        std::make_shared<Dialer>(std::move(stream), clock, server->pickups, DialerOptions{.random = counting()});
    server->dialer->async_run([server](const std::exception_ptr&, const SessionEnd&) { server->ended.set_value(); });
  };
  const auto dial_server = [&loop, &answer]() -> io::Task<io::StreamPtr> {
    auto pair = io::make_memory_pair(loop.executor());
    io::spawn(loop.executor(), answer(std::move(pair.second)), [](std::exception_ptr) {});
    co_return std::move(pair.first);
  };

  auto listener = std::make_unique<BlockingListener>(loop, clock, dial_server, switch_request("/reverse"));
  std::thread worker([&] {
    while (BlockingStream stream = listener->accept()) {
      std::array<char, 64> piece;
      while (const std::size_t count = stream.read(piece)) stream.write({piece.data(), count});
      stream.shutdown_write();
    }
  });
  BlockingDialer dialer(loop, server->dialer);
  for (const std::string text : {"one", "two", "three"}) {
    BlockingStream stream = dialer.dial(10s);
    stream.write(text);
    stream.shutdown_write();
    std::string back;
    std::array<char, 2> piece;
    while (const std::size_t count = stream.read(piece)) back.append(piece.data(), count);
    CHECK(back == text);
  }
  listener->close();
  worker.join();
  listener.reset();
  server->ended.get_future().get();
  CHECK_THROWS_AS(dialer.dial(1s), DialError);
  const auto forget = [](std::shared_ptr<Server> last) -> io::Task<> {
    last->dialer.reset();
    co_return;
  };
  loop.run(forget(server));
}

TEST_CASE("a blocking listener whose registration is refused says so") {
  io::LoopThread loop;
  io::RealClock clock;
  const auto refuse = [](io::StreamPtr stream) -> io::Task<> {
    std::array<char, 512> request;
    const auto room = asio::buffer(request);
    co_await stream->read_some(room);
    const std::string_view answer = "HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno\n";
    co_await stream->write(answer);
  };
  const auto dial_server = [&]() -> io::Task<io::StreamPtr> {
    auto pair = io::make_memory_pair(loop.executor());
    io::spawn(loop.executor(), refuse(std::move(pair.second)), [](std::exception_ptr) {});
    co_return std::move(pair.first);
  };
  CHECK_THROWS_AS(BlockingListener(loop, clock, dial_server, switch_request("/reverse")), SwitchError);
}
