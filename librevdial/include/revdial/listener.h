// The worker's end of reverse dialing: it has dialed the server and now accepts connections from it, each of
// which it has to go and pick up.
//
// Ownership: the Listener owns the control channel. The Clock and what the DialServer function uses must
// outlive the Listener and its run(). Threads: everything on the control channel's executor; only the async_ functions
// may be called from any thread while the Listener lives.
//
// Transports: how the server is reached is the DialServer function's business, so that it may be TLS over TCP
// (io::tcp_connect, io::TlsClientContext), the same through an HTTP proxy (io::connect_via), or anything else that is
// an io::ByteStream on the control channel's executor.
//
// What ends what:
// - An accept that is cancelled takes no connection with it.
// - The server's end of its sending side, its silence (silence_limit), its disappearance (user_timeout), a line that is
//   none, and close() end the session: run() returns when the pick-ups under way have ended, accept() gives null,
//   connections that nobody had accepted are closed. Accepted ones go on: each has its own two directions, of which
//   either can end (shutdown_write()) without the other; close() or the server's disappearance ends both.
// - A server may pick connections up in advance: it is normal that nothing comes on one for minutes, and that it ends
// then.
#pragma once

#include <io/byte_stream.h>
#include <io/clock.h>
#include <io/task.h>
#include <io/tcp.h>
#include <io/tls.h>
#include <revdial/session.h>

#include <boost/asio/co_spawn.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

namespace revdial {

/// Makes a new connection (TCP and TLS) to the server the control channel goes to. It has limits of its own
/// (20 s for TCP and 30 s for TLS are the original's); the text of what it throws is sent to the server.
using DialServer = std::function<io::Task<io::StreamPtr>()>;

/// The usual one: TCP and TLS. `tls` and `clock` outlive what it gives.
DialServer over_tls(io::Executor executor, io::Clock& clock, io::HostPort server, const io::TlsClientContext& tls,
                    io::Duration connect_limit = std::chrono::seconds{20},
                    io::Duration handshake_limit = std::chrono::seconds{30});

struct ListenerOptions {
  /// For the DialServer function. When it is over, the task is cancelled, and a connection that it still makes
  /// is closed.
  io::Duration dial_limit = std::chrono::seconds{50};
  /// From the request to its 101, redirect included.
  io::Duration switch_limit = std::chrono::seconds{30};
  /// How many pick-ups are made at once, those whose connection waits for accept() included.
  std::size_t max_pickups = 16;
  /// How many more may wait for their turn; further ones are reported as failed.
  std::size_t max_pending = 256;
  /// How many connections are held for accept(). When they are that many, pick-ups wait.
  std::size_t accept_queue = 8;
  /// The session counts as lost when no control line came for so long: three keep-alive periods and some
  /// slack. Zero: wait for ever, as the original does. A dialer that says how soon its next keep-alive comes
  /// shortens it to three such periods and a second.
  io::Duration silence_limit = std::chrono::seconds{100};
  /// A report that the transport has not taken after so long ends the session.
  io::Duration write_limit = std::chrono::seconds{10};
  /// ByteStream::set_user_timeout() of the control channel: with the keep-alive of io::TcpOptions, a host that has gone
  /// silently is noticed after that time whether or not a message was under way.
  std::chrono::milliseconds user_timeout = std::chrono::seconds{14};
};

class Listener {
 public:
  /// `control` is the connection of the registration, after its 101 came (from switch_protocols()).
  Listener(io::StreamPtr control, DialServer dial_server, io::Clock& clock, ListenerOptions options = {});
  /// As close().
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// The session: reads the server's requests and picks connections up. Returns when it is over, by whatever
  /// cause, with the control channel and all pick-ups under way closed. Call it once. Cancelling it closes the
  /// session.
  io::Task<SessionEnd> run();

  /// The next connection; null when the session is over. Connections that nobody had accepted by then are
  /// closed. When cancelled: operation_aborted, and no connection is lost.
  io::Task<io::StreamPtr> accept();

  /// The same for every kind of Asio completion token; the signatures are void(std::exception_ptr, io::StreamPtr) and
  /// void(std::exception_ptr, SessionEnd). Cancellation of the type `terminal` through the token's slot cancels them.
  template <typename CompletionToken>
  auto async_accept(CompletionToken&& token) {
    return io::asio::co_spawn(executor(), accept(), std::forward<CompletionToken>(token));
  }
  template <typename CompletionToken>
  auto async_run(CompletionToken&& token) {
    return io::asio::co_spawn(executor(), run(), std::forward<CompletionToken>(token));
  }

  /// Ends the session: waiting accepts get null, run() says goodbye to the server (for at most a second) and
  /// returns. Connections that were accepted live on. May be called more than once.
  void close() noexcept;

  /// True as soon as the session is over for whatever cause.
  bool closed() const noexcept;
  io::Executor executor() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace revdial
