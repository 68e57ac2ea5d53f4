// The pick-ups that a Dialer has asked for: the token of each, and what it is for.
#pragma once

#include <io/clock.h>
#include <io/event.h>
#include <revdial/dialer.h>
#include <revdial/pickups.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace revdial {

/// A dial that waits for its connection.
struct Waiter {
  explicit Waiter(const io::Executor& executor) : settled(executor) {}

  bool asked = false;  // its conn-ready is sent
  io::StreamPtr connection;
  std::optional<DialError> error;
  io::Event settled;

  bool is_settled() const noexcept { return connection != nullptr || error.has_value(); }
};
using WaiterPtr = std::shared_ptr<Waiter>;

/// Invariant: each token in it, and no other of this Dialer, is in Pickups.
class AskedPickups {
 public:
  /// All of them outlive it.
  AskedPickups(Pickups& pickups, Pickups::Taker& taker, io::Clock& clock, const DialerOptions& options);
  ~AskedPickups() { clear(); }
  AskedPickups(const AskedPickups&) = delete;
  AskedPickups& operator=(const AskedPickups&) = delete;

  enum class Purpose {
    dial,    ///< for the dial that is named
    keep,    ///< to be kept ready
    nobody,  ///< its dial has given up
  };
  struct Asked {
    std::string token;
    io::Instant when;
    Purpose purpose;
    WaiterPtr waiter;  ///< for Purpose::dial
  };

  /// A new one, and the path that it is to be picked up at. Without a dial it is to be kept.
  std::string ask(WaiterPtr waiter);
  bool has(std::string_view token) const;
  /// The one with that token, which is then used up.
  std::optional<Asked> take(std::string_view token);
  /// The one that a report about `conn_path` means: used up, too. Without a path it can only mean the one there is.
  std::optional<Asked> take_reported(std::string_view conn_path);

  void give_up(const WaiterPtr& waiter) { set_purpose(waiter, Purpose::nobody); }
  /// Its dial was served by another connection.
  void keep(const WaiterPtr& waiter) { set_purpose(waiter, Purpose::keep); }
  /// Forgets those nobody waits for that should have come by now; true if one of them was to be kept. Whoever waits is
  /// waited for.
  bool forget_lost();
  void clear();

  /// How many are to be kept.
  std::size_t to_keep() const;

 private:
  using Place = std::deque<Asked>::iterator;
  Place find(std::string_view token);
  Asked take(Place place);
  void set_purpose(const WaiterPtr& waiter, Purpose purpose);

  Pickups& pickups_;
  Pickups::Taker& taker_;
  io::Clock& clock_;
  const DialerOptions& options_;
  std::string path_start_;  // in front of the token
  std::deque<Asked> asked_;
};

}  // namespace revdial
