#include <io/http1.h>
#include <io/proxy.h>
#include <io/tls.h>

#include "failure.h"

#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>
#include <vector>

namespace io {
namespace {

namespace ip = asio::ip;
using boost::system::error_code;

constexpr std::size_t kMaxErrorText = 512;

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  return first == std::string_view::npos ? "" : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::optional<ip::address> as_address(const std::string& text) {
  error_code error;
  ip::address address = ip::make_address(text, error);
  if (error) return std::nullopt;
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    address = ip::make_address_v4(ip::v4_mapped, address.to_v6());
  }
  return address;
}

bool within(const std::string& network, const ip::address& address) {
  error_code error;
  if (address.is_v4()) {
    const ip::network_v4 v4 = ip::make_network_v4(network, error);
    return !error && (address.to_v4().to_uint() & v4.netmask().to_uint()) == v4.network().to_uint();
  }
  const ip::network_v6 v6 = ip::make_network_v6(network, error);
  if (error) return false;
  return ip::network_v6(address.to_v6(), v6.prefix_length()).network() == v6.network();
}

/// Takes ":port" off the end of an entry; an address of IPv6 without brackets has none.
std::string take_port(std::string& entry) {
  const std::size_t colon = entry.rfind(':');
  const bool bare_v6 = entry.find(':') != colon && !entry.starts_with('[');
  std::string port;
  if (colon != std::string::npos && !bare_v6 && !entry.ends_with(']')) {
    port = entry.substr(colon + 1);
    entry.resize(colon);
  }
  if (entry.starts_with('[') && entry.ends_with(']')) entry = entry.substr(1, entry.size() - 2);
  return port;
}

/// Whether an entry of NO_PROXY, which is not empty, means `target`; its host is in lower case.
bool names(std::string entry, const HostPort& target) {
  if (entry == "*") return true;
  const std::optional<ip::address> address = as_address(target.host);
  if (entry.find('/') != std::string::npos) return address && within(entry, *address);
  const std::string port = take_port(entry);
  if (!port.empty() && port != target.port) return false;
  if (address) return as_address(entry) == address;
  if (entry.starts_with("*.")) entry.erase(0, 1);
  if (entry.starts_with('.')) return target.host.size() > entry.size() && target.host.ends_with(entry);
  return target.host == entry || (!entry.empty() && target.host.ends_with("." + entry));
}

bool is_exempt(const HostPort& target, std::string_view list) {
  if (target.host == "localhost") return true;
  if (const auto address = as_address(target.host); address && address->is_loopback()) return true;
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const std::string_view entry = trimmed(list.substr(0, comma));
    if (!entry.empty() && names(lower(std::string(entry)), target)) return true;
    list = comma == std::string_view::npos ? "" : list.substr(comma + 1);
  }
  return false;
}

/// "http://user:password@host:port/", or "host:port".
Proxy parse_proxy(std::string_view url, const std::string& variable) {
  const auto refuse = [&](const std::string& why) -> Proxy {
    throw std::invalid_argument("the proxy that " + variable + " names cannot be used: " + why);
  };
  Proxy proxy;
  if (const std::size_t end = url.find("://"); end != std::string_view::npos) {
    const std::string scheme = lower(std::string(url.substr(0, end)));
    if (scheme != "http" && scheme != "https") return refuse("its scheme is neither http nor https");
    proxy.tls = scheme == "https";
    url.remove_prefix(end + 3);
  }
  url = url.substr(0, url.find_first_of("/?#"));
  if (const std::size_t at = url.rfind('@'); at != std::string_view::npos) {
    const auto credentials = percent_decode(url.substr(0, at));
    if (!credentials || credentials->empty()) return refuse("its user or password is not percent-encoded rightly");
    proxy.credentials = *credentials;
    if (proxy.credentials.find(':') == std::string::npos) proxy.credentials += ':';
    url.remove_prefix(at + 1);
  }
  std::string text(url);
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || text.ends_with(']')) text += proxy.tls ? ":443" : ":80";
  try {
    proxy.address = HostPort::parse(text);
  } catch (const std::invalid_argument&) {
    return refuse("it is no http://host:port");  // the parser's own text would quote what may hold a password
  }
  if (proxy.address.host.empty()) return refuse("it has no host");
  return proxy;
}

