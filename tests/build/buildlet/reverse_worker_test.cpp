// The reverse mode against a coordinator in memory, on a virtual clock.
#include <build/base/random.h>
#include <build/buildlet/reverse_worker.h>
#include <build/net/client.h>
#include <io/clock.h>
#include <io/event.h>
#include <io/event_loop.h>
#include <revdial/dialer.h>
#include <revdial/pickups.h>
#include <revdial/switch.h>

#include <doctest/doctest.h>

#include <chrono>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "build/buildlet/worker_fixture.h"

using namespace build;
using namespace std::chrono_literals;
using buildlet::Registration;
using buildlet::ReverseWorker;

namespace {

Registration test_registration() {
  Registration registration;
  registration.host_type = "host-x";
  registration.hostname = "h";
  registration.key = "00112233445566778899aabbccddeeff";
  registration.worker_id = std::string(32, 'a');
  registration.instance_id = std::string(32, 'b');
  registration.features = {"persistent-id", "other"};
  return registration;
}

struct Coordinator {
  enum class Mood { welcoming, refusing, unreachable, hanging };

  Coordinator() : never(loop.executor()) {}

  // The worker dials.
  io::Task<io::StreamPtr> dial() {
    ++dials;
    dialed_at.push_back(clock.now());
    if (mood == Mood::unreachable) throw std::runtime_error("connecting to farm:443: connection refused");
    if (mood == Mood::hanging) co_await never.wait();
    io::StreamPair pair = io::make_memory_pair(loop.executor());
    io::spawn(loop.executor(), serve(std::move(pair.second)), [](std::exception_ptr) {});
    co_return std::move(pair.first);
  }

  io::Task<> serve(io::StreamPtr stream) {
    std::string request;
    std::string buffer(4096, '\0');
    const io::asio::mutable_buffer into = io::asio::buffer(buffer);
    while (!request.ends_with("\r\n\r\n")) {
      const std::size_t n = co_await stream->read_some(into);
      if (n == 0) co_return;
      request.append(buffer, 0, n);
    }
    if (request.starts_with("GET /revdial?revdial.dialer=")) {
      const std::string_view answer = revdial::kSwitchResponse;
      co_await stream->write(answer);
      const std::size_t token = request.find('=') + 1;
      pickups.offer(request.substr(token, revdial::kTokenDigits), std::move(stream));
      co_return;
    }
    registrations.push_back(request);
    if (mood == Mood::refusing) {
      const std::string_view answer =
          "HTTP/1.1 412 Precondition Failed\r\nContent-Length: 18\r\n\r\ninvalid build key\n";
      co_await stream->write(answer);
      co_return;
    }
    const std::string_view answer = revdial::kSwitchResponse;
    co_await stream->write(answer);
    revdial::DialerOptions options;
    options.random = [](std::span<std::byte> bytes) {
      static unsigned char next = 0;
      for (std::byte& byte : bytes) byte = static_cast<std::byte>(next++);
    };
    auto session = std::make_unique<revdial::Dialer>(std::move(stream), clock, pickups, options);
    dialer = session.get();
    const revdial::SessionEnd end = co_await session->run();
    ended.push_back(end.text);
    dialer = nullptr;
  }

  void settle() {
    while (loop.poll() > 0) {
    }
  }
  void advance(io::Duration amount) {
    clock.advance(amount, [this] { settle(); });
    settle();
  }

  io::EventLoop loop;
  io::VirtualClock clock;
  revdial::Pickups pickups;
  io::Event never;
  Mood mood = Mood::welcoming;
  int dials = 0;
  std::vector<io::Instant> dialed_at;
  std::vector<std::string> registrations;
  std::vector<std::string> ended;
  revdial::Dialer* dialer = nullptr;
};

struct Working {
  explicit Working(Coordinator& at)
      : coordinator(at),
        http(at.loop.executor(), at.clock,
             [](net::Request&, net::Response& response) -> io::Task<> { co_await response.send(200, "hello"); }),
        worker(
            at.loop.executor(), at.clock, random, [&at] { return at.dial(); }, http, test_registration(), log) {
    io::spawn(at.loop.executor(), run(), [this](std::exception_ptr) { failed = true; });
    at.settle();
  }

  io::Task<> run() {
    co_await worker.run();
    done = true;
  }

  ~Working() {
    worker.stop();
    coordinator.settle();
    io::spawn(coordinator.loop.executor(), http.stop(), [](std::exception_ptr) {});
    coordinator.advance(2s);
    CHECK(done);
    CHECK(!failed);
  }

  bool logged(const std::string& text) const {
    for (const std::string& line : lines) {
      if (line.find(text) != std::string::npos) return true;
    }
    return false;
  }

  Coordinator& coordinator;
  base::SeededRandom random{3};
  std::vector<std::string> lines;
  base::Logger log{[this] { return coordinator.clock.wall_now(); },
                   [this](std::string_view line) { lines.emplace_back(line); }};
  net::Server http;
  ReverseWorker worker;
  bool done = false;
  bool failed = false;
};

}  // namespace

