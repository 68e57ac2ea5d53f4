// POST /writetgz: an archive comes from a server of this test's, well behaved and otherwise.
#include <build/net/server.h>
#include <io/tcp.h>
#include <io/tls.h>

#include <doctest/doctest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "build/buildlet/worker_fixture.h"

using namespace build;
using testing::value_of;
using testing::WorkerFixture;
namespace fs = std::filesystem;

namespace {

/// A web server on loopback, with or without TLS.
struct Archives {
  explicit Archives(WorkerFixture& worker, const io::TlsServerContext* tls = nullptr)
      : worker(worker),
        server(worker.loop.executor(), worker.clock, routes()),
        listener(worker.loop.executor(), io::HostPort{"127.0.0.1", "0"}),
        secure(tls != nullptr) {
    io::spawn(worker.loop.executor(), server.serve(listener, tls), [](std::exception_ptr) {});
  }
  ~Archives() { worker.loop.run_until_done(server.stop()); }

  net::Router routes() {
    net::Router router;
    router.add("GET", "/good", [this](net::Request&, net::Response& r) { return r.send(200, archive); });
    router.add("GET", "/moved", [this](net::Request& q, net::Response& r) { return redirect(q, r); });
    router.add("GET", "/endless", [](net::Request&, net::Response& r) { return send_for_ever(r); });
    router.add("GET", "/silent", [this](net::Request&, net::Response& r) { return keep_silent(r); });
    router.add("GET", "/no-archive", [](net::Request&, net::Response& r) { return r.send(200, "hello"); });
    return router;
  }
  static io::Task<> redirect(net::Request& request, net::Response& response) {
    response.fields().set("Location", request.query().get("to"));
    co_await response.send(302);
  }
  static io::Task<> send_for_ever(net::Response& response) {
    co_await response.start(200);
    const std::string noise(32 * 1024, 'x');
    while (true) co_await response.write(noise);
  }
  io::Task<> keep_silent(net::Response& response) {
    io::Event gone(worker.loop.executor());
    response.on_client_gone([&gone] { gone.notify_all(); });
    asked = true;
    co_await gone.wait();
    left = true;
  }

