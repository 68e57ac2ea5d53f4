// A cookie is "EXPIRY:ID:NAME:SIGNATURE": seconds since 1970, 32 random hexadecimal digits, the token's name, and the
// HMAC of the three and of the token's digest. So it ends with its time, with its token, and with the signing key.

#include "sessions.h"

#include <build/base/builder_key.h>
#include <build/base/digest.h>
#include <build/base/ids.h>

#include <algorithm>
#include <limits>

#include "text.h"

namespace build::web {

namespace {

constexpr std::size_t kMaxCookie = 300;
constexpr std::size_t kMaxEnded = 10'000;

struct Parts {
  std::string_view payload;  ///< the first three
  std::string_view expiry, id, name, signature;
};

/// Empty views for what is no cookie of ours.
Parts parts_of(std::string_view cookie) {
  if (cookie.size() > kMaxCookie) return {};
  const std::size_t first = cookie.find(':');
  const std::size_t second = cookie.find(':', first == std::string_view::npos ? first : first + 1);
  const std::size_t last = cookie.rfind(':');
  if (second == std::string_view::npos || last <= second) return {};
  return {.payload = cookie.substr(0, last),
          .expiry = cookie.substr(0, first),
          .id = cookie.substr(first + 1, second - first - 1),
          .name = cookie.substr(second + 1, last - second - 1),
          .signature = cookie.substr(last + 1)};
}

}  // namespace

Sessions::Sessions(io::Clock& clock, base::RandomSource& random, std::string key)
    : clock_(clock), random_(random), key_(std::move(key)) {}

std::int64_t Sessions::seconds_now() const {
  return std::chrono::floor<std::chrono::seconds>(clock_.wall_now()).time_since_epoch().count();
}

std::string Sessions::sign(std::string_view payload, std::string_view digest) const {
  return base::hmac_sha256_hex(key_, std::string(payload) + ":" + std::string(digest));
}

std::string Sessions::begin(const std::string& name, const std::string& digest) {
  const std::int64_t expiry = seconds_now() + std::chrono::seconds(kLifetime).count();
  const std::string payload = std::to_string(expiry) + ":" + base::random_id(random_) + ":" + name;
  return payload + ":" + sign(payload, digest);
}

std::string Sessions::check(std::string_view cookie, const DigestOf& digest_of) {
  const Parts parts = parts_of(cookie);
  if (parts.name.empty() || ended_.contains(parts.id)) return {};
  const std::string digest = digest_of(parts.name);
  if (digest.empty() || !base::constant_time_equal(parts.signature, sign(parts.payload, digest))) return {};
  const auto expiry = parse_number(parts.expiry, std::numeric_limits<std::int64_t>::max());
  if (!expiry || *expiry <= seconds_now()) return {};
  return std::string(parts.name);
}

void Sessions::end(std::string_view cookie) {
  const Parts parts = parts_of(cookie);
  const auto expiry = parse_number(parts.expiry, std::numeric_limits<std::int64_t>::max());
  if (!expiry || !base::is_lower_hex(parts.id, 32)) return;
  std::erase_if(ended_, [now = seconds_now()](const auto& entry) { return entry.second <= now; });
  if (ended_.size() < kMaxEnded) ended_.emplace(parts.id, *expiry);
}

std::chrono::seconds TryLimit::wait_of(const std::string& host) const {
  const auto found = hosts_.find(host);
  if (found == hosts_.end() || found->second.free_again <= clock_.now()) return std::chrono::seconds::zero();
  return std::chrono::ceil<std::chrono::seconds>(found->second.free_again - clock_.now());
}

void TryLimit::wrong(const std::string& host) {
  const io::Instant now = clock_.now();
  std::erase_if(hosts_, [now](const auto& entry) { return entry.second.last + kForgotten < now; });
  if (hosts_.size() >= kPeers && !hosts_.contains(host))
    hosts_.erase(std::min_element(hosts_.begin(), hosts_.end(),
                                  [](const auto& a, const auto& b) { return a.second.last < b.second.last; }));
  Host& entry = hosts_[host];
  entry.last = now;
  if (++entry.wrong <= kFree) return;
  const int doublings = std::min(entry.wrong - kFree - 1, 10);
  entry.free_again = now + std::min<std::chrono::seconds>(std::chrono::seconds(1) * (1 << doublings), kMaxWait);
}

}  // namespace build::web
