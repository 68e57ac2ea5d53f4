// What the calls to a worker share: how a request looks, and how an answer that refuses is told.
#pragma once

#include <build/net/client.h>
#include <io/http1.h>

#include <cstddef>
#include <string>

namespace build::buildlet {

/// How much of a worker's text goes into an error.
inline constexpr std::size_t kMaxErrorText = 4096;

/// The field that names a request's lease.
inline constexpr const char* kLeaseField = "X-Xbuild-Lease";

io::RequestHead worker_request(std::string method, std::string target, const std::string& hostname);

/// At most `limit` bytes of a body, without blanks at the end; what follows is not read.
io::Task<std::string> read_beginning(net::BodyReader& body, std::size_t limit);

/// "400 Bad Request: requires POST method"
std::string refusal_text(const io::ResponseHead& head, const std::string& body);

}  // namespace build::buildlet
