// Reaching a server through an HTTP proxy (CONNECT), where the environment names one.
//
// The usual conventions: HTTPS_PROXY (or https_proxy) names the proxy for TLS connections, NO_PROXY (or no_proxy) the
// targets that are reached without it. Credentials stand in the proxy's URL; they are sent to the proxy and appear in
// no text made here. Threads: proxy_for() any; the others the executor given.
#pragma once

#include <io/byte_stream.h>
#include <io/clock.h>
#include <io/tcp.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace io {

struct Proxy {
  HostPort address;
  bool tls = false;  ///< https://: the connection to the proxy is encrypted, too, and checked by the system's roots
  std::string credentials;  ///< "user:password", decoded; empty if there are none
};

/// A variable of the environment.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

/// The proxy for a TLS connection to `target`; nullopt if it is to be reached directly. Localhost and loopback
/// addresses always are. An entry of NO_PROXY is `*`, an address, a network (10.0.0.0/8), a domain (with everything
/// below it) or
/// `.domain` (only what is below it); all but `*` and networks may end in `:port`.
/// Throws std::invalid_argument, naming the variable but not its value, if it is no URL that we understand.
std::optional<Proxy> proxy_for(const HostPort& target, const Environment& environment);

/// Asks the proxy at the other end of `stream` for a connection to `target`, within `limit`. Throws std::runtime_error
/// with the proxy's words if it refuses (407: it wants credentials, or others), boost::system::system_error when the
/// connection breaks or the time is over. The connection is closed then.
Task<StreamPtr> ask_proxy(StreamPtr stream, Proxy proxy, HostPort target, Clock& clock, Duration limit);

/// A connection to `target`: through `proxy` if there is one, else tcp_connect(). `limit` is for each of: connecting,
/// TLS to the proxy, the proxy's answer.
Task<StreamPtr> connect_via(std::optional<Proxy> proxy, Executor executor, Clock& clock, HostPort target,
                            Duration limit);

}  // namespace io
