#include <io/event.h>
#include <io/tcp.h>

#include "failure.h"

#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <netinet/tcp.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

namespace io {
namespace {

using asio::ip::tcp;
using boost::system::error_code;

std::string text_of(const tcp::endpoint& endpoint) {
  return HostPort{endpoint.address().to_string(), std::to_string(endpoint.port())}.str();
}

template <int Level, int Name>
using IntegerOption = asio::detail::socket_option::integer<Level, Name>;

using UserTimeout = IntegerOption<IPPROTO_TCP, TCP_USER_TIMEOUT>;

// A socket whose peer has already gone refuses some options. That is no error here: the first read or write
// will say what became of it.
void apply(const TcpOptions& options, tcp::socket& socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay(options.no_delay), ignored);
  socket.set_option(tcp::socket::keep_alive(true), ignored);
  const auto set = [&]<typename Option>(Option option) {
    if (option.value() > 0) socket.set_option(option, ignored);
  };
  set(IntegerOption<IPPROTO_TCP, TCP_KEEPIDLE>(static_cast<int>(options.keepalive_idle.count())));
  set(IntegerOption<IPPROTO_TCP, TCP_KEEPINTVL>(static_cast<int>(options.keepalive_interval.count())));
  set(IntegerOption<IPPROTO_TCP, TCP_KEEPCNT>(options.keepalive_probes));
  set(UserTimeout(static_cast<int>(options.user_timeout.count())));
}

// Shared with the operations under way: one that is resumed after the stream has gone still finds it.
struct Connection {
  explicit Connection(tcp::socket socket) : socket(std::move(socket)) {}

  void check_open(const char* what) const {
    if (closed) throw Failure(asio::error::operation_aborted, what + peer);
  }

  tcp::socket socket;
  std::string peer = "unknown";
  bool closed = false;
};

using ConnectionPtr = std::shared_ptr<Connection>;

Task<std::size_t> read_from(ConnectionPtr connection, asio::mutable_buffer into) {
  connection->check_open("read from ");
  error_code error;
  const std::size_t count =
      co_await connection->socket.async_read_some(into, asio::redirect_error(asio::use_awaitable, error));
  if (error == asio::error::eof) co_return 0;
  if (error) throw Failure(error, "read from " + connection->peer);
  co_return count;
}

Task<> write_to(ConnectionPtr connection, asio::const_buffer from) {
  connection->check_open("write to ");
  while (from.size() > 0) {
    error_code error;
    const std::size_t count =
        co_await connection->socket.async_write_some(from, asio::redirect_error(asio::use_awaitable, error));
    connection->check_open("write to ");
    if (error) throw Failure(error, "write to " + connection->peer);
    from += count;
  }
}

Task<> end_writing(ConnectionPtr connection) {
  connection->check_open("shut down ");
  error_code error;
  connection->socket.shutdown(tcp::socket::shutdown_send, error);
  // Not connected: the peer has reset the connection, nothing is left to be ended.
  if (error && error != asio::error::not_connected) throw Failure(error, "shut down " + connection->peer);
  co_return;
}

class TcpStream final : public ByteStream {
 public:
  TcpStream(tcp::socket socket, const TcpOptions& options)
      : connection_(std::make_shared<Connection>(std::move(socket))) {
    apply(options, connection_->socket);
    error_code error;
    const tcp::endpoint peer = connection_->socket.remote_endpoint(error);
    if (!error) connection_->peer = text_of(peer);
  }
  ~TcpStream() override { close(); }

  Executor executor() override { return connection_->socket.get_executor(); }
  Task<std::size_t> read_some(asio::mutable_buffer into) override { return read_from(connection_, into); }
  Task<> write(asio::const_buffer from) override { return write_to(connection_, from); }
  Task<> shutdown_write() override { return end_writing(connection_); }

  void close() noexcept override {
    connection_->closed = true;
    error_code ignored;  // close() frees the descriptor whatever it says
    connection_->socket.close(ignored);
  }

