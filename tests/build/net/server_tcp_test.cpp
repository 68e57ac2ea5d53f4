// The server on real sockets and the real clock.
#include "world.h"

#include <io/tcp.h>
#include <io/tls.h>

using namespace build::net;
using namespace std::chrono_literals;

namespace {

io::Task<> echo_path(Request& request, Response& response) {
  const std::string body = co_await request.body().read_all(16 * 1024 * 1024);
  co_await response.send(200, "text/plain", request.path() + ":" + body);
}

struct TcpWorld {
  io::EventLoop loop;
  io::RealClock clock;
  io::TcpListener listener{loop.executor(), io::HostPort{"127.0.0.1", "0"}};
  io::HostPort address{"127.0.0.1", std::to_string(listener.port())};
};

io::Task<> ask_three_times(TcpWorld& world, Server& server) {
  io::StreamPtr stream = co_await io::tcp_connect(world.loop.executor(), world.clock, world.address, 10s);
  ClientConnection client(std::move(stream), world.clock);
  const std::string body(300'000, 'b');
  for (int i = 0; i < 3; ++i) {
    io::RequestHead head;
    head.method = "POST";
    head.target = "/" + std::to_string(i);
    const SimpleResponse answer = co_await client.request(head, body, 1024 * 1024);
    CHECK(answer.head.status == 200);
    CHECK(answer.body == head.target + ":" + body);
    CHECK(client.reusable());
    CHECK(server.connections() == 1);
  }
}

io::Task<> ask_once(TcpWorld& world, std::string& got) {
  io::StreamPtr stream = co_await io::tcp_connect(world.loop.executor(), world.clock, world.address, 10s);
  ClientConnection client(std::move(stream), world.clock);
  io::RequestHead head;
  const SimpleResponse answer = co_await client.request(head);
  got = answer.body;
}

io::Task<> push_out_the_idle_one(TcpWorld& world, int& answered, std::size_t& closed) {
  io::StreamPtr stream = co_await io::tcp_connect(world.loop.executor(), world.clock, world.address, 10s);
  ClientConnection first(std::move(stream), world.clock);
  io::RequestHead head;
  SimpleResponse answer = co_await first.request(head);
  if (answer.head.status == 200 && first.reusable()) ++answered;
  // The second says nothing, so the third finds no room but that of the first, which is idle for longer.
  const io::StreamPtr silent = co_await io::tcp_connect(world.loop.executor(), world.clock, world.address, 10s);
  stream = co_await io::tcp_connect(world.loop.executor(), world.clock, world.address, 10s);
  ClientConnection third(std::move(stream), world.clock);
  answer = co_await third.request(head);
  if (answer.head.status == 200) ++answered;
  try {
    co_await first.request(head);
  } catch (const ConnectionLost&) {
    ++closed;
  }
}

io::Task<> connect_all_then_ask(TcpWorld& world, int& answered) {
  std::vector<std::unique_ptr<ClientConnection>> crowd;
  for (int i = 0; i < 10; ++i) {
    io::StreamPtr stream = co_await io::tcp_connect(world.loop.executor(), world.clock, world.address, 10s);
    crowd.push_back(std::make_unique<ClientConnection>(std::move(stream), world.clock));
  }
  for (auto& client : crowd) {
    io::RequestHead head;
    const SimpleResponse answer = co_await client->request(head);
    if (answer.head.status == 200) ++answered;
    client.reset();
  }
}

io::Task<> then_stop(io::Task<> first, Server& server) {
  auto outcome = std::make_shared<testing::Outcome>();
  co_await testing::watch_task(std::move(first), outcome);
  co_await server.stop();
  CHECK(outcome->error == "");
}

void serve_while(TcpWorld& world, Server& server, io::Task<> task) {
  auto outcome = std::make_shared<testing::Outcome>();
  io::spawn(world.loop.executor(), testing::watch_task(server.serve(world.listener), outcome),
            [](std::exception_ptr) {});
  world.loop.run_until_done(then_stop(std::move(task), server));
  while (!outcome->done) world.loop.poll();
  CHECK(outcome->error == "");
}

}  // namespace

TEST_CASE("one TCP connection carries several exchanges with large bodies") {
  TcpWorld world;
  Server server(world.loop.executor(), world.clock, echo_path);
  serve_while(world, server, ask_three_times(world, server));
  CHECK(server.connections() == 0);
}

TEST_CASE("at the cap of connections idle ones make room for new ones") {
  TcpWorld world;
  Server server(world.loop.executor(), world.clock, echo_path,
                {.head_timeout = 1h, .first_timeout = 1h, .idle_timeout = 1h, .max_connections = 2, .least_idle = 1ms});
  int answered = 0;
  std::size_t closed = 0;
  serve_while(world, server, push_out_the_idle_one(world, answered, closed));
  CHECK(answered == 2);
  CHECK(closed == 1);
}

TEST_CASE("whoever has just connected is not idle, however many come at once") {
  TcpWorld world;
  Server server(world.loop.executor(), world.clock, echo_path, {.max_connections = 2});
  int answered = 0;
  serve_while(world, server, connect_all_then_ask(world, answered));
  CHECK(answered == 10);
}

TEST_CASE("a large upload that is refused early still gets its answer") {
  struct Refuse {
    static io::Task<> run(Request&, Response&) {
      throw HttpError(403, "invalid password");
      co_return;
    }
    static io::Task<> upload(TcpWorld& world, int& status) {
      io::StreamPtr stream = co_await io::tcp_connect(world.loop.executor(), world.clock, world.address, 10s);
      ClientConnection client(std::move(stream), world.clock);
      io::RequestHead head;
      head.method = "PUT";
      head.fields.add("Host", "");
      head.fields.add("Content-Length", "4294967296");
      co_await client.send_head(head);
      const std::string piece(64 * 1024, '\0');
      std::size_t sent = 0;
      while (co_await client.send_body(piece)) sent += piece.size();
      CHECK(sent < 1'000'000'000);
      const io::ResponseHead answer = co_await client.read_head();
      status = answer.status;
      CHECK(co_await client.body().read_all(100) == "invalid password\n");
      CHECK_FALSE(client.reusable());
    }
  };
  TcpWorld world;
  Server server(world.loop.executor(), world.clock, Refuse::run);
  int status = 0;
  serve_while(world, server, Refuse::upload(world, status));
  CHECK(status == 403);
}

TEST_CASE("the accept loop ends when its listener is closed") {
  TcpWorld world;
  Server server(world.loop.executor(), world.clock, echo_path);
  std::string got;
  serve_while(world, server, ask_once(world, got));
  CHECK(got == "/:");
}
