#include <io/blocking_pool.h>
#include <io/tcp.h>
#include <io/tls.h>

#include <doctest/doctest.h>
#include <boost/asio/error.hpp>

#include "io/world.h"
#include "support/support.h"

#include <optional>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using namespace testing;

namespace {

using Kind = io::TlsTrust::Kind;

const io::WallTime kNow{1'700'000'000s};

io::CertificatePem certificate_for(const std::vector<std::string>& names) {
  return io::make_self_signed("a test", names, kNow - 24h, std::chrono::days(30));
}

io::Task<> accept(const io::TlsServerContext& context, io::StreamPtr transport, io::Clock& clock, io::StreamPtr& into) {
  into = co_await context.accept(std::move(transport), clock, 10s);
}

io::Task<> connect(const io::TlsClientContext& context, io::StreamPtr transport, std::string name, io::Clock& clock,
                   io::StreamPtr& into) {
  into = co_await context.connect(std::move(transport), name, clock, 10s);
}

// Both ends of one connection over a pair in memory, with the time standing still at kNow.
struct TlsWorld : World {
  io::VirtualClock time{kNow};
  io::CertificatePem identity = certificate_for({"farm.example", "192.0.2.7", "2001:db8::7"});
  io::TlsServerContext server_context{identity};
  io::StreamPtr client, server;

  void connect_over(io::StreamPair pair, const io::TlsTrust& trust, const std::string& name) {
    const io::TlsClientContext client_context(trust);
    const Background accepting(loop, accept(server_context, std::move(pair.second), time, server));
    loop.run_until_done(connect(client_context, std::move(pair.first), name, time, client));
    loop.run_until_done(accepting.ended());
    if (accepting.error()) std::rethrow_exception(accepting.error());
  }
  void connect_in_memory(std::size_t capacity = 64 * 1024) {
    connect_over(io::make_memory_pair(loop.executor(), capacity), {.kind = Kind::anyone}, "farm.example");
  }
  void advance(io::Duration amount) {
    time.advance(amount, [this] { loop.poll(); });
  }
};

void exchange_at_once(TlsWorld& world, std::size_t size) {
  const std::string forth = pattern(size), back(size, 'b');
  std::string got_forth, got_back;
  std::vector<io::Task<>> tasks;
  const auto write_and_end = [](io::ByteStream& stream, const std::string& text) -> io::Task<> {
    co_await stream.write(text);
    co_await stream.shutdown_write();
  };
  tasks.push_back(write_and_end(*world.client, forth));
  tasks.push_back(write_and_end(*world.server, back));
  tasks.push_back(read_until_end(*world.client, got_back));
  tasks.push_back(read_until_end(*world.server, got_forth));
  world.run(std::move(tasks));
  CHECK(got_forth == forth);
  CHECK(got_back == back);
}

// Notes what is written through it.
class Recorder final : public io::ByteStream {
 public:
  Recorder(io::StreamPtr stream, std::vector<std::string>& writes) : stream_(std::move(stream)), writes_(writes) {}
  io::Executor executor() override { return stream_->executor(); }
  io::Task<std::size_t> read_some(asio::mutable_buffer into) override { return stream_->read_some(into); }
  io::Task<> write(asio::const_buffer from) override {
    writes_.emplace_back(static_cast<const char*>(from.data()), from.size());
    return stream_->write(from);
  }
  io::Task<> shutdown_write() override { return stream_->shutdown_write(); }
  void close() noexcept override { stream_->close(); }
  bool secure() const noexcept override { return false; }
  std::string peer() const override { return "recorder"; }

 private:
  io::StreamPtr stream_;
  std::vector<std::string>& writes_;
};

}  // namespace

TEST_CASE("four mebibytes go both ways at once over TLS in memory, whatever the transport holds") {
  for (const std::size_t capacity : {std::size_t{100}, std::size_t{64 * 1024}}) {
    CAPTURE(capacity);
    TlsWorld world;
    world.connect_in_memory(capacity);
    CHECK(world.client->secure());
    CHECK(world.server->peer() == "memory");
    exchange_at_once(world, 4 * 1024 * 1024);
  }
}

TEST_CASE("four mebibytes go both ways at once over TLS on TCP") {
  TlsWorld world;
  io::TcpListener listener(world.loop.executor(), {"127.0.0.1", "0"});
  const io::HostPort address{"127.0.0.1", std::to_string(listener.port())};
  io::StreamPair pair;
  std::vector<io::Task<>> tasks;
  tasks.push_back([](io::TcpListener& listener, io::Clock& clock, io::StreamPtr& into) -> io::Task<> {
    into = co_await listener.accept(clock);
  }(listener, world.clock, pair.second));
  tasks.push_back([](io::Executor executor, io::Clock& clock, io::HostPort address, io::StreamPtr& into) -> io::Task<> {
    into = co_await io::tcp_connect(executor, clock, address, 10s);
  }(world.loop.executor(), world.clock, address, pair.first));
  world.run(std::move(tasks));
  world.connect_over(std::move(pair),
                     {.kind = Kind::fingerprint, .fingerprint = io::fingerprint_of(world.identity.certificate)},
                     "127.0.0.1");
  exchange_at_once(world, 4 * 1024 * 1024);
}

TEST_CASE("each write over TLS starts a record of its own") {
  TlsWorld world;
  std::vector<std::string> writes;
  auto pair = io::make_memory_pair(world.loop.executor());
  pair.second = std::make_unique<Recorder>(std::move(pair.second), writes);
  world.connect_over(std::move(pair), {.kind = Kind::anyone}, "");
  writes.clear();
  world.loop.run_until_done(write_all(*world.server, "first"));
  world.loop.run_until_done(write_all(*world.server, "second"));
  REQUIRE(writes.size() == 2);
  for (const auto& record : writes) {
    CHECK(record[0] == 23);  // application data
    CHECK(record.size() == 5u + static_cast<unsigned char>(record[3]) * 256u + static_cast<unsigned char>(record[4]));
  }
}

TEST_CASE("a client decides by its trust whether a server is the right one") {
  const TempDir dir;
  const auto right = certificate_for({"farm.example", "192.0.2.7", "2001:db8::7"});
  const auto wrong = certificate_for({"farm.example"});
  const auto old = io::make_self_signed("old", {"farm.example"}, kNow - 48h, std::chrono::days(1));
  const auto early = io::make_self_signed("early", {"farm.example"}, kNow + 24h, std::chrono::days(1));
  const auto file = [&](const char* name, const io::CertificatePem& identity) {
    write_file(dir / name, identity.certificate);
    return dir / name;
  };
  const auto right_file = file("right.pem", right);
  const auto print = io::fingerprint_of(right.certificate);
  const auto wrong_print = io::fingerprint_of(wrong.certificate);
  struct {
    const char* name;
    const io::CertificatePem& identity;
    io::TlsTrust trust;
    const char* server_name;
    std::vector<std::string> complaint;  // what the refusal says; nothing: it is accepted
  } const cases[] = {
      {"right fingerprint", right, {Kind::fingerprint, {}, print}, "whatever.example", {}},
      {"right fingerprint, expired", old, {Kind::fingerprint, {}, io::fingerprint_of(old.certificate)}, "x", {}},
      {"wrong fingerprint",
       right,
       {Kind::fingerprint, {}, wrong_print},
       "farm.example",
       {print, wrong_print, "farm.example"}},
      {"right file", right, {Kind::ca_file, right_file, {}}, "farm.example", {}},
      {"right file, IPv4", right, {Kind::ca_file, right_file, {}}, "192.0.2.7", {}},
      {"right file, IPv6", right, {Kind::ca_file, right_file, {}}, "2001:db8::7", {}},
      {"wrong file", right, {Kind::ca_file, file("wrong.pem", wrong), {}}, "farm.example", {"self-signed", print}},
      {"wrong name", right, {Kind::ca_file, right_file, {}}, "other.example", {"ostname mismatch", "other.example"}},
      {"wrong address", right, {Kind::ca_file, right_file, {}}, "192.0.2.8", {"IP address mismatch"}},
      {"expired", old, {Kind::ca_file, file("old.pem", old), {}}, "farm.example", {"expired"}},
      {"not yet valid", early, {Kind::ca_file, file("early.pem", early), {}}, "farm.example", {"not yet valid"}},
      {"system's roots", right, {}, "farm.example", {"self-signed", print}},
      {"anyone", old, {Kind::anyone, {}, {}}, "other.example", {}},
  };
  for (const auto& entry : cases) {
    CAPTURE(entry.name);
    TlsWorld world;
    const io::TlsServerContext server(entry.identity);
    const io::TlsClientContext client(entry.trust);
    auto pair = io::make_memory_pair(world.loop.executor());
    const Background accepting(world.loop, accept(server, std::move(pair.second), world.time, world.server));
    const std::string complaint = complaint_of([&] {
      world.loop.run_until_done(connect(client, std::move(pair.first), entry.server_name, world.time, world.client));
    });
    world.loop.run_until_done(accepting.ended());
    CHECK(complaint.empty() == entry.complaint.empty());
    for (const auto& part : entry.complaint) CHECK_MESSAGE(complaint.find(part) != std::string::npos, complaint);
    if (!entry.complaint.empty() && accepting.error()) {
      CHECK(accepting.code() == io::TlsError::protocol);  // the alert came
    }
  }
}

TEST_CASE("a name that is checked cannot be empty") {
  TlsWorld world;
  const io::TlsClientContext client({});
  auto pair = io::make_memory_pair(world.loop.executor());
  CHECK_THROWS_AS(world.loop.run_until_done(connect(client, std::move(pair.first), "", world.time, world.client)),
                  std::invalid_argument);
}

TEST_CASE("unusable identities and trusted files are refused with a reason") {
  const TempDir dir;
  const auto one = certificate_for({"a.example"});
  const auto other = certificate_for({"a.example"});
  const auto make_server = [](const std::string& certificate, const std::string& key) {
    return complaint_of([&] { const io::TlsServerContext context({certificate, key}); });
  };
  CHECK(make_server(one.certificate, one.private_key).empty());
  CHECK(make_server("", one.private_key).starts_with("unusable TLS certificate: "));
  CHECK(make_server(one.certificate, "nonsense").starts_with("unusable TLS private key: "));
  CHECK(make_server(one.certificate, other.private_key).find("key") != std::string::npos);
  const auto trust = [](const std::filesystem::path& path) {
    return complaint_of([&] { const io::TlsClientContext context({Kind::ca_file, path, {}}); });
  };
  CHECK(trust(dir / "missing.pem") ==
        "read the trusted certificates in " + (dir / "missing.pem").string() + ": No such file or directory");
  write_file(dir / "empty.pem", "nothing here\n");
  CHECK(trust(dir / "empty.pem").ends_with(": there is no certificate in it"));
  CHECK_THROWS_AS(io::TlsClientContext({Kind::fingerprint, {}, "sha256:12"}), std::invalid_argument);
}

TEST_CASE("a connection cut without TLS's end mark is told from one that ended in order") {
  TlsWorld world;
  world.connect_in_memory();
  world.loop.run_until_done(write_all(*world.server, "half a sen"));
  world.server->close();
  std::string got;
  const auto read = [&] { world.loop.run_until_done(read_until_end(*world.client, got)); };
  CHECK(code_of(read) == io::TlsError::truncated);
  CHECK(code_of(read) == io::TlsError::truncated);
  CHECK(got == "half a sen");

  world.connect_in_memory();
  world.loop.run_until_done(world.server->shutdown_write());
  got.clear();
  CHECK_FALSE(code_of(read));
  CHECK_FALSE(code_of(read));
  // The other direction is still open.
  world.loop.run_until_done(write_all(*world.client, "late"));
  world.loop.run_until_done(read_exactly(*world.server, 4, got));
  CHECK(got == "late");
  CHECK(code_of([&] { world.loop.run_until_done(write_all(*world.server, "x")); }) == asio::error::shut_down);
}

TEST_CASE("bytes that are not TLS end the stream with a protocol error on both operations") {
  TlsWorld world;
  auto pair = io::make_memory_pair(world.loop.executor());
  const Background accepting(world.loop,
                             accept(world.server_context, std::move(pair.second), world.time, world.server));
  world.loop.run_until_done(write_all(*pair.first, "GET / HTTP/1.1\r\n\r\n"));
  world.loop.run_until_done(accepting.ended());
  CHECK(accepting.code() == io::TlsError::protocol);
  CHECK(complaint_of([&] { std::rethrow_exception(accepting.error()); }).find("http request") != std::string::npos);
}

TEST_CASE("a handshake with a peer that says nothing ends with timed_out, on either side") {
  TlsWorld world;
  auto pair = io::make_memory_pair(world.loop.executor());
  auto other = io::make_memory_pair(world.loop.executor());
  const io::TlsClientContext client({.kind = Kind::anyone});
  const Background accepting(world.loop,
                             accept(world.server_context, std::move(pair.second), world.time, world.server));
  const Background connecting(world.loop, connect(client, std::move(other.first), "a", world.time, world.client));
  world.advance(9999ms);
  CHECK_FALSE(accepting.done());
  CHECK_FALSE(connecting.done());
  world.advance(1ms);
  CHECK(accepting.code() == asio::error::timed_out);
  CHECK(connecting.code() == asio::error::timed_out);
  // The transport has been closed.
  CHECK(code_of([&] { world.loop.run_until_done(write_all(*pair.first, "x")); }) == asio::error::connection_reset);
}

TEST_CASE("a peer that closes during the handshake is an error at once") {
  TlsWorld world;
  auto pair = io::make_memory_pair(world.loop.executor());
  pair.first.reset();
  CHECK(code_of([&] {
          world.loop.run_until_done(accept(world.server_context, std::move(pair.second), world.time, world.server));
        }) == io::TlsError::truncated);
}

TEST_CASE("closing or destroying a TLS stream ends its pending operations with operation_aborted") {
  for (const bool destroy : {false, true}) {
    CAPTURE(destroy);
    TlsWorld world;
    world.connect_in_memory(1000);
    std::string got;
    const Background reader(world.loop, read_until_end(*world.client, got));
    const Background writer(world.loop, write_all(*world.client, std::string(1'000'000, 'x')));
    world.loop.poll();
    CHECK_FALSE(reader.done());
    CHECK_FALSE(writer.done());
    if (destroy) {
      world.client.reset();
    } else {
      world.client->close();
    }
    world.loop.poll();
    CHECK(reader.code() == asio::error::operation_aborted);
    CHECK(writer.code() == asio::error::operation_aborted);
    if (!destroy) {
      CHECK(code_of([&] { world.loop.run_until_done(write_all(*world.client, "x")); }) ==
            asio::error::operation_aborted);
    }
  }
}

TEST_CASE("fingerprints are read in the forms people paste") {
  const std::string digits = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";
  std::string colons;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    if (i > 0) colons += ':';
    colons.append(digits, i, 2);
  }
  const std::string normal = "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
  for (const auto& text : {digits, "sha256:" + digits, "SHA256:" + digits, colons, "sha256:" + colons, normal}) {
    CAPTURE(text);
    CHECK(io::parse_fingerprint(text) == normal);
  }
  for (const auto& text : {std::string(), std::string("sha256:"), digits.substr(1), digits + "0", "md5:" + digits,
                           "x" + digits.substr(1), ":" + colons.substr(1), colons.substr(0, 94) + ":", " " + digits}) {
    CAPTURE(text);
    CHECK_FALSE(io::parse_fingerprint(text).has_value());
  }
  const auto print = io::fingerprint_of(certificate_for({"a.example"}).certificate);
  CHECK(io::parse_fingerprint(print) == print);
  CHECK_THROWS_AS(io::fingerprint_of(std::string("nothing")), std::invalid_argument);
}

TEST_CASE("names that do not fit into a certificate are refused") {
  const auto make = [](const std::string& common, const std::string& name) {
    io::make_self_signed(common, {name}, kNow, std::chrono::days(1));
  };
  CHECK_THROWS_AS(make("", "a.example"), std::invalid_argument);
  CHECK_THROWS_AS(make(std::string(65, 'x'), "a.example"), std::invalid_argument);
  CHECK_THROWS_AS(make("a", ""), std::invalid_argument);
  CHECK_THROWS_AS(make("a", "b\nc"), std::invalid_argument);
}
