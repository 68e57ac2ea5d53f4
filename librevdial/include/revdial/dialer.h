// The server's end of reverse dialing: a worker behind NAT has dialed in, and the Dialer makes connections to
// it by asking it, over that first connection, to come and pick one up.
//
// Ownership: the Dialer owns the control channel. Clock and Pickups must outlive the Dialer and its run().
// Threads: everything on the control channel's executor.
#pragma once

#include <io/byte_stream.h>
#include <io/clock.h>
#include <io/task.h>
#include <revdial/pickups.h>
#include <revdial/session.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>

namespace revdial {

struct DialerOptions {
  /// For the tokens; a secret source.
  RandomBytes random;
  /// Where check_pickup() answers on this server; may hold a query of its own.
  std::string conn_path = "/revdial";
  /// A keep-alive is sent when no control message was for so long.
  io::Duration keep_alive = std::chrono::seconds{30};
  /// A control message that the transport has not taken after so long ends the session.
  io::Duration write_limit = std::chrono::seconds{10};
  /// ByteStream::set_user_timeout() of the control channel: with the keep-alive of io::TcpOptions, a host that has gone
  /// silently is noticed after that time whether or not a message was under way.
  std::chrono::milliseconds user_timeout = std::chrono::seconds{14};
  /// How many dials may wait at once; further ones fail.
  std::size_t max_waiting = 256;
  /// When a dial has given up and its pick-up did not come for so long after it was asked for, it is taken to be lost.
  io::Duration pickup_memory = std::chrono::seconds{90};
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

  /// A new connection to the listener, within `limit`. Any number may wait at once (see max_waiting); they are
  /// asked for in the order they came. Throws DialError; when cancelled, operation_aborted.
  ///
  /// Each dial has a token of its own in the path that the listener picks its connection up at, so a connection, or a
  /// report of a failure, reaches the dial that it was made for and no other, however late it comes. A report that
  /// does not name its path (the original's listeners leave it out after some answers) fails a dial only if there is
  /// no other that it could mean.
  io::Task<io::StreamPtr> dial(io::Duration limit);

  /// Ends the session: its tokens are unknown from now on, waiting dials fail, run() says goodbye to the listener
  /// (for at most a second) and returns. May be called more than once.
  void close() noexcept;

  /// True as soon as the session is over for whatever cause.
  bool closed() const noexcept;
  /// How many dials wait for a connection.
  std::size_t waiting() const noexcept;
  /// The listener's address, for people and logs.
  std::string peer() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace revdial
