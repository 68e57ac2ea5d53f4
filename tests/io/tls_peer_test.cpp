// Our TLS stream against a peer that is OpenSSL's own blocking one, on a thread, doing what ours never does by
// itself: key updates, session tickets, TLS 1.2, ALPN, closing without close_notify.
#include <io/blocking_pool.h>
#include <io/tcp.h>
#include <io/tls.h>

#include <doctest/doctest.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <boost/asio/error.hpp>

#include "io/world.h"

#include <functional>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using namespace testing;

namespace {

using ContextPtr = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;
using BioPtr = std::unique_ptr<BIO, decltype(&BIO_free_all)>;

void require(bool good, const char* what) {
  if (!good) throw std::runtime_error(what);
}

// A blocking client of 127.0.0.1:port; `talk` runs with the handshake done.
void be_client(std::uint16_t port, const std::function<void(SSL_CTX*)>& adjust, const std::function<void(SSL*)>& talk) {
  const ContextPtr context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  adjust(context.get());
  const BioPtr bio(BIO_new_ssl_connect(context.get()), BIO_free_all);
  BIO_set_conn_hostname(bio.get(), ("127.0.0.1:" + std::to_string(port)).c_str());
  SSL* ssl = nullptr;
  BIO_get_ssl(bio.get(), &ssl);
  require(BIO_do_connect(bio.get()) == 1, "connect");
  require(BIO_do_handshake(bio.get()) == 1, "handshake");
  talk(ssl);
}

// A blocking server of one connection; `ready` is called with its port.
void be_server(const io::CertificatePem& identity, BIO* listener, const std::function<void(SSL*)>& talk) {
  const ContextPtr context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  const BioPtr certificate_text(BIO_new_mem_buf(identity.certificate.data(), -1), BIO_free_all);
  const BioPtr key_text(BIO_new_mem_buf(identity.private_key.data(), -1), BIO_free_all);
  X509* certificate = PEM_read_bio_X509(certificate_text.get(), nullptr, nullptr, nullptr);
  EVP_PKEY* key = PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, nullptr);
  require(SSL_CTX_use_certificate(context.get(), certificate) == 1 && SSL_CTX_use_PrivateKey(context.get(), key) == 1,
          "identity");
  X509_free(certificate);
  EVP_PKEY_free(key);
  require(BIO_do_accept(listener) == 1, "accept");
  BIO* connection = BIO_pop(listener);
  SSL* ssl = SSL_new(context.get());
  SSL_set_bio(ssl, connection, connection);
  const std::unique_ptr<SSL, decltype(&SSL_free)> owner(ssl, SSL_free);
  require(SSL_accept(ssl) == 1, "handshake");
  talk(ssl);
}

void write_text(SSL* ssl, const std::string& text) {
  require(SSL_write(ssl, text.data(), static_cast<int>(text.size())) == static_cast<int>(text.size()), "write");
}

std::string read_text(SSL* ssl, std::size_t size) {
  std::string result(size, '\0');
  for (std::size_t at = 0; at < size;) {
    const int count = SSL_read(ssl, result.data() + at, static_cast<int>(size - at));
    require(count > 0, "read");
    at += static_cast<std::size_t>(count);
  }
  return result;
}

io::Task<> accept_and_echo(io::TcpListener& listener, const io::TlsServerContext& context, io::Clock& clock) {
  auto transport = co_await listener.accept(clock);
  auto stream = co_await context.accept(std::move(transport), clock, 10s);
  co_await echo(*stream);
}

// A TLS 1.2 client on OpenSSL's memory BIOs over a ByteStream, moved on step by step.
class SteppedPeer {
 public:
  explicit SteppedPeer(io::ByteStream& transport) : transport_(transport) {
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl_.get());
    SSL_set_max_proto_version(ssl_.get(), TLS1_2_VERSION);
  }
  SSL* ssl() { return ssl_.get(); }

  io::Task<> handshake() {
    for (;;) {
      const int result = SSL_do_handshake(ssl());
      co_await send();
      if (result == 1) co_return;
      co_await receive();
    }
  }
  io::Task<> send() {
    char* data = nullptr;
    const long size = BIO_get_mem_data(SSL_get_wbio(ssl()), &data);
    const std::string records(data, static_cast<std::size_t>(size));
    BIO_reset(SSL_get_wbio(ssl()));
    co_await transport_.write(records);
  }
  io::Task<> receive() {
    std::vector<char> buffer(1000);
    const asio::mutable_buffer room(buffer.data(), buffer.size());
    const std::size_t count = co_await transport_.read_some(room);
    require(count > 0, "the transport ended");
    BIO_write(SSL_get_rbio(ssl()), buffer.data(), static_cast<int>(count));
  }

 private:
  io::ByteStream& transport_;
  ContextPtr context_{SSL_CTX_new(TLS_client_method()), SSL_CTX_free};
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_{SSL_new(context_.get()), SSL_free};
};