TEST_CASE("the registration has the original's headers in its order, and ours behind them") {
  CHECK(io::serialize(buildlet::registration_request(test_registration())) ==
        "GET /reverse HTTP/1.1\r\n"
        "Host: \r\n"
        "User-Agent: Go-http-client/1.1\r\n"
        "X-Go-Builder-Hostname: h\r\n"
        "X-Go-Builder-Key: 00112233445566778899aabbccddeeff\r\n"
        "X-Go-Builder-Version: 28\r\n"
        "X-Go-Host-Type: host-x\r\n"
        "X-Revdial-Version: 2\r\n"
        "X-Xbuild-Features: persistent-id,other\r\n"
        "X-Xbuild-Instance-Id: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n"
        "X-Xbuild-Worker-Id: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"
        "\r\n");
}

TEST_CASE("a registered worker serves the connections that come back") {
  Coordinator coordinator;
  Working working(coordinator);
  REQUIRE(coordinator.dialer != nullptr);
  CHECK(working.logged("connected to the coordinator"));
  std::string body;
  const auto ask = [](Coordinator& at, std::string& into) -> io::Task<> {
    io::StreamPtr stream = co_await at.dialer->dial(10s);
    net::ClientConnection connection(std::move(stream), at.clock);
    io::RequestHead head;
    head.target = "/status";
    const net::SimpleResponse response = co_await connection.request(head);
    into += response.body;
  };
  for (int i = 0; i < 3; ++i) io::spawn(coordinator.loop.executor(), ask(coordinator, body), [](std::exception_ptr) {});
  coordinator.settle();
  CHECK(body == "hellohellohello");
}

TEST_CASE("a lost session is dialed again within five seconds, and at once counts again") {
  Coordinator coordinator;
  Working working(coordinator);
  for (int lost = 1; lost <= 3; ++lost) {
    coordinator.advance(61s);  // long enough for the next pause to be a first one
    REQUIRE(coordinator.dialer != nullptr);
    coordinator.dialer->close();
    coordinator.advance(1ms);
    CHECK(working.logged("lost the coordinator"));
    CHECK(working.logged("retry in "));
    coordinator.advance(5s);
    CHECK(coordinator.dials == lost + 1);
    CHECK(coordinator.registrations.size() == static_cast<std::size_t>(lost) + 1);
  }
}

TEST_CASE("pauses grow to a minute while the coordinator is away, and not beyond") {
  Coordinator coordinator;
  coordinator.mood = Coordinator::Mood::unreachable;
  Working working(coordinator);
  for (int i = 0; i < 200; ++i) coordinator.advance(10s);
  REQUIRE(coordinator.dialed_at.size() > 20);
  io::Duration longest{};
  for (std::size_t i = 1; i < coordinator.dialed_at.size(); ++i) {
    const io::Duration pause = coordinator.dialed_at[i] - coordinator.dialed_at[i - 1];
    CHECK(pause <= 60s);
    longest = std::max(longest, pause);
  }
  CHECK(coordinator.dialed_at[1] - coordinator.dialed_at[0] <= 5s);
  CHECK(coordinator.dialed_at[2] - coordinator.dialed_at[1] <= 10s);
  CHECK(longest > 40s);
  CHECK(working.logged("connecting to farm:443: connection refused"));
  coordinator.mood = Coordinator::Mood::welcoming;
  coordinator.advance(60s);
  CHECK(coordinator.dialer != nullptr);
}

TEST_CASE("a refusal is said in the coordinator's words and tried again every minute") {
  Coordinator coordinator;
  coordinator.mood = Coordinator::Mood::refusing;
  Working working(coordinator);
  CHECK(coordinator.dials == 1);
  CHECK(
      working.logged("the coordinator refused the registration: want HTTP status 101 or 307; got 412 Precondition "
                     "Failed: invalid build key"));
  CHECK(working.logged("retry in 60.0 s"));
  coordinator.advance(59s);
  CHECK(coordinator.dials == 1);
  coordinator.advance(2s);
  CHECK(coordinator.dials == 2);
  // The key is nobody's business but the coordinator's.
  CHECK(!working.logged("00112233445566778899aabbccddeeff"));
}

TEST_CASE("a coordinator that hangs after the request is given up") {
  Coordinator coordinator;
  Working working(coordinator);
  REQUIRE(coordinator.dialer != nullptr);
  coordinator.dialer->close();
  coordinator.mood = Coordinator::Mood::unreachable;
  coordinator.advance(60s);
  CHECK(coordinator.dials > 2);
}

TEST_CASE("a worker can be stopped while it serves, pauses and dials") {
  SUBCASE("serving") {
    Coordinator coordinator;
    Working working(coordinator);
    working.worker.stop();
    coordinator.advance(2s);
    CHECK(working.done);
    CHECK(coordinator.ended.size() == 1);
  }
  SUBCASE("pausing") {
    Coordinator coordinator;
    coordinator.mood = Coordinator::Mood::unreachable;
    Working working(coordinator);
    working.worker.stop();
    coordinator.settle();
    CHECK(working.done);
  }
  SUBCASE("dialing") {
    Coordinator coordinator;
    coordinator.mood = Coordinator::Mood::hanging;
    Working working(coordinator);
    working.worker.stop();
    coordinator.settle();
    CHECK(working.done);
  }
}
