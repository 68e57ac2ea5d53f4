// The server's end of reverse dialing: a worker behind NAT has dialed in, and the Dialer makes connections to
// it by asking it, over that first connection, to come and pick one up.
//
// Ownership: the Dialer owns the control channel. Clock and Pickups must outlive the Dialer and its run(); a connection
// that was dialed is its caller's, and outlives the session. Threads: everything on the control channel's executor;
// only the async_ functions may be called from any thread while the Dialer lives.
//
// Ready connections. A dial costs a round trip and a TLS handshake, unless a connection is ready: one that the worker
// has picked up and that waits for a dial. The Dialer keeps as many as the last minute had use for, at most max_ready,
// and none while nobody dials; the first dials after a pause find none. To the worker a ready connection is a client
// that connects and then says nothing, for up to two ready_periods: its server must not mind. One that the worker ends
// is thrown away when that is noticed, and a new one is asked for. The end may come in the moment of the dial: then
// Dialed::was_ready is true, and reading gives an end or an error before anything has come; what was sent may then be
// sent again on a connection that was dialed with Source::fresh, if sending it twice does no harm.
//
// What ends what:
// - A dial that is cancelled, or whose limit is over, is forgotten at once. Its connection, should it still come, is
// closed.
// - The listener's end of its sending side, its disappearance (see user_timeout), a line that is none, and close() end
// the
//   session: run() returns, waiting dials fail, ready connections are closed, no token is known any more. Connections
//   that were given out go on.
// - A dialed connection has its own two directions: shutdown_write() on one side is an end for the reader on the other,
//   and says nothing about the way back. close() or the peer's disappearance ends both.
#pragma once

#include <io/byte_stream.h>
#include <io/clock.h>
#include <io/task.h>
#include <revdial/pickups.h>
#include <revdial/session.h>

#include <boost/asio/co_spawn.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace revdial {

struct DialerOptions {
  /// For the tokens; a secret source.
  RandomBytes random;
  /// Where check_pickup() answers on this server; may hold a query of its own.
  std::string conn_path = "/revdial";
  /// A keep-alive is sent when no control message was for so long; if that is 5 s or more, up to a quarter of a second
  /// earlier, so that many sessions are served in one go.
  io::Duration keep_alive = std::chrono::seconds{30};
  /// Keep-alives say how soon the next one comes (whole seconds), so that a listener that understands it notices sooner
  /// when none does. Only for peers that are known to be ours: the original ignores it, but nothing promises that.
  bool announce_keep_alive = false;
  /// A control message that the transport has not taken after so long ends the session.
  io::Duration write_limit = std::chrono::seconds{10};
  /// ByteStream::set_user_timeout() of the control channel: with the keep-alive of io::TcpOptions, a host that has gone
  /// silently is noticed after that time whether or not a message was under way.
  std::chrono::milliseconds user_timeout = std::chrono::seconds{14};
  /// How many dials may wait at once; further ones fail.
  std::size_t max_waiting = 256;
  /// When a dial has given up and its pick-up did not come for so long after it was asked for, it is taken to be lost.
  io::Duration pickup_memory = std::chrono::seconds{90};
  /// How many connections may be ready at once, each costing this side and the worker a descriptor and some 15 KiB of
  /// memory; 0: each dial gets a new one.
  std::size_t max_ready = 4;
  /// Ready connections that were not needed in such a period are closed at its end.
  io::Duration ready_period = std::chrono::seconds{60};
};

struct DialOptions {
  io::Duration limit = std::chrono::seconds{30};
  enum class Source {
    any,    ///< one that is ready, if there is one
    fresh,  ///< a new one
  };
  Source source = Source::any;
};

struct Dialed {
  io::StreamPtr stream;
  bool was_ready = false;  ///< it has waited for this dial, and its end may have gone unnoticed
};

/// Why a dial gave no connection. what() is the original's text where it has one.
class DialError : public std::runtime_error {
 public:
  enum class Reason {
    closed,         ///< "revdial.Dialer closed"
    pickup_failed,  ///< "revdial listener failed to pick up connection: <what the listener said>"
    timed_out,      ///< the limit given to dial() is over
    too_many,       ///< DialerOptions::max_waiting
  };
  DialError(Reason reason, const std::string& text) : std::runtime_error(text), reason_(reason) {}

  Reason reason() const noexcept { return reason_; }

 private:
  Reason reason_;
};

class Dialer {
 public:
  /// `control` is the connection of the registration, after kSwitchResponse was written. Throws std::invalid_argument
  /// if the path is not usable or there is no source of random bytes.
  Dialer(io::StreamPtr control, io::Clock& clock, Pickups& pickups, DialerOptions options);
  /// As close().
  ~Dialer();
  Dialer(const Dialer&) = delete;
  Dialer& operator=(const Dialer&) = delete;

  /// The session: sends keep-alives (the first at once) and requests for connections, reads the listener's
  /// reports. Returns when it is over, by whatever cause, with the control channel closed; calls nothing
  /// afterwards. Call it once. Cancelling it closes the session.
  io::Task<SessionEnd> run();

  /// A connection to the listener, within the limit. Any number may wait at once (see max_waiting); they are
  /// asked for in the order they came. Throws DialError; when cancelled, operation_aborted.
  ///
  /// Each dial has a token of its own in the path that the listener picks its connection up at, so a connection, or a
  /// report of a failure, reaches the dial that it was made for and no other, however late it comes. A report that
  /// does not name its path (the original's listeners leave it out after some answers) fails a dial only if there is
  /// no other that it could mean.
  io::Task<Dialed> dial(DialOptions options);
  io::Task<io::StreamPtr> dial(io::Duration limit);

  /// The same for every kind of Asio completion token; its signature is void(std::exception_ptr, Dialed). Cancellation
  /// of the type `terminal` through the token's slot cancels it.
  template <typename CompletionToken>
  auto async_dial(DialOptions options, CompletionToken&& token) {
    return io::asio::co_spawn(executor(), dial(options), std::forward<CompletionToken>(token));
  }
  template <typename CompletionToken>
  auto async_dial(CompletionToken&& token) {
    return async_dial(DialOptions(), std::forward<CompletionToken>(token));
  }
  /// run(); its signature is void(std::exception_ptr, SessionEnd).
  template <typename CompletionToken>
  auto async_run(CompletionToken&& token) {
    return io::asio::co_spawn(executor(), run(), std::forward<CompletionToken>(token));
  }

  /// Changes DialerOptions::keep_alive; the next one is sent at once, so that the listener hears of it.
  void set_keep_alive(io::Duration period);

  /// Ends the session: its tokens are unknown from now on, waiting dials fail, run() says goodbye to the listener
  /// (for at most a second) and returns. May be called more than once.
  void close() noexcept;

  /// True as soon as the session is over for whatever cause.
  bool closed() const noexcept;
  /// How many dials wait for a connection.
  std::size_t waiting() const noexcept;
  /// How many connections are ready.
  std::size_t ready() const noexcept;
  /// The listener's address, for people and logs.
  std::string peer() const;
  io::Executor executor() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace revdial