// A transport that counts operations that overlap with one of their own kind.
class StrictStream final : public io::ByteStream {
 public:
  StrictStream(io::StreamPtr stream, int& overlaps) : stream_(std::move(stream)), overlaps_(overlaps) {}
  io::Executor executor() override { return stream_->executor(); }
  io::Task<std::size_t> read_some(asio::mutable_buffer into) override {
    if (reading_++ > 0) ++overlaps_;
    const std::size_t count = co_await stream_->read_some(into);
    --reading_;
    co_return count;
  }
  io::Task<> write(asio::const_buffer from) override {
    if (writing_++ > 0) ++overlaps_;
    co_await stream_->write(from);
    --writing_;
  }
  io::Task<> shutdown_write() override { return stream_->shutdown_write(); }
  void close() noexcept override { stream_->close(); }
  bool secure() const noexcept override { return false; }
  std::string peer() const override { return "strict"; }

 private:
  io::StreamPtr stream_;
  int& overlaps_;
  int reading_ = 0, writing_ = 0;
};

struct PeerWorld : World {
  io::BlockingPool pool{1};
  io::CertificatePem identity =
      io::make_self_signed("peer", {"127.0.0.1"}, clock.wall_now() - 24h, std::chrono::days(2));

  void echo_to_client(const std::function<void(SSL_CTX*)>& adjust, const std::function<void(SSL*)>& talk) {
    const io::TlsServerContext context(identity);
    io::TcpListener listener(loop.executor(), {"127.0.0.1", "0"});
    const auto port = listener.port();
    std::vector<io::Task<>> tasks;
    tasks.push_back(accept_and_echo(listener, context, clock));
    tasks.push_back(run_on(pool, [=] { be_client(port, adjust, talk); }));
    run(std::move(tasks));
  }
};

}  // namespace

TEST_CASE("a peer that asks for new keys again and again gets its bytes back unchanged") {
  PeerWorld world;
  int rounds = 0;
  world.echo_to_client([](SSL_CTX*) {},
                       [&](SSL* ssl) {
                         const std::string text = pattern(40'000);
                         for (; rounds < 50; ++rounds) {
                           require(SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) == 1, "key update");
                           write_text(ssl, text);
                           require(read_text(ssl, text.size()) == text, "the echo differs");
                         }
                         SSL_shutdown(ssl);
                         char end = 0;
                         require(SSL_read(ssl, &end, 1) <= 0 && (SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN) != 0,
                                 "no close_notify");
                       });
  CHECK(rounds == 50);
}

TEST_CASE("what reading makes TLS send, and what is written, go to the transport one after the other") {
  PeerWorld world;
  int overlaps = 0;
  auto pair = io::make_memory_pair(world.loop.executor(), 10);
  pair.second = std::make_unique<StrictStream>(std::move(pair.second), overlaps);
  const io::TlsServerContext context(world.identity);
  SteppedPeer peer(*pair.first);
  io::StreamPtr stream;
  std::vector<io::Task<>> tasks;
  tasks.push_back([](const io::TlsServerContext& context, io::StreamPtr transport, io::Clock& clock,
                     io::StreamPtr& into) -> io::Task<> {
    into = co_await context.accept(std::move(transport), clock, 10s);
  }(context, std::move(pair.second), world.clock, stream));
  tasks.push_back(peer.handshake());
  world.run(std::move(tasks));

  // The server refuses new handshakes: reading the request makes it send an alert, longer than the 10 bytes.
  std::string got;
  const Background reader(world.loop, read_until_end(*stream, got));
  REQUIRE(SSL_renegotiate(peer.ssl()) == 1);
  REQUIRE(SSL_get_error(peer.ssl(), SSL_do_handshake(peer.ssl())) == SSL_ERROR_WANT_READ);
  world.loop.run_until_done(peer.send());
  world.loop.poll();
  const Background writer(world.loop, write_all(*stream, "data"));
  world.loop.poll();
  CHECK_FALSE(writer.done());
  CHECK_FALSE(reader.done());
  std::string types;
  for (int i = 0; i < 2; ++i) {
    std::string record;
    world.loop.run_until_done(read_exactly(*pair.first, 5, record));
    types += record[0] == 21 ? "alert " : record[0] == 23 ? "data " : "other ";
    const std::size_t size = static_cast<unsigned char>(record[3]) * 256u + static_cast<unsigned char>(record[4]);
    world.loop.run_until_done(read_exactly(*pair.first, size, record));
  }
  CHECK(types == "alert data ");
  CHECK(overlaps == 0);
  world.loop.run_until_done(writer.ended());
  CHECK_FALSE(writer.error());
  stream->close();
  world.loop.run_until_done(reader.ended());
}