  void set_user_timeout(std::chrono::milliseconds limit) noexcept override {
    error_code ignored;  // as in apply()
    connection_->socket.set_option(UserTimeout(static_cast<int>(limit.count())), ignored);
  }

  bool secure() const noexcept override { return false; }
  std::string peer() const override { return connection_->peer; }

 private:
  ConnectionPtr connection_;
};

std::optional<std::uint16_t> port_number(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return port;
}

// Both in figures: there is nothing to look up.
std::optional<tcp::endpoint> numeric_endpoint(const HostPort& address) {
  error_code error;
  const auto ip = asio::ip::make_address(address.host, error);
  const auto port = port_number(address.port);
  if (error || !port) return std::nullopt;
  return tcp::endpoint(ip, *port);
}

}  // namespace

HostPort HostPort::parse(std::string_view text) {
  const auto refuse = [&](const char* why) -> HostPort {
    throw std::invalid_argument("address \"" + std::string(text) + "\": " + why);
  };
  std::string_view host;
  std::string_view rest;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return refuse("the bracket is not closed");
    host = text.substr(1, end - 1);
    rest = text.substr(end + 1);
  } else {
    const auto colon = text.find(':');
    host = text.substr(0, colon);
    if (colon != std::string_view::npos) rest = text.substr(colon);
    if (rest.find(':', 1) != std::string_view::npos) {
      return refuse("too many colons (an IPv6 address goes in brackets: [::1]:443)");
    }
  }
  if (host.find_first_of("[]") != std::string_view::npos) return refuse("unbalanced brackets");
  if (rest.size() < 2 || rest.front() != ':' || rest.find_first_of("[]:", 1) != std::string_view::npos) {
    return refuse("it has no port (host:port is expected)");
  }
  return HostPort{std::string(host), std::string(rest.substr(1))};
}

std::string HostPort::str() const {
  const bool brackets = host.find(':') != std::string::npos;
  return (brackets ? "[" + host + "]" : host) + ":" + port;
}

HostPort HostPort::for_visitors(std::uint16_t own_port) const {
  const bool everywhere = host.empty() || host == "0.0.0.0" || host == "::";
  return {everywhere ? "localhost" : host, std::to_string(own_port)};
}

// ---- listening ----

struct TcpListener::Impl {
  Impl(Executor executor, const TcpOptions& options) : acceptor(executor), options(options) {}

  error_code listen_on(const tcp::endpoint& endpoint) {
    error_code error;
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    // The unspecified IPv6 address takes IPv4 connections too.
    if (!error && endpoint.address().is_v6()) acceptor.set_option(asio::ip::v6_only(false), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
      error_code ignored;
      acceptor.close(ignored);
    }
    return error;
  }

  static Task<StreamPtr> accept(std::shared_ptr<Impl> impl, Clock& clock);

  tcp::acceptor acceptor;
  TcpOptions options;
  bool closed = false;
};

TcpListener::TcpListener(Executor executor, const HostPort& address, TcpOptions options)
    : impl_(std::make_shared<Impl>(executor, options)) {
  std::vector<tcp::endpoint> candidates;
  error_code error = asio::error::host_not_found;
  if (address.host.empty()) {
    const auto port = port_number(address.port);
    if (!port) throw Failure(asio::error::service_not_found, "listen on " + address.str());
    candidates = {tcp::endpoint(tcp::v6(), *port), tcp::endpoint(tcp::v4(), *port)};
  } else if (const auto numeric = numeric_endpoint(address)) {
    candidates = {*numeric};
  } else {
    tcp::resolver resolver(executor);
    for (const auto& entry : resolver.resolve(address.host, address.port, tcp::resolver::passive, error)) {
      candidates.push_back(entry.endpoint());
    }
    if (error) throw Failure(error, "listen on " + address.str());
    // "localhost" is 127.0.0.1 for most of those who will connect.
    std::stable_partition(candidates.begin(), candidates.end(), [](const auto& e) { return e.address().is_v4(); });
  }
  for (const auto& endpoint : candidates) {
    error = impl_->listen_on(endpoint);
    if (!error) return;
  }
  throw Failure(error, "listen on " + address.str());
}

TcpListener::~TcpListener() { close(); }

