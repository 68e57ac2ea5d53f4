#include <io/tcp.h>

#include <doctest/doctest.h>
#include <boost/asio/error.hpp>

#include "io/world.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using namespace testing;

namespace {

io::Task<> accept_one(io::TcpListener& listener, io::Clock& clock, io::StreamPtr& into) {
  into = co_await listener.accept(clock);
}

io::Task<> connect_to(io::EventLoop& loop, io::Clock& clock, io::HostPort address, io::StreamPtr& into) {
  into = co_await io::tcp_connect(loop.executor(), clock, address, 10s);
}

// Its queue is full and nobody accepts: the kernel leaves later connections unanswered.
class DeafPort {
 public:
  DeafPort() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* plain = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(bind(sockets_[0], plain, size) == 0);
    REQUIRE(listen(sockets_[0], 0) == 0);
    REQUIRE(getsockname(sockets_[0], plain, &size) == 0);
    number_ = std::to_string(ntohs(address.sin_port));
    for (std::size_t i = 1; i < sockets_.size(); ++i) (void)connect(sockets_[i], plain, size);
  }
  ~DeafPort() {
    for (const int socket : sockets_) close(socket);
  }
  DeafPort(const DeafPort&) = delete;
  DeafPort& operator=(const DeafPort&) = delete;

  const std::string& number() const { return number_; }

 private:
  static int new_socket() { return socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }
  std::array<int, 4> sockets_{new_socket(), new_socket(), new_socket(), new_socket()};
  std::string number_;
};

struct TcpWorld : World {
  io::TcpListener listener{loop.executor(), {"127.0.0.1", "0"}};
  io::StreamPtr client, server;

  TcpWorld() { connect("127.0.0.1"); }
  void connect(const std::string& host) {
    std::vector<io::Task<>> tasks;
    tasks.push_back(accept_one(listener, clock, server));
    tasks.push_back(connect_to(loop, clock, {host, std::to_string(listener.port())}, client));
    run(std::move(tasks));
  }
};

}  // namespace

TEST_CASE("addresses are taken apart and put together") {
  struct {
    const char* text;
    const char* host;
    const char* port;
  } const good[] = {{"example.org:80", "example.org", "80"},
                    {"[::1]:443", "::1", "443"},
                    {":80", "", "80"},
                    {"localhost:https", "localhost", "https"},
                    {"192.0.2.7:0", "192.0.2.7", "0"}};
  for (const auto& entry : good) {
    CAPTURE(entry.text);
    const auto address = io::HostPort::parse(entry.text);
    CHECK(address.host == entry.host);
    CHECK(address.port == entry.port);
    CHECK(address.str() == entry.text);
  }
  for (const char* bad : {"", ":", "example.org", "example.org:", "::1:80", "[::1]", "[::1]80", "[::1:80", "::1]:80",
                          "a:b:c", "[::1]:80:90", "[[::1]]:80", "a:8]0"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(io::HostPort::parse(bad), std::invalid_argument);
    CHECK(complaint_of([&] { io::HostPort::parse(bad); }).find("\"" + std::string(bad) + "\"") != std::string::npos);
  }
}

TEST_CASE("bytes go both ways over TCP, and each side can end its own") {
  TcpWorld world;
  const std::string sent = pattern(3'000'000);
  std::string got;
  std::vector<io::Task<>> tasks;
  tasks.push_back(echo(*world.server));
  tasks.push_back([](io::ByteStream& stream, std::string text) -> io::Task<> {
    co_await stream.write(text);
    co_await stream.shutdown_write();
  }(*world.client, sent));
  tasks.push_back(read_until_end(*world.client, got));
  world.run(std::move(tasks));
  CHECK(got == sent);
  CHECK_FALSE(world.client->secure());
  CHECK(world.client->peer() == "127.0.0.1:" + std::to_string(world.listener.port()));
}

TEST_CASE("closing a TCP stream ends its pending and later operations with operation_aborted") {
  TcpWorld world;
  std::string got;
  const Background reader(world.loop, read_until_end(*world.client, got));
  const Background writer(world.loop, write_all(*world.client, std::string(64 * 1024 * 1024, 'x')));
  world.loop.poll();
  CHECK_FALSE(reader.done());
  CHECK_FALSE(writer.done());
  world.client->close();
  world.loop.poll();
  CHECK(reader.code() == asio::error::operation_aborted);
  CHECK(writer.code() == asio::error::operation_aborted);
  CHECK(code_of([&] { world.loop.run_until_done(write_all(*world.client, "x")); }) == asio::error::operation_aborted);
  CHECK(code_of([&] { world.loop.run_until_done(read_until_end(*world.client, got)); }) ==
        asio::error::operation_aborted);
}

TEST_CASE("a TCP stream may be destroyed while a read is pending") {
  TcpWorld world;
  std::string got;
  const Background reader(world.loop, read_until_end(*world.client, got));
  world.loop.poll();
  world.client.reset();
  world.loop.poll();
  CHECK(reader.code() == asio::error::operation_aborted);
}

TEST_CASE("connecting by name works, and a port nobody listens on is named in the error") {
  TcpWorld world;
  world.connect("localhost");
  const std::string port = std::to_string(world.listener.port());
  world.listener.close();
  io::StreamPtr stream;
  const auto connect = [&] {
    world.loop.run_until_done(connect_to(world.loop, world.clock, {"127.0.0.1", port}, stream));
  };
  CHECK(code_of(connect) == asio::error::connection_refused);
  CHECK(complaint_of(connect).starts_with("connect to 127.0.0.1:" + port + ": "));
}

TEST_CASE("connecting ends with timed_out when its limit is over") {
  World world;
  const DeafPort port;
  io::VirtualClock clock;
  io::StreamPtr stream;
  const Background connecting(world.loop, connect_to(world.loop, clock, {"127.0.0.1", port.number()}, stream));
  clock.advance(9999ms, [&] { world.loop.poll(); });
  CHECK_FALSE(connecting.done());
  clock.advance(1ms, [&] { world.loop.poll(); });
  CHECK(connecting.code() == asio::error::timed_out);
}

TEST_CASE("listening on a port that is taken says which") {
  TcpWorld world;
  const io::HostPort taken{"127.0.0.1", std::to_string(world.listener.port())};
  const auto listen = [&] { const io::TcpListener second(world.loop.executor(), taken); };
  CHECK(code_of(listen) == asio::error::address_in_use);
  CHECK(complaint_of(listen).starts_with("listen on " + taken.str() + ": "));
}

TEST_CASE("closing a listener ends a pending accept") {
  World world;
  io::TcpListener listener(world.loop.executor(), {"localhost", "0"});
  io::StreamPtr stream;
  const Background accepting(world.loop, accept_one(listener, world.clock, stream));
  world.loop.poll();
  CHECK_FALSE(accepting.done());
  listener.close();
  world.loop.poll();
  CHECK(accepting.code() == asio::error::operation_aborted);
  CHECK(code_of([&] { world.loop.run_until_done(accept_one(listener, world.clock, stream)); }) ==
        asio::error::operation_aborted);
}

TEST_CASE("a listener on every address takes connections to the loopback one") {
  World world;
  io::TcpListener listener(world.loop.executor(), {"", "0"});
  io::StreamPtr client, server;
  std::vector<io::Task<>> tasks;
  tasks.push_back(accept_one(listener, world.clock, server));
  tasks.push_back(connect_to(world.loop, world.clock, {"127.0.0.1", std::to_string(listener.port())}, client));
  world.run(std::move(tasks));
  CHECK(client);
  CHECK(server);
}
