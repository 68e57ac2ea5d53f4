// Signing in with a browser: cookies, and how often somebody may be wrong.
#pragma once

#include <build/base/random.h>
#include <io/clock.h>

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace build::web {

/// Session cookies. They are signed, not remembered, so they outlive a restart; one that was signed out is remembered
/// until it would have expired. One executor.
class Sessions {
 public:
  static constexpr std::chrono::hours kLifetime{7 * 24};

  /// `key` signs; who does not know it cannot make a cookie.
  Sessions(io::Clock& clock, base::RandomSource& random, std::string key);

  /// The cookie of whoever presented the token with that digest. `name` is the token's; it holds no colon.
  std::string begin(const std::string& name, const std::string& digest);
  /// The digest of the token of that name; empty if there is none any more.
  using DigestOf = std::function<std::string(std::string_view name)>;
  /// Whose cookie it is; empty if it is none of ours, has expired or ended, or its token is another one now.
  std::string check(std::string_view cookie, const DigestOf& digest_of);
  void end(std::string_view cookie);

 private:
  std::string sign(std::string_view payload, std::string_view digest) const;
  std::int64_t seconds_now() const;

  io::Clock& clock_;
  base::RandomSource& random_;
  std::string key_;
  std::map<std::string, std::int64_t, std::less<>> ended_;  ///< id: when it expires
};

/// Slows down who guesses. After a few wrong tries a peer must wait, each time twice as long, up to kMaxWait. Keeps a
/// bounded number of peers: the one that was wrong the longest ago is forgotten first. One executor.
class TryLimit {
 public:
  static constexpr int kFree = 5;  ///< wrong tries without a wait
  static constexpr std::chrono::seconds kMaxWait{60};
  static constexpr std::chrono::minutes kForgotten{15};  ///< after this long without a wrong try
  static constexpr std::size_t kPeers = 1000;

  explicit TryLimit(const io::Clock& clock) : clock_(clock) {}

  /// How long the peer must wait before another try counts; zero if it need not.
  std::chrono::seconds wait_of(const std::string& host) const;
  void wrong(const std::string& host);
  void right(const std::string& host) { hosts_.erase(host); }

 private:
  struct Host {
    int wrong = 0;
    io::Instant last, free_again;
  };
  const io::Clock& clock_;
  std::map<std::string, Host> hosts_;
};

}  // namespace build::web
