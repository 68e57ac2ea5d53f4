// Who may read and who may act: one check for browsers and programs, before anything else sees a request.
//
// A request is made by a principal, found in this order:
//   - the token of its Authorization field (Bearer, or the password of HTTP Basic);
//   - the cookie that /login gives a browser for a token;
//   - "local", for a request from this machine, if that is allowed (see config::AccessConfig::local);
//   - nobody, who may read if everybody may.
// To act (any method but GET and HEAD) takes a principal that may, and a request that no other site's page caused.
// Everything is denied unless it is allowed; a few paths are open to all because they must be (workers and the
// original's tools, who prove themselves by keys, the health check, the way to sign in and what it looks like).
//
// Tokens are compared by their digests, in constant time, and appear in no log and no answer.
#pragma once

#include <build/base/random.h>
#include <build/config/farm_config.h>
#include <build/net/server.h>
#include <build/web/farm_view.h>
#include <io/clock.h>

#include <memory>
#include <string>

namespace build::web {

/// Lives on the executor of the server that it guards, and must outlive it.
class Access {
 public:
  struct Seams {
    io::Clock& clock;
    base::RandomSource& random;
    const FarmView& farm;  ///< for the frame around its pages
  };
  /// `admin_token` may act, as "admin", and signs the cookies: a new one ends all sessions. Throws
  /// std::invalid_argument if it is empty.
  Access(Seams seams, config::AccessConfig config, const std::string& admin_token);
  ~Access();
  Access(const Access&) = delete;
  Access& operator=(const Access&) = delete;

  /// Takes another configuration over, from the next request on.
  void set_config(config::AccessConfig config);

  /// GET and POST /login, POST /logout.
  void add_routes(net::Router& router);

  /// `inner`, for those who may. It finds the principal's name in Request::user(): a token's name, "local", or empty
  /// for nobody. Request::may_act() says whether a request of the same principal to change something would be let in.
  net::Handler guard(net::Handler inner);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace build::web
