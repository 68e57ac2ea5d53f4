#include "asked_pickups.h"

#include "control_channel.h"

#include <revdial/switch.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace revdial {

namespace {

std::string path_start(const DialerOptions& options) {
  const std::string_view join = options.conn_path.find('?') == std::string::npos ? "?" : "&";
  std::string path = options.conn_path;
  path.append(join).append(kDialerParameter).append("=");
  return path;
}

}  // namespace

AskedPickups::AskedPickups(Pickups& pickups, Pickups::Taker& taker, io::Clock& clock, const DialerOptions& options)
    : pickups_(pickups), taker_(taker), clock_(clock), options_(options), path_start_(path_start(options)) {
  if (!is_request_path(path_start_) || path_start_.size() + kTokenDigits > kMaxOwnPath) {
    throw std::invalid_argument("revdial: \"" + options.conn_path + "\" cannot be a path for pick-ups");
  }
  if (!options.random) throw std::invalid_argument("revdial: a Dialer needs random bytes");
}

std::string AskedPickups::ask(WaiterPtr waiter) {
  const std::string token = make_pickup_token(options_.random);
  pickups_.add(token, taker_);
  const Purpose purpose = waiter ? Purpose::dial : Purpose::keep;
  asked_.push_back({token, clock_.now(), purpose, std::move(waiter)});
  return path_start_ + token;
}

AskedPickups::Place AskedPickups::find(std::string_view token) {
  return std::find_if(asked_.begin(), asked_.end(), [&](const Asked& asked) { return asked.token == token; });
}

bool AskedPickups::has(std::string_view token) const {
  return std::any_of(asked_.begin(), asked_.end(), [&](const Asked& asked) { return asked.token == token; });
}

AskedPickups::Asked AskedPickups::take(Place place) {
  Asked asked = std::move(*place);
  asked_.erase(place);
  pickups_.remove(asked.token);
  return asked;
}

std::optional<AskedPickups::Asked> AskedPickups::take(std::string_view token) {
  const Place place = find(token);
  if (place == asked_.end()) return std::nullopt;
  return take(place);
}

std::optional<AskedPickups::Asked> AskedPickups::take_reported(std::string_view conn_path) {
  if (conn_path.starts_with(path_start_)) return take(conn_path.substr(path_start_.size()));
  // The original does not always say which one.
  if (!conn_path.empty() || asked_.size() != 1) return std::nullopt;
  return take(asked_.begin());
}

void AskedPickups::set_purpose(const WaiterPtr& waiter, Purpose purpose) {
  for (Asked& asked : asked_) {
    if (asked.waiter != waiter) continue;
    asked.purpose = purpose;
    asked.waiter = nullptr;
  }
}

bool AskedPickups::forget_lost() {
  const io::Instant oldest = clock_.now() - options_.pickup_memory;
  bool lost_to_keep = false;
  for (auto asked = asked_.begin(); asked != asked_.end();) {
    const bool lost = asked->when < oldest || asked_.size() >= 2 * options_.max_waiting + options_.max_ready;
    if (asked->waiter || !lost) {
      ++asked;
      continue;
    }
    lost_to_keep = lost_to_keep || asked->purpose == Purpose::keep;
    pickups_.remove(asked->token);
    asked = asked_.erase(asked);
  }
  return lost_to_keep;
}

void AskedPickups::clear() {
  for (const Asked& asked : std::exchange(asked_, {})) pickups_.remove(asked.token);
}

std::size_t AskedPickups::to_keep() const {
  return static_cast<std::size_t>(
      std::count_if(asked_.begin(), asked_.end(), [](const Asked& asked) { return asked.purpose == Purpose::keep; }));
}

}  // namespace revdial
