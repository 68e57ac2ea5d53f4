// The way to the coordinator through an HTTP proxy, for machines that have no other (CONNECT). As the original: the
// straight way is tried first.
#pragma once

#include <build/buildlet/worker_state.h>
#include <io/byte_stream.h>
#include <io/clock.h>
#include <io/tcp.h>

#include <optional>

namespace build::buildlet {

/// The proxy that HTTPS_PROXY (or https_proxy) names for `address`, and NO_PROXY (or no_proxy) does not exempt it from:
/// "*", a domain with all below it, an address or a network of addresses ("10.0.0.0/8"), each with a port if it is
/// meant for that only. This machine is never reached through a proxy. Throws std::invalid_argument for a proxy that
/// is no http:// URL or HOST:PORT.
std::optional<io::HostPort> proxy_for(const io::HostPort& address, const EnvironmentLookup& environment);

/// Asks the proxy at the other end of `stream` for a connection to `target` and gives that connection. Throws
/// std::runtime_error with a sentence; for bytes behind the proxy's answer, too, since none may come yet.
io::Task<io::StreamPtr> connect_through(io::StreamPtr stream, io::HostPort proxy, io::HostPort target, io::Clock& clock,
                                        io::Duration limit);

}  // namespace build::buildlet
