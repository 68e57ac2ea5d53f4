// TCP: listening and connecting.
#pragma once

#include <io/byte_stream.h>
#include <io/clock.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace io {

/// "host:port", "[::1]:443", ":80" (every address), "localhost:0" (any free port).
struct HostPort {
  std::string host;
  std::string port;

  /// Throws std::invalid_argument, naming `text`, if it has no port or unbalanced brackets.
  static HostPort parse(std::string_view text);
  std::string str() const;
  /// What people type to reach who listens here and got this port: a listener on every address is reached by the
  /// machine's own name.
  HostPort for_visitors(std::uint16_t port) const;
};

/// When a connection to a host that has gone silently (power, cable) ends. Zero leaves the kernel's default.
struct TcpOptions {
  /// An idle connection is probed after this time, and then again and again; it ends when none of the probes was
  /// answered: with these values 14 s after the host was last heard of.
  std::chrono::seconds keepalive_idle{5};
  std::chrono::seconds keepalive_interval{3};
  int keepalive_probes = 3;
  /// TCP_USER_TIMEOUT, see ByteStream::set_user_timeout(). Not by default: the kernel also counts the time in which a
  /// living peer does not read.
  std::chrono::milliseconds user_timeout{0};
  bool no_delay = true;
};

class TcpListener {
 public:
  /// Binds and listens; a host name is looked up on the calling thread, its IPv4 addresses are tried first. Throws
  /// boost::system::system_error whose text names the address.
  TcpListener(Executor executor, const HostPort& address, TcpOptions options = {});
  ~TcpListener();

  /// The next connection. A failure that concerns one connection only (reset before accept, out of
  /// descriptors for a moment) is dealt with inside; after close() throws operation_aborted.
  /// The stream lives on the listener's executor.
  Task<StreamPtr> accept(Clock& clock);
  /// The port really bound.
  std::uint16_t port() const;
  void close() noexcept;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

/// Resolves (on the resolver's own thread) and connects, trying each address in turn, within `limit` in
/// all. Throws boost::system::system_error whose text names `address`; timed_out when the limit is over. A look-up
/// that hangs is left behind then, but the event loop's destructor waits for it.
Task<StreamPtr> tcp_connect(Executor executor, Clock& clock, HostPort address, Duration limit, TcpOptions options = {});

}  // namespace io
