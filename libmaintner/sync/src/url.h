// Addresses of logs and segments: http and https, no user, no fragment.
#pragma once

#include <io/tcp.h>

#include <string>
#include <string_view>

namespace maintner {

struct Url {
  bool tls = false;
  std::string host_field;  ///< as it stands in the address: "host:port", "[::1]:80", "host"
  io::HostPort address;
  std::string target;  ///< path and query, "/" at least

  std::string text() const { return (tls ? "https://" : "http://") + host_field + target; }
};

/// Throws std::invalid_argument, naming `text`.
Url parse_url(std::string_view text);
/// What `reference` stands for in a document at `base`. Throws std::invalid_argument.
Url resolve(const Url& base, std::string_view reference);
/// With another pair in the query.
Url with_query(const Url& url, std::string_view pair);

}  // namespace maintner