RequestHead connect_request(const Proxy& proxy, const HostPort& target) {
  RequestHead head;
  head.method = "CONNECT";
  head.target = target.str();
  head.fields.add("Host", target.str());
  if (!proxy.credentials.empty()) head.fields.add("Proxy-Authorization", basic_authorization(proxy.credentials));
  return head;
}

Task<bool> read_more(ByteStream& stream, std::string& held) {
  std::array<char, 1024> piece;
  const auto room = asio::buffer(piece);
  const std::size_t count = co_await stream.read_some(room);
  held.append(piece.data(), count);
  co_return count > 0;
}

/// The head of the answer; what follows it stays in `held`.
Task<ResponseHead> read_answer(ByteStream& stream, std::string& held) {
  HeadScanner scanner;
  for (;;) {
    if (const auto length = scanner.scan(held)) {
      ResponseHead head = parse_response_head(std::string_view(held).substr(0, *length));
      held.erase(0, *length);
      co_return head;
    }
    const bool more = co_await read_more(stream, held);
    if (!more) throw Failure(asio::error::connection_reset, "ask proxy");
  }
}

Task<ResponseHead> negotiate(ByteStream& stream, std::string request, std::string& held) {
  co_await stream.write(request);
  co_return co_await read_answer(stream, held);
}

}  // namespace

std::optional<Proxy> proxy_for(const HostPort& target, const Environment& environment) {
  const auto first_of = [&](const char* one, const char* other, std::string* found) {
    for (const char* const name : {one, other}) {
      const std::optional<std::string> value = environment(name);
      if (!value || value->empty()) continue;
      if (found != nullptr) *found = name;
      return *value;
    }
    return std::string();
  };
  std::string variable;
  const std::string url = first_of("HTTPS_PROXY", "https_proxy", &variable);
  if (url.empty()) return std::nullopt;
  const HostPort plain{lower(target.host), target.port};
  if (is_exempt(plain, first_of("NO_PROXY", "no_proxy", nullptr))) return std::nullopt;
  return parse_proxy(trimmed(url), variable);
}

Task<StreamPtr> ask_proxy(StreamPtr stream, Proxy proxy, HostPort target, Clock& clock, Duration limit) {
  const std::string what = "proxy " + proxy.address.str();
  // Closes the connection unless it is handed on.
  struct Owner {
    StreamPtr stream;
    ~Owner() {
      if (stream) stream->close();
    }
  } owner{std::move(stream)};
  Deadline deadline(clock, owner.stream->executor(), limit, [&owner] { owner.stream->close(); });
  std::string request = serialize(connect_request(proxy, target));
  std::string held;
  ResponseHead answer;
  try {
    answer = co_await negotiate(*owner.stream, std::move(request), held);
  } catch (const HttpError& error) {
    throw std::runtime_error(what + " did not answer in HTTP: " + error.what());
  } catch (const boost::system::system_error& error) {
    if (deadline.expired()) throw Failure(asio::error::timed_out, "ask " + what + " for " + target.str());
    throw Failure(error.code(), "ask " + what + " for " + target.str());
  }
  deadline.disarm();
  if (answer.status >= 200 && answer.status < 300) co_return with_surplus(std::move(held), std::move(owner.stream));
  std::string status = std::to_string(answer.status) + " " + answer.reason.substr(0, kMaxErrorText);
  if (answer.status == 407)
    status += proxy.credentials.empty() ? " (it wants a user and a password)"
                                        : " (it does not take the user or the password)";
  throw std::runtime_error(what + " gives no connection to " + target.str() + ": " + status);
}

Task<StreamPtr> connect_via(std::optional<Proxy> proxy, Executor executor, Clock& clock, HostPort target,
                            Duration limit) {
  if (!proxy) co_return co_await tcp_connect(executor, clock, target, limit);
  StreamPtr stream = co_await tcp_connect(executor, clock, proxy->address, limit);
  if (proxy->tls) {
    const TlsTrust trust;
    const TlsClientContext tls(trust);
    const std::string name = proxy->address.host;
    stream = co_await tls.connect(std::move(stream), name, clock, limit);
  }
  Proxy asked = *proxy;
  co_return co_await ask_proxy(std::move(stream), std::move(asked), target, clock, limit);
}

}  // namespace io
