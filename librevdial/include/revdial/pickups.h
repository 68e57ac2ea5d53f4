// The server's half of a pick-up: which dial a new connection belongs to.
//
// A listener picks a connection up with `GET <connPath>?revdial.dialer=<token>` on a new TLS connection. The
// HTTP server above does, in its handler for connPath:
//
//   const revdial::PickupAnswer answer = revdial::check_pickup(request.secure(), method, token, pickups);
//   if (answer.status != 101) -> answer with status, text (+ "\n") and, if set, `Allow: <allow>`
//   stream = take the connection over after writing revdial::kSwitchResponse in a write of its own
//   pickups.offer(token, std::move(stream));
//
// Threads: one executor, the one its Dialers live on.
#pragma once

#include <io/byte_stream.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace revdial {

/// The query (or form) parameter of a pick-up request that holds the token. The original has one value for all of a
/// session, the dialer's id, hence the name.
inline constexpr std::string_view kDialerParameter = "revdial.dialer";

inline constexpr std::size_t kTokenDigits = 32;

/// Fills the span with random bytes that nobody can guess.
using RandomBytes = std::function<void(std::span<std::byte>)>;

/// A new token: 16 bytes of `random` as 32 lower-case hexadecimal digits. It is good for one pick-up, and the only
/// credential of it, so it belongs in no log and on no page.
std::string make_pickup_token(const RandomBytes& random);

enum class PickupResult {
  taken,           ///< a waiting dial has it
  kept,            ///< it was asked for to be ready for the next dial
  nobody_waiting,  ///< the dial has given up: the connection was closed
  unknown_token,   ///< no such token (any more): the connection was closed
};

/// Where pick-up connections find their Dialer. Must outlive its Dialers.
class Pickups {
 public:
  /// A Dialer's face towards pick-ups.
  class Taker {
   public:
    virtual ~Taker() = default;
    /// Whether that token, which was added for it, is still good.
    virtual bool expects(std::string_view token) = 0;
    /// Takes a connection whose 101 has been written, or closes it; removes the token.
    virtual PickupResult take(std::string_view token, io::StreamPtr connection) = 0;
  };

  Pickups();
  ~Pickups();
  Pickups(const Pickups&) = delete;
  Pickups& operator=(const Pickups&) = delete;

  /// Whether a pick-up with this token is to come. Half of the token is compared in constant time.
  bool knows(std::string_view token) const;

  /// Hands a connection, whose 101 has been written, to the dial that the token was made for; the token is used up.
  /// Consumes `connection` in any case.
  PickupResult offer(std::string_view token, io::StreamPtr connection);

  /// How many pick-ups may come.
  std::size_t size() const noexcept;

  /// For Dialer. Throws std::invalid_argument if `token` is not 32 lower-case hexadecimal digits or
  /// already there; the text does not name it.
  void add(std::string_view token, Taker& taker);
  void remove(std::string_view token) noexcept;

 private:
  Taker* find(std::string_view token) const;

  struct Table;
  std::unique_ptr<Table> table_;
};

/// What a pick-up request is answered with. Status 101 means: write kSwitchResponse, then offer().
struct PickupAnswer {
  int status = 101;
  std::string_view text;   ///< of the body, without the newline at its end; empty for 101
  std::string_view allow;  ///< value of the Allow header, empty if there is none to send
};

/// Checks in the original's order: 500 `handler requires TLS`, 405 with `Allow: GET`, 400 `unknown dialer`.
/// The token of a dial that has given up gets its 101 like any other, and offer() closes the connection: another status
/// would make the listener report a failed pick-up that nobody waits for.
PickupAnswer check_pickup(bool secure, std::string_view method, std::string_view token, const Pickups& pickups);

}  // namespace revdial
