#include "credentials.h"

#include <build/net/basic_auth.h>

#include <algorithm>

namespace build::web {

namespace {

constexpr std::size_t kMaxToken = 200;
constexpr std::string_view kBearer = "Bearer ";

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

std::string_view without_port(std::string_view authority) {
  const std::size_t colon = authority.rfind(':');
  const std::size_t bracket = authority.rfind(']');
  if (colon == std::string_view::npos || (bracket != std::string_view::npos && colon < bracket)) return authority;
  return authority.substr(0, colon);
}

}  // namespace

Presented presented_token(const io::Fields& fields) {
  const std::vector<std::string> values = fields.values("Authorization");
  Presented presented{.given = !values.empty(), .token = {}};
  if (values.size() != 1) return presented;
  const std::string_view value = values.front();
  if (io::iequals(value.substr(0, kBearer.size()), kBearer)) {
    presented.token = trimmed(value.substr(kBearer.size()));
  } else if (const auto basic = net::parse_basic_credentials(value)) {
    presented.token = basic->password;
  }
  if (presented.token.size() > kMaxToken || !is_printable(presented.token)) presented.token.clear();
  return presented;
}

std::string cookie_value(const io::Fields& fields, std::string_view name) {
  for (const std::string& line : fields.values("Cookie")) {
    std::string_view rest = line;
    while (!rest.empty()) {
      const std::string_view pair = trimmed(rest.substr(0, rest.find(';')));
      rest.remove_prefix(std::min(rest.find(';'), rest.size() - 1) + 1);
      const std::size_t equals = pair.find('=');
      if (equals != std::string_view::npos && pair.substr(0, equals) == name)
        return std::string(pair.substr(equals + 1));
    }
  }
  return {};
}

Sender sender_of(const io::Fields& fields) {
  const std::string* site = fields.find("Sec-Fetch-Site");
  const std::string* origin = fields.find("Origin");
  if (site != nullptr && *site != "same-origin") return Sender::other;
  if (origin == nullptr) return site == nullptr ? Sender::program : Sender::own;
  if (fields.values("Origin").size() != 1) return Sender::other;
  // A proxy may do TLS, so the scheme is not compared.
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (!origin->starts_with(scheme)) continue;
    return io::iequals(std::string_view(*origin).substr(scheme.size()), fields.get("Host")) ? Sender::own
                                                                                            : Sender::other;
  }
  return Sender::other;
}

bool is_loopback_peer(std::string_view peer) {
  const std::string_view host = without_port(peer);
  return host == "[::1]" || host.starts_with("127.") || host.starts_with("[::ffff:127.");
}

bool is_loopback_host(std::string_view host) {
  const std::string_view name = without_port(host);
  return io::iequals(name, "localhost") || name == "127.0.0.1" || name == "[::1]";
}

std::string local_path(std::string_view next) {
  // "//host" and "/\host" are other servers for a browser.
  const bool good = next.size() <= 1000 && next.starts_with("/") && !next.starts_with("//") && is_printable(next) &&
                    next.find('\\') == std::string_view::npos;
  return good ? std::string(next) : "/";
}

}  // namespace build::web
