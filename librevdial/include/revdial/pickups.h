// The server's half of a pick-up: which Dialer a new connection belongs to.
//
// A listener picks a connection up with `GET <connPath>?revdial.dialer=<id>` on a new TLS connection. The
// HTTP server above does, in its handler for connPath:
//
//   const revdial::PickupAnswer answer = revdial::check_pickup(request.secure(), method, id, pickups);
//   if (answer.status != 101) -> answer with status, text (+ "\n") and, if set, `Allow: <allow>`
//   stream = take the connection over after writing revdial::kSwitchResponse in a write of its own
//   pickups.offer(id, std::move(stream));
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

/// The query (or form) parameter of a pick-up request that holds the dialer's id.
inline constexpr std::string_view kDialerParameter = "revdial.dialer";

/// Fills the span with random bytes that nobody can guess.
using RandomBytes = std::function<void(std::span<std::byte>)>;

/// A new dialer id: 16 bytes of `random` as 32 lower-case hexadecimal digits. It is the only credential of a
/// pick-up, so it belongs in no log and on no page.
std::string make_dialer_id(const RandomBytes& random);

enum class PickupResult {
  taken,           ///< a waiting dial has it
  nobody_waiting,  ///< the dialer exists but no dial waits (any more): the connection was closed
  unknown_dialer,  ///< no such dialer (any more): the connection was closed
};

/// Where pick-up connections find their Dialer. Must outlive its Dialers.
class Pickups {
 public:
  /// A Dialer's face towards pick-ups.
  class Taker {
   public:
    virtual ~Taker() = default;
    /// Takes a connection whose 101 has been written, or closes it.
    virtual PickupResult take(io::StreamPtr connection) = 0;
  };

  Pickups();
  ~Pickups();
  Pickups(const Pickups&) = delete;
  Pickups& operator=(const Pickups&) = delete;

  /// Whether a Dialer with this id is alive. Half of the id is compared in constant time.
  bool knows(std::string_view dialer_id) const;

  /// Hands a connection, whose 101 has been written, to the dial of this Dialer that waits longest.
  /// Consumes `connection` in any case.
  PickupResult offer(std::string_view dialer_id, io::StreamPtr connection);

  /// How many Dialers are alive.
  std::size_t size() const noexcept;

  /// For Dialer. Throws std::invalid_argument if `dialer_id` is not 32 lower-case hexadecimal digits or
  /// already there; the text does not name it.
  void add(std::string_view dialer_id, Taker& taker);
  void remove(std::string_view dialer_id) noexcept;

 private:
  Taker* find(std::string_view dialer_id) const;

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
/// A known dialer for which nobody waits gets its 101 like any other and is closed by offer(): another status
/// would make the listener report a failed pick-up, which could then hit a dial that it has nothing to do with.
PickupAnswer check_pickup(bool secure, std::string_view method, std::string_view dialer_id, const Pickups& pickups);

}  // namespace revdial
