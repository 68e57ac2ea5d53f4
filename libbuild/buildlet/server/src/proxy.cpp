#include <build/buildlet/http_url.h>
#include <build/buildlet/proxy.h>
#include <io/http1.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace build::buildlet {

namespace {

std::string either(const EnvironmentLookup& environment, const char* upper, const char* lower) {
  const std::string value = environment(upper).value_or("");
  return value.empty() ? environment(lower).value_or("") : value;
}

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
  return text;
}

bool in_network(const std::string& host, const std::string& network) {
  boost::system::error_code error, other;
  const auto address = boost::asio::ip::make_address(host, error);
  if (error) return false;
  if (address.is_v4()) {
    const auto range = boost::asio::ip::make_network_v4(network, other);
    return !other && boost::asio::ip::network_v4(address.to_v4(), range.prefix_length()).network() == range.network();
  }
  const auto range = boost::asio::ip::make_network_v6(network, other);
  return !other && boost::asio::ip::network_v6(address.to_v6(), range.prefix_length()).network() == range.network();
}

// Whether one item of NO_PROXY is about `address`.
bool exempts(std::string item, const io::HostPort& address) {
  if (item == "*") return true;
  const std::string host = lower_case(address.host);
  if (item.find('/') != std::string::npos) return in_network(host, item);
  const std::size_t colon = item.find(':');
  if (colon != std::string::npos && item.find(':', colon + 1) == std::string::npos) {
    if (item.substr(colon + 1) != address.port) return false;
    item.erase(colon);
  }
  if (item.starts_with("*.")) item.erase(0, 1);
  if (item.starts_with('.')) return host.ends_with(item);
  return !item.empty() && (host == item || host.ends_with("." + item));
}

bool exempted(const std::string& list, const io::HostPort& address) {
  std::string item;
  for (const char c : list + ",") {
    if (c != ',' && c != ' ') {
      item += c;
    } else if (exempts(lower_case(std::exchange(item, {})), address)) {
      return true;
    }
  }
  return false;
}

bool is_this_machine(const std::string& host) {
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(host, error);
  return lower_case(host) == "localhost" || (!error && address.is_loopback());
}

}  // namespace

std::optional<io::HostPort> proxy_for(const io::HostPort& address, const EnvironmentLookup& environment) {
  const std::string named = either(environment, "HTTPS_PROXY", "https_proxy");
  if (named.empty() || is_this_machine(address.host)) return std::nullopt;
  if (exempted(either(environment, "NO_PROXY", "no_proxy"), address)) return std::nullopt;
  try {
    const HttpUrl url = parse_http_url(named.find("://") == std::string::npos ? "http://" + named : named);
    if (url.secure) throw std::invalid_argument("a proxy is spoken to without encryption");
    return io::HostPort{url.host, url.port};
  } catch (const std::invalid_argument& error) {
    // The variable may hold a password.
    throw std::invalid_argument(std::string("HTTPS_PROXY is of no use: ") + error.what());
  }
}

io::Task<io::StreamPtr> connect_through(io::StreamPtr stream, io::HostPort proxy, io::HostPort target, io::Clock& clock,
                                        io::Duration limit) {
  const std::string failed = "the proxy " + proxy.str() + " gave no connection to " + target.str() + ": ";
  const io::Deadline deadline(clock, stream->executor(), limit, [&stream] { stream->close(); });
  const std::string request = "CONNECT " + target.str() + " HTTP/1.1\r\nHost: " + proxy.host + "\r\n\r\n";
  io::HeadScanner scanner;
  std::string bytes, why;
  try {
    const std::string_view text = request;
    co_await stream->write(text);
    std::optional<std::size_t> size;
    while (!size) {
      std::array<char, 4096> buffer;
      const io::asio::mutable_buffer into = io::asio::buffer(buffer);
      const std::size_t n = co_await stream->read_some(into);
      if (n == 0) throw std::runtime_error("it closed the connection");
      bytes.append(buffer.data(), n);
      size = scanner.scan(bytes);
    }
    const io::ResponseHead head = io::parse_response_head(std::string_view(bytes).substr(0, *size));
    if (head.status != 200) throw std::runtime_error("it answered " + std::to_string(head.status) + " " + head.reason);
    if (bytes.size() > *size) throw std::runtime_error("it sent bytes before they were asked for");
    co_return std::move(stream);
  } catch (const std::exception& error) {
    why = deadline.expired() ? "it did not answer in time" : error.what();
  }
  throw std::runtime_error(failed + why);
}

}  // namespace build::buildlet