namespace {

bool out_of_resources(const error_code& error) {
  return error == boost::system::errc::too_many_files_open ||
         error == boost::system::errc::too_many_files_open_in_system || error == boost::system::errc::no_buffer_space ||
         error == boost::system::errc::not_enough_memory;
}

// accept(2) hands on the pending errors of the connection; they say nothing about the listener.
bool concerns_one_connection(const error_code& error) {
  using namespace boost::system::errc;
  static constexpr errc_t kOfOneConnection[] = {
      connection_aborted,  connection_reset,        network_down, protocol_error, no_protocol_option, host_unreachable,
      network_unreachable, operation_not_supported, timed_out,    interrupted};
  return std::any_of(std::begin(kOfOneConnection), std::end(kOfOneConnection),
                     [&](errc_t one) { return error == one; });
}

}  // namespace

Task<StreamPtr> TcpListener::Impl::accept(std::shared_ptr<Impl> impl, Clock& clock) {
  for (;;) {
    if (impl->closed) throw Failure(asio::error::operation_aborted, "accept");
    error_code error;
    tcp::socket socket = co_await impl->acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (!error) co_return std::make_unique<TcpStream>(std::move(socket), impl->options);
    if (out_of_resources(error)) {
      const Duration pause = std::chrono::milliseconds(100);
      co_await clock.sleep_for(pause);
    } else if (!concerns_one_connection(error)) {
      throw Failure(impl->closed ? error_code(asio::error::operation_aborted) : error, "accept");
    }
  }
}

Task<StreamPtr> TcpListener::accept(Clock& clock) { return Impl::accept(impl_, clock); }

std::uint16_t TcpListener::port() const { return impl_->acceptor.local_endpoint().port(); }

void TcpListener::close() noexcept {
  impl_->closed = true;
  error_code ignored;  // close() frees the descriptor whatever it says
  impl_->acceptor.close(ignored);
}

// ---- connecting ----

namespace {

// A look-up cannot be interrupted (getaddrinfo), but it can be abandoned: its thread then finishes it for nobody.
struct LookUp {
  explicit LookUp(const Executor& executor) : resolver(executor), changed(executor) {}

  tcp::resolver resolver;
  Event changed;
  bool done = false;
  error_code error;
  std::vector<tcp::endpoint> endpoints;
};

void start(const std::shared_ptr<LookUp>& look_up, const HostPort& address) {
  if (const auto numeric = numeric_endpoint(address)) {
    look_up->done = true;
    look_up->endpoints = {*numeric};
    return;
  }
  look_up->resolver.async_resolve(address.host, address.port,
                                  [look_up](error_code error, const tcp::resolver::results_type& results) {
                                    look_up->done = true;
                                    look_up->error = error;
                                    for (const auto& entry : results) look_up->endpoints.push_back(entry.endpoint());
                                    look_up->changed.notify_all();
                                  });
}

}  // namespace

Task<StreamPtr> tcp_connect(Executor executor, Clock& clock, HostPort address, Duration limit, TcpOptions options) {
  const std::string what = "connect to " + address.str();
  const auto look_up = std::make_shared<LookUp>(executor);
  tcp::socket socket(executor);
  Deadline deadline(clock, executor, limit, [&socket, look_up] {
    error_code ignored;
    socket.close(ignored);
    look_up->changed.notify_all();
  });
  start(look_up, address);
  while (!look_up->done && !deadline.expired()) co_await look_up->changed.wait();

  error_code error = look_up->error;
  for (const auto& endpoint : look_up->endpoints) {
    if (deadline.expired()) break;
    socket = tcp::socket(executor);
    co_await socket.async_connect(endpoint, asio::redirect_error(asio::use_awaitable, error));
    if (!error && !deadline.expired()) co_return std::make_unique<TcpStream>(std::move(socket), options);
    if (error == asio::error::operation_aborted && !deadline.expired()) break;
  }
  if (deadline.expired()) error = asio::error::timed_out;
  if (!error) error = asio::error::host_not_found;
  throw Failure(error, what);
}

}  // namespace io
