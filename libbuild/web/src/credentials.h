// What a request says about who sends it, and from where. Pure; all of it is remote bytes.
#pragma once

#include <io/http1.h>

#include <optional>
#include <string>
#include <string_view>

namespace build::web {

/// The token of an Authorization field: a Bearer token, or the password of HTTP Basic (whatever the user's name).
struct Presented {
  bool given = false;  ///< there is an Authorization field
  std::string token;   ///< empty if it is none of those, or there is more than one field
};
Presented presented_token(const io::Fields& fields);

/// The value of the first cookie of that name; empty if there is none.
std::string cookie_value(const io::Fields& fields, std::string_view name);

/// Whether a page sent the request, and whose. Browsers say so; other programs do not.
enum class Sender {
  program,  ///< nothing says that it was a page
  own,      ///< a page of this server
  other,    ///< another site's page, or one that hides where it comes from
};
Sender sender_of(const io::Fields& fields);

/// Whether `peer` ("127.0.0.1:4711", "[::1]:4711") is this machine.
bool is_loopback_peer(std::string_view peer);
/// Whether a Host field names this machine as such. Guards against names that somebody made to mean it.
bool is_loopback_host(std::string_view host);

/// `next` if it is a path on this server that a redirect may lead to, "/" otherwise.
std::string local_path(std::string_view next);

}  // namespace build::web