TEST_CASE("a TLS 1.2 client is served, and gets http/1.1 if it asks for it") {
  PeerWorld world;
  std::string version, protocol;
  world.echo_to_client(
      [](SSL_CTX* context) {
        SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
        static constexpr unsigned char kOffer[] = "\x02h2\x08http/1.1";
        SSL_CTX_set_alpn_protos(context, kOffer, sizeof kOffer - 1);
      },
      [&](SSL* ssl) {
        version = SSL_get_version(ssl);
        const unsigned char* selected = nullptr;
        unsigned int size = 0;
        SSL_get0_alpn_selected(ssl, &selected, &size);
        protocol.assign(reinterpret_cast<const char*>(selected), size);
        write_text(ssl, "hello");
        require(read_text(ssl, 5) == "hello", "the echo differs");
        SSL_shutdown(ssl);
      });
  CHECK(version == "TLSv1.2");
  CHECK(protocol == "http/1.1");
}

TEST_CASE("a client that offers only protocols we do not speak is served all the same") {
  PeerWorld world;
  unsigned int size = 1;
  world.echo_to_client(
      [](SSL_CTX* context) {
        static constexpr unsigned char kOffer[] = "\x02h2";
        SSL_CTX_set_alpn_protos(context, kOffer, sizeof kOffer - 1);
      },
      [&](SSL* ssl) {
        const unsigned char* selected = nullptr;
        SSL_get0_alpn_selected(ssl, &selected, &size);
        SSL_shutdown(ssl);
      });
  CHECK(size == 0);
}

TEST_CASE("a client of a server that sends tickets reads past them, and sees a close without an end mark") {
  PeerWorld world;
  const BioPtr listener(BIO_new_accept("127.0.0.1:0"), BIO_free_all);
  REQUIRE(BIO_do_accept(listener.get()) == 1);
  const std::string port = BIO_get_accept_port(listener.get());
  const io::TlsClientContext context(
      {.kind = io::TlsTrust::Kind::fingerprint, .fingerprint = io::fingerprint_of(world.identity.certificate)});
  const auto talk = [](SSL* ssl) {
    require(read_text(ssl, 4) == "ping", "the question differs");
    write_text(ssl, "pong");
    SSL_set_quiet_shutdown(ssl, 1);
  };
  const auto ask = [](io::Executor executor, io::Clock& clock, const io::TlsClientContext& context, std::string port,
                      std::string& got, boost::system::error_code& end) -> io::Task<> {
    const io::HostPort address{"127.0.0.1", port};
    auto transport = co_await io::tcp_connect(executor, clock, address, 10s);
    auto stream = co_await context.connect(std::move(transport), "127.0.0.1", clock, 10s);
    co_await stream->write("ping");
    co_await read_exactly(*stream, 4, got);
    try {
      co_await read_until_end(*stream, got);
    } catch (const boost::system::system_error& error) {
      end = error.code();
    }
  };
  std::string got;
  boost::system::error_code end;
  std::vector<io::Task<>> tasks;
  tasks.push_back(run_on(world.pool, [&] { be_server(world.identity, listener.get(), talk); }));
  const std::string number = port.substr(port.rfind(':') + 1);
  tasks.push_back(ask(world.loop.executor(), world.clock, context, number, got, end));
  world.run(std::move(tasks));
  CHECK(got == "pong");
  CHECK(end == io::TlsError::truncated);
}
