#include <io/event.h>
#include <io/tcp.h>
#include <io/tls.h>
#include <revdial/dialer.h>
#include <revdial/listener.h>
#include <revdial/switch.h>

#include "harness.h"

#include <array>
#include <exception>
#include <memory>
#include <optional>
#include <string>

using namespace revdial;
using namespace std::chrono_literals;

namespace {

void fill(std::span<std::byte> bytes) {
  static unsigned char next = 0;
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(next++);
}

/// A server as the coordinator's, on a port of its own: the first request of a connection registers a worker,
/// later ones pick connections up.
struct Server {
  io::EventLoop& loop;
  io::Event& progress;
  io::RealClock& clock;
  io::CertificatePem identity =
      io::make_self_signed("test", {"127.0.0.1"}, clock.wall_now() - 1h, std::chrono::days(2));
  io::TlsServerContext tls{identity};
  io::TcpListener tcp{loop.executor(), io::HostPort{"127.0.0.1", "0"}};
  Pickups pickups;
  std::unique_ptr<Dialer> dialer;
  std::exception_ptr failure;  ///< of whatever is under way; serve()'s end comes last

  static io::Task<> serve(Server& self) {
    for (;;) {
      io::StreamPtr transport = co_await self.tcp.accept(self.clock);
      io::StreamPtr stream = co_await self.tls.accept(std::move(transport), self.clock, 10s);
      std::string head;
      while (!head.ends_with("\r\n\r\n")) {
        std::array<char, 512> piece;
        const auto room = boost::asio::buffer(piece);
        const std::size_t count = co_await stream->read_some(room);
        if (count == 0) throw std::runtime_error("a client went away");
        head.append(piece.data(), count);
      }
      const io::RequestHead request = io::parse_request_head(head);
      const std::string token = request.target.substr(request.target.find('=') + 1);
      if (request.target != "/reverse" &&
          check_pickup(stream->secure(), request.method, token, self.pickups).status != 101) {
        // A connection that was to be kept ready, and the session has ended meanwhile.
        if (!self.dialer->closed()) throw std::runtime_error("an unexpected pick-up: " + request.target);
        stream->close();
        continue;
      }
      co_await stream->write(kSwitchResponse);
      if (request.target == "/reverse") {
        self.dialer =
            std::make_unique<Dialer>(std::move(stream), self.clock, self.pickups, DialerOptions{.random = fill});
        self.progress.notify_all();
      } else {
        self.pickups.offer(token, std::move(stream));
      }
    }
  }
};

/// The worker: greets on every connection and writes back what it hears until the end.
struct Worker {
  io::EventLoop& loop;
  io::Event& progress;
  io::RealClock& clock;
  io::HostPort address;
  io::TlsClientContext tls;
  std::unique_ptr<Listener> listener;
  std::optional<SessionEnd> end;

  static io::Task<io::StreamPtr> connect(Worker& self) {
    io::StreamPtr transport = co_await io::tcp_connect(self.loop.executor(), self.clock, self.address, 10s);
    co_return co_await self.tls.connect(std::move(transport), "127.0.0.1", self.clock, 10s);
  }

  static io::Task<> echo(io::StreamPtr stream) {
    for (;;) {
      std::array<char, 512> piece;
      const auto room = boost::asio::buffer(piece);
      const std::size_t count = co_await stream->read_some(room);
      if (count == 0) break;
      co_await stream->write(std::string_view(piece.data(), count));
    }
    co_await stream->shutdown_write();
    stream->close();
  }

  static io::Task<> accept(Worker& self) {
    for (;;) {
      io::StreamPtr stream = co_await self.listener->accept();
      if (!stream) co_return;
      io::spawn(self.loop.executor(), echo(std::move(stream)), [](const std::exception_ptr&) {});
    }
  }

  static io::Task<> run(Worker& self) {
    io::StreamPtr stream = co_await connect(self);
    io::RequestHead request = switch_request("/reverse");
    io::StreamPtr control = co_await switch_protocols(std::move(stream), std::move(request), self.clock, 10s);
    self.listener = std::make_unique<Listener>(
        std::move(control), [&self] { return connect(self); }, self.clock);
    io::spawn(self.loop.executor(), accept(self), [](const std::exception_ptr&) {});
    self.end = co_await self.listener->run();
    self.progress.notify_all();
  }
};

io::Task<> exchange(Dialer& dialer, std::string text, io::Event& progress, int& done) {
  io::StreamPtr stream = co_await dialer.dial(10s);
  co_await stream->write(text);
  co_await stream->shutdown_write();
  std::string back;
  for (;;) {
    std::array<char, 512> piece;
    const auto room = boost::asio::buffer(piece);
    const std::size_t count = co_await stream->read_some(room);
    if (count == 0) break;
    back.append(piece.data(), count);
  }
  CHECK(back == text);
  stream->close();
  ++done;
  progress.notify_all();
}

io::Task<> run_session(Dialer& dialer, io::Event& progress, std::optional<SessionEnd>& end) {
  end = co_await dialer.run();
  progress.notify_all();
}

io::Task<> drive(Server& server, Worker& worker, io::Event& progress) {
  const auto start = [&server](io::Task<> task) {
    io::spawn(server.loop.executor(), std::move(task), [&server](const std::exception_ptr& error) {
      server.failure = error;
      server.progress.notify_all();
    });
  };
  const auto check = [&server] {
    if (server.failure) std::rethrow_exception(server.failure);
  };
  start(Server::serve(server));
  start(Worker::run(worker));
  while (!server.dialer) {
    co_await progress.wait();
    check();
  }
  Dialer& dialer = *server.dialer;
  std::optional<SessionEnd> end;
  start(run_session(dialer, progress, end));

  int done = 0;
  for (int i = 0; i < 3; ++i) co_await exchange(dialer, "request " + std::to_string(i), progress, done);
  for (int i = 0; i < 10; ++i) {
    start(exchange(dialer, std::string(3000, static_cast<char>('a' + i)), progress, done));
  }
  while (done < 13) {
    co_await progress.wait();
    check();
  }
  dialer.close();
  while (!end || !worker.end) {
    co_await progress.wait();
    check();
  }
  CHECK(end->cause == SessionEnd::Cause::closed_here);
  CHECK(worker.end->cause == SessionEnd::Cause::closed_by_peer);
  server.tcp.close();
}

}  // namespace

TEST_CASE("over real TLS a worker registers, is dialed one after another and ten times at once, and sees the end") {
  io::EventLoop loop;
  io::RealClock clock;
  io::Event progress(loop.executor());
  Server server{loop, progress, clock};
  io::TlsTrust trust{.kind = io::TlsTrust::Kind::fingerprint};
  trust.fingerprint = io::fingerprint_of(server.identity.certificate);
  Worker worker{loop,
                progress,
                clock,
                io::HostPort{"127.0.0.1", std::to_string(server.tcp.port())},
                io::TlsClientContext(trust),
                nullptr,
                {}};
  loop.run_until_done(drive(server, worker, progress));
  while (loop.poll() > 0) {
  }
}
