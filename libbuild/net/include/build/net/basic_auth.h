// HTTP Basic: what a client says about itself in its Authorization field. Pure; any thread.
#pragma once

#include <io/http1.h>

#include <optional>
#include <string>
#include <string_view>

namespace build::net {

struct BasicCredentials {
  std::string user, password;
};

/// Standard base64 with its padding and nothing else; nullopt otherwise.
std::optional<std::string> decode_base64(std::string_view text);

/// From the value of one Authorization field, as strictly as Go's Request.BasicAuth: "Basic " in any case, standard
/// base64 with its padding and nothing else, a colon in what it stands for (the first one counts). nullopt otherwise.
std::optional<BasicCredentials> parse_basic_credentials(std::string_view authorization);

/// Of a request: nullopt also if it has more than one Authorization field.
std::optional<BasicCredentials> basic_credentials(const io::Fields& fields);

}  // namespace build::net
