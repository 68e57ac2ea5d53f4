// Shows a server that nobody can reach to everybody. With a secret in $EXPOSE_SECRET:
//   public machine: expose LISTEN-INSIDE CERTIFICATE KEY LISTEN-VISITORS     (each LISTEN is a HOST:PORT)
//   beside SERVER:  expose PUBLIC-MACHINE CERTIFICATE-TO-TRUST SERVER        (HOST:PORTs, too)
#include <io/event_loop.h>
#include <io/relay.h>
#include <io/secret.h>
#include <revdial/listener.h>
#include <revdial/server.h>
#include <revdial/switch.h>
#include <cstdlib>
#include <iostream>
io::EventLoop loop;
io::RealClock real_clock;
const std::string secret = std::getenv("EXPOSE_SECRET");
constexpr io::Duration kPatience = std::chrono::seconds{10};
void start(io::Task<> task) {
  io::spawn(loop.executor(), std::move(task), [](std::exception_ptr) {});
}

io::Task<> introduce(io::StreamPtr visitor, io::Task<io::StreamPtr> finding_server) {
  io::StreamPtr server = co_await std::move(finding_server);
  co_await io::relay(std::move(visitor), std::move(server));
}

io::Task<> outside(io::HostPort address, io::CertificatePem identity, io::HostPort visitors_address) {
  const io::TlsServerContext tls(identity);
  std::shared_ptr<revdial::Dialer> inside;
  revdial::ServerOptions options;
  options.dialer = {.random = io::system_random, .max_ready = 0};  // the server may not like visitors who say nothing
  options.admit = [](const io::RequestHead& request) {
    return io::equal_in_constant_time(request.fields.get("X-Secret"), secret) ? "" : "wrong secret";
  };
  options.on_session = [&](const io::RequestHead&, std::shared_ptr<revdial::Dialer> dialer) { inside = dialer; };
  revdial::Server server(loop.executor(), real_clock, tls, options);
  io::TcpListener insiders(loop.executor(), address), visitors(loop.executor(), visitors_address);
  std::cout << "inside: port " << insiders.port() << ", visitors: port " << visitors.port() << std::endl;
  start(server.serve(insiders));
  while (io::StreamPtr visitor = co_await visitors.accept(real_clock))
    if (inside) start(introduce(std::move(visitor), inside->dial(kPatience)));
}

io::Task<> inside(io::HostPort address, io::TlsTrust trust, io::HostPort server) {
  const io::TlsClientContext tls(trust);
  const revdial::DialServer dial = revdial::over_tls(loop.executor(), real_clock, address, tls);
  io::RequestHead request = revdial::switch_request("/reverse");
  request.fields.add("X-Secret", secret);
  io::StreamPtr connection = co_await dial();
  connection = co_await revdial::switch_protocols(std::move(connection), request, real_clock, kPatience);
  revdial::Listener listener(std::move(connection), dial, real_clock);
  listener.async_run([](std::exception_ptr, const revdial::SessionEnd& end) { std::cerr << end.text << "\n"; });
  while (io::StreamPtr visitor = co_await listener.accept())
    start(introduce(std::move(visitor), io::tcp_connect(loop.executor(), real_clock, server, kPatience)));
}

int main(int, char** args) {
  const auto address = [&](int n) { return io::HostPort::parse(args[n]); };
  loop.run_until_done(args[4] ? outside(address(1), io::read_certificate(args[2], args[3]), address(4))
                              : inside(address(1), io::trust_in(args[2], ""), address(3)));
}
