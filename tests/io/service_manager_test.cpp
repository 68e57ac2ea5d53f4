#include <io/event_loop.h>
#include <io/service_manager.h>

#include <doctest/doctest.h>

#include "support/support.h"

#include <cstdlib>
#include <string>
#include <vector>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

using namespace std::chrono_literals;

namespace {

/// The service manager's end: a datagram socket at a path, or with "@" in the abstract namespace.
class Manager {
 public:
  explicit Manager(const std::string& name) : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path, sizeof address.sun_path - 1);
    if (name.front() == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    REQUIRE(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), size) == 0);
  }
  ~Manager() { ::close(fd_); }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  /// Every message that has come.
  std::vector<std::string> messages() const {
    std::vector<std::string> all;
    char buffer[4096];
    for (ssize_t size; (size = ::recv(fd_, buffer, sizeof buffer, 0)) >= 0;)
      all.emplace_back(buffer, static_cast<std::size_t>(size));
    return all;
  }

 private:
  int fd_;
};

struct World {
  io::EventLoop loop;
  io::VirtualClock clock;
  std::vector<std::string> errors;

  io::ServiceManager manager(io::ServiceManager::Place place) {
    return {loop.executor(), clock, std::move(place),
            [this](const std::string& sentence) { errors.push_back(sentence); }};
  }
  void advance(io::Duration amount) {
    clock.advance(amount, [this] { loop.poll(); });
  }
};

using Messages = std::vector<std::string>;

}  // namespace

TEST_CASE("the service manager is told what this program does, at a path and in the abstract namespace") {
  const testing::TempDir directory;
  for (const std::string& socket : {(directory / "notify").string(), "@xbuild-test-" + std::to_string(::getpid())}) {
    CAPTURE(socket);
    const Manager peer(socket);
    World world;
    io::ServiceManager manager = world.manager({.socket = socket, .watchdog = {}});
    manager.ready("serving");
    manager.status("two lines\nREADY=0");
    world.advance(1500ms);
    manager.reloading("reading farm.toml");
    manager.stopping("waiting for 3 builds");
    CHECK(peer.messages() == Messages{"READY=1\nSTATUS=serving\n", "STATUS=two lines READY=0\n",
                                      "RELOADING=1\nMONOTONIC_USEC=1500000\nSTATUS=reading farm.toml\n",
                                      "STOPPING=1\nSTATUS=waiting for 3 builds\n"});
    CHECK(world.errors.empty());
  }
}

TEST_CASE("a sign of life is sent twice in the time asked for, as long as the event loop turns") {
  const testing::TempDir directory;
  const Manager peer((directory / "notify").string());
  World world;
  const io::ServiceManager manager = world.manager({.socket = (directory / "notify").string(), .watchdog = 30s});
  CHECK(peer.messages() == Messages{"WATCHDOG=1\n"});
  world.advance(14s);
  CHECK(peer.messages().empty());
  world.advance(1s);
  CHECK(peer.messages() == Messages{"WATCHDOG=1\n"});
  world.advance(60s);
  CHECK(peer.messages().size() == 4);
  // A loop that hangs: time goes on, but nothing that is due is run.
  world.clock.advance(60s, [] {});
  CHECK(peer.messages().empty());
}

TEST_CASE("without a service manager nothing is sent and nothing is wrong") {
  World world;
  io::ServiceManager manager = world.manager({});
  manager.ready("serving");
  manager.stopping("stopping");
  CHECK(world.errors.empty());
  CHECK_FALSE(world.clock.next_due());
}

TEST_CASE("a service manager that cannot be reached is complained about once") {
  const testing::TempDir directory;
  for (const std::string& socket : {(directory / "nobody").string(), std::string(200, 'x')}) {
    World world;
    io::ServiceManager manager = world.manager({.socket = socket, .watchdog = 1s});
    manager.ready("serving");
    world.advance(10s);
    REQUIRE(world.errors.size() == 1);
    CHECK(world.errors.front().starts_with("telling the service manager at " + socket));
    CHECK_FALSE(world.clock.next_due());
  }
}

TEST_CASE("a manager that does not read holds nobody up, and gets the oldest messages later") {
  const testing::TempDir directory;
  const Manager peer((directory / "notify").string());
  World world;
  io::ServiceManager manager = world.manager({.socket = (directory / "notify").string(), .watchdog = {}});
  for (int i = 0; i < 2000; ++i) manager.status(std::to_string(i));
  Messages all;
  for (Messages some = peer.messages(); !some.empty(); some = peer.messages()) {
    all.insert(all.end(), some.begin(), some.end());
    world.loop.poll();
  }
  CHECK(all.size() > io::ServiceManager::kMaxQueued);
  CHECK(all.size() < 2000);
  for (std::size_t i = 0; i < all.size(); ++i) CHECK(all[i] == "STATUS=" + std::to_string(i) + "\n");
  CHECK(world.errors.empty());
}

TEST_CASE("what the service manager wants is taken out of the environment") {
  const std::string me = std::to_string(::getpid());
  struct Case {
    const char *socket, *microseconds, *pid;
    std::optional<io::Duration> watchdog;
  };
  const Case cases[] = {
      {"/run/systemd/notify", "30000000", me.c_str(), 30s},
      {"@abstract", "30000000", nullptr, 30s},
      {"/n", "30000000", "1", {}},
      {"/n", "0", nullptr, {}},
      {"/n", "-5", nullptr, {}},
      {"/n", "soon", nullptr, {}},
      {"/n", "99999999999999999999", nullptr, {}},
      {"/n", "9223372036854775807", nullptr, 1h},
      {"/n", nullptr, nullptr, {}},
  };
  for (const Case& each : cases) {
    ::setenv("NOTIFY_SOCKET", each.socket, 1);
    if (each.microseconds != nullptr) ::setenv("WATCHDOG_USEC", each.microseconds, 1);
    if (each.pid != nullptr) ::setenv("WATCHDOG_PID", each.pid, 1);
    const auto place = io::ServiceManager::take_from_environment();
    CHECK(place.socket == each.socket);
    CHECK((place.watchdog == each.watchdog));
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) CHECK(std::getenv(name) == nullptr);
  }
  CHECK(io::ServiceManager::take_from_environment().socket.empty());
}