  std::string url(const std::string& path) const {
    return (secure ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(listener.port()) + path;
  }

  WorkerFixture& worker;
  std::string archive;
  bool asked = false, left = false;
  net::Server server;
  io::TcpListener listener;
  bool secure;
};

std::string archive_of(WorkerFixture& worker, const std::string& content) {
  testing::write_file(worker.temp / "in/file", content);
  base::SubprocessSpec spec;
  spec.argv = {"/bin/tar", "-C", (worker.temp / "in").string(), "-czf", "-", "."};
  spec.environment = {"PATH=/usr/bin:/bin"};
  const base::RunLimits limits{.output_bytes = 4 << 20};
  const auto result = value_of(worker.loop, base::run_command(worker.loop.executor(), worker.clock, spec, limits));
  REQUIRE(result.ok());
  return result.output;
}

io::RequestHead post(const std::string& dir) {
  io::RequestHead head;
  head.method = "POST";
  head.target = "/writetgz?dir=" + dir;
  head.fields.add("Host", "w");
  head.fields.add("Content-Type", "application/x-www-form-urlencoded");
  return head;
}

net::SimpleResponse fetch(WorkerFixture& worker, const std::string& url, const std::string& dir = "in") {
  net::ClientConnection connection(worker.connect(), worker.clock);
  return value_of(worker.loop, connection.request(post(dir), "url=" + io::percent_encode(url)));
}

buildlet::ServerOptions with(buildlet::FetchOptions fetch) {
  buildlet::ServerOptions options = WorkerFixture::default_options();
  options.fetch = std::move(fetch);
  return options;
}

}  // namespace

TEST_CASE("an archive is fetched and unpacked, also through redirects") {
  WorkerFixture worker;
  Archives archives(worker);
  archives.archive = archive_of(worker, "content");
  const std::string moved = archives.url("/moved?to=" + io::percent_encode("/moved?to=%2Fgood"));
  for (const std::string& url : {archives.url("/good"), moved}) {
    CAPTURE(url);
    const net::SimpleResponse answer = fetch(worker, url);
    CHECK(answer.head.status == 200);
    CHECK(answer.body == "OK");
    CHECK(testing::read_file(worker.temp / "workdir/in/file") == "content");
    fs::remove_all(worker.temp / "workdir/in");
  }
}

TEST_CASE("https is verified") {
  WorkerFixture bare;
  const io::CertificatePem identity =
      io::make_self_signed("t", {"127.0.0.1"}, bare.clock.wall_now() - std::chrono::hours{1}, std::chrono::days{2});
  testing::write_file(bare.temp / "ca.pem", identity.certificate);
  const io::TlsServerContext tls(identity);
  buildlet::FetchOptions options;
  options.trust = {.kind = io::TlsTrust::Kind::ca_file, .ca_file = bare.temp / "ca.pem", .fingerprint = {}};
  WorkerFixture worker(with(options));
  Archives archives(worker, &tls);
  archives.archive = archive_of(worker, "content");
  CHECK(fetch(worker, archives.url("/good")).head.status == 200);
  CHECK(testing::read_file(worker.temp / "workdir/in/file") == "content");
  Archives theirs(bare, &tls);  // whom the system's authorities do not know
  const net::SimpleResponse refused = fetch(bare, theirs.url("/good"));
  CHECK(refused.head.status == 500);
  CHECK(refused.body.find("self-signed") != std::string::npos);
}

TEST_CASE("what cannot be fetched is said in the original's words") {
  WorkerFixture worker;
  Archives archives(worker);
  const auto failed = [&](const std::string& url) {
    const net::SimpleResponse answer = fetch(worker, url);
    CHECK(answer.head.status == 500);
    return answer.body;
  };
  const std::string metadata = "http://169.254.169.254/latest/user-data";
  CHECK(failed("ftp://h/x") == "fetching URL ftp://h/x: Get \"ftp://h/x\": unsupported protocol scheme \"ftp\"\n");
  CHECK(failed(archives.url("/none")) ==
        "writetgz: fetching provided URL \"" + archives.url("/none") + "\": 404 Not Found\n");
  CHECK(failed(archives.url("/moved")).find("302 Found") != std::string::npos);
  std::string loop = "/moved?to=x";
  for (int i = 0; i < 12; ++i) loop = "/moved?to=" + io::percent_encode(loop);
  CHECK(failed(archives.url(loop)).find("redirects") != std::string::npos);
  CHECK(failed(metadata).find("nothing is fetched from 169.254.169.254") != std::string::npos);
  CHECK(failed(archives.url("/moved?to=" + io::percent_encode(metadata))).find("nothing is fetched from") !=
        std::string::npos);
  CHECK(fetch(worker, archives.url("/no-archive")).head.status == 400);
}

TEST_CASE("a body without end, and one that does not come, are given up") {
  buildlet::FetchOptions small;
  small.bytes = 1 << 20;
  small.answer = std::chrono::milliseconds{50};
  WorkerFixture worker(with(small));
  Archives archives(worker);
  // No archive begins so; the bound is seen only by what begins like one.
  CHECK(fetch(worker, archives.url("/endless")).head.status == 400);
  archives.archive = archive_of(
      worker, value_of(worker.loop, base::run_command(worker.loop.executor(), worker.clock,
                                                      {.argv = {"/usr/bin/head", "-c", "2000000", "/dev/urandom"}},
                                                      {.output_bytes = 3 << 20}))
                  .output);
  const net::SimpleResponse long_one = fetch(worker, archives.url("/good"));
  CHECK(long_one.head.status == 500);
  CHECK(long_one.body.find("longer than 1048576 bytes") != std::string::npos);
  CHECK(!fs::exists(worker.temp / "workdir/in/file"));
  CHECK(fetch(worker, archives.url("/silent")).head.status == 500);
}

TEST_CASE("a client that leaves, and a worker that stops, end the fetching") {
  for (const bool stop : {false, true}) {
    CAPTURE(stop);
    WorkerFixture worker;
    Archives archives(worker);
    auto connection = std::make_unique<net::ClientConnection>(worker.connect(), worker.clock);
    const std::string body = "url=" + io::percent_encode(archives.url("/silent"));
    io::RequestHead head = post("in");
    head.fields.set("Content-Length", std::to_string(body.size()));
    const auto ask = [&]() -> io::Task<> {
      co_await connection->send_head(head);
      co_await connection->send_body(body);
      co_await connection->finish_body();
    };
    worker.loop.run_until_done(ask());
    CHECK(worker.wait_until([&] { return archives.asked; }));
    if (stop) {
      io::spawn(worker.loop.executor(), worker.server.stop(), [](std::exception_ptr) {});
    } else {
      connection.reset();
    }
    CHECK(worker.wait_until([&] { return archives.left; }));
  }
}
