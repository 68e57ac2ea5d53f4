#include <build/buildlet/http_url.h>
#include <io/http1.h>
#include <tarutil/path_rule.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <stdexcept>

namespace build::buildlet {

namespace {

namespace ip = boost::asio::ip;

constexpr std::size_t kMaxUrl = 8 * 1024;

[[noreturn]] void refuse_url(const std::string& why) { throw std::invalid_argument(why); }

const char* usual_port(bool secure) { return secure ? "443" : "80"; }

bool is_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port != 0;
}

bool is_host_character(char c) {
  const auto between = [c](char low, char high) { return c >= low && c <= high; };
  return between('a', 'z') || between('A', 'Z') || between('0', '9') || c == '-' || c == '.' || c == '_';
}

void check_characters(std::string_view text) {
  if (text.size() > kMaxUrl) refuse_url("the URL is longer than 8 KiB");
  const bool plain = std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; });
  if (!plain) refuse_url("the URL has a character that must be percent-encoded");
}

// "host", "host:8080", "[::1]:8080"
void read_authority(std::string_view authority, HttpUrl& url) {
  if (authority.find('@') != std::string_view::npos) refuse_url("a URL with a user is not taken");
  std::string_view host = authority.substr(0, authority.rfind(':')), port = usual_port(url.secure);
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos) refuse_url("the URL has a bracket that is not closed");
    host = authority.substr(1, end - 1);
    boost::system::error_code error;
    ip::make_address_v6(std::string(host), error);
    if (error || host.find('%') != std::string_view::npos)
      refuse_url("the URL has something in brackets that is no address");
    authority.remove_prefix(end + 1);
    if (!authority.empty() && authority.front() != ':') refuse_url("the URL has no port where one is expected");
  } else {
    if (!std::all_of(host.begin(), host.end(), is_host_character)) refuse_url("the URL has a host that is none");
    authority.remove_prefix(host.size());
  }
  if (host.empty()) refuse_url("the URL has no host");
  if (authority.size() > 1) port = authority.substr(1);
  if (!is_port(port)) refuse_url("the URL has a port that is none");
  url.host = host;
  url.port = port;
}

std::string without_fragment(std::string_view text) { return std::string(text.substr(0, text.find('#'))); }

struct Range {
  const char* network;
  AddressKind kind;
};

// What is not here is for everybody.
constexpr std::array kRangesV4{
    Range{"0.0.0.0/8", AddressKind::nobody},      Range{"10.0.0.0/8", AddressKind::inside},
    Range{"100.64.0.0/10", AddressKind::inside},  Range{"100.100.100.200/32", AddressKind::nobody},
    Range{"127.0.0.0/8", AddressKind::inside},    Range{"169.254.0.0/16", AddressKind::nobody},
    Range{"172.16.0.0/12", AddressKind::inside},  Range{"192.0.0.0/24", AddressKind::nobody},
    Range{"192.168.0.0/16", AddressKind::inside}, Range{"198.18.0.0/15", AddressKind::inside},
    Range{"224.0.0.0/3", AddressKind::nobody},
};
constexpr std::array kRangesV6{
    Range{"::/128", AddressKind::nobody},    Range{"::1/128", AddressKind::inside},
    Range{"fc00::/7", AddressKind::inside},  Range{"fd00:ec2::/32", AddressKind::nobody},
    Range{"fe80::/10", AddressKind::nobody}, Range{"fec0::/10", AddressKind::inside},
    Range{"ff00::/8", AddressKind::nobody},
};

AddressKind kind_of(const ip::address_v4& address) {
  AddressKind kind = AddressKind::everybody;
  for (const Range& range : kRangesV4) {
    const ip::network_v4 network = ip::make_network_v4(range.network);
    const ip::network_v4 alone(address, network.prefix_length());
    if (alone.network() == network.network()) kind = std::max(kind, range.kind);
  }
  return kind;
}

// The IPv4 address that `bytes` have from `at` on.
AddressKind kind_of_embedded(const ip::address_v6::bytes_type& bytes, std::size_t at) {
  ip::address_v4::bytes_type four{};
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), 4, four.begin());
  return kind_of(ip::address_v4(four));
}

AddressKind kind_of(const ip::address_v6& address) {
  const auto bytes = address.to_bytes();
  const auto begins_with = [&bytes](std::initializer_list<int> prefix) {
    return std::equal(prefix.begin(), prefix.end(), bytes.begin());
  };
  if (address.is_v4_mapped()) return kind_of_embedded(bytes, 12);
  if (begins_with({0, 0x64, 0xff, 0x9b})) return kind_of_embedded(bytes, 12);  // NAT64
  if (begins_with({0x20, 0x02})) return kind_of_embedded(bytes, 2);            // 6to4
  AddressKind kind = AddressKind::everybody;
  for (const Range& range : kRangesV6) {
    const ip::network_v6 network = ip::make_network_v6(range.network);
    const ip::network_v6 alone(address, network.prefix_length());
    if (alone.network() == network.network()) kind = std::max(kind, range.kind);
  }
  return kind;
}

}  // namespace

std::string HttpUrl::authority() const {
  const std::string shown = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return port == usual_port(secure) ? shown : shown + ":" + port;
}

std::string HttpUrl::str() const { return (secure ? "https://" : "http://") + authority() + target; }

HttpUrl parse_http_url(std::string_view text) {
  check_characters(text);
  const std::size_t colon = text.find("://");
  const std::string_view scheme = text.substr(0, std::min(colon, text.size()));
  HttpUrl url;
  url.secure = io::iequals(scheme, "https");
  if (colon == std::string_view::npos || (!url.secure && !io::iequals(scheme, "http"))) {
    const std::size_t end = text.find(':');
    refuse_url("unsupported protocol scheme " +
               tarutil::quoted(std::string(end == std::string_view::npos ? "" : text.substr(0, end))));
  }
  text.remove_prefix(colon + 3);
  const std::size_t end = std::min(text.find_first_of("/?#"), text.size());
  read_authority(text.substr(0, end), url);
  url.target = without_fragment(text.substr(end));
  if (!url.target.starts_with('/')) url.target.insert(0, "/");
  return url;
}

HttpUrl redirected_url(const HttpUrl& from, std::string_view location) {
  check_characters(location);
  if (location.starts_with("//")) return parse_http_url((from.secure ? "https:" : "http:") + std::string(location));
  const std::size_t path = std::min(location.find_first_of("/?#"), location.size());
  if (location.substr(0, path).find(':') != std::string_view::npos) return parse_http_url(location);
  HttpUrl to = from;
  const std::string before_query = from.target.substr(0, from.target.find('?'));
  const std::string relative = without_fragment(location);
  if (relative.starts_with('/')) {
    to.target = relative;
  } else if (relative.starts_with('?')) {
    to.target = before_query + relative;
  } else if (!relative.empty()) {
    to.target = before_query.substr(0, before_query.rfind('/') + 1) + relative;
  }
  return to;
}

AddressKind kind_of_address(std::string_view text) {
  boost::system::error_code error;
  const ip::address address = ip::make_address(std::string(text), error);
  if (error) return AddressKind::nobody;
  return address.is_v4() ? kind_of(address.to_v4()) : kind_of(address.to_v6());
}

std::string redirect_objection(const HttpUrl& from, AddressKind from_kind, const HttpUrl& to, AddressKind to_kind) {
  if (from.secure && !to.secure) return "the redirect gives up encryption";
  if (from_kind == AddressKind::everybody && to_kind != AddressKind::everybody) {
    return "the redirect leads from outside to an address inside the network";
  }
  return {};
}

}  // namespace build::buildlet
