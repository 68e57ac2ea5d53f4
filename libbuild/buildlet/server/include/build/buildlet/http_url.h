// A URL that a client wants fetched, and which addresses a worker goes to for it. Pure.
#pragma once

#include <string>
#include <string_view>

namespace build::buildlet {

struct HttpUrl {
  bool secure = false;  ///< https
  std::string host;     ///< a name or an address, without brackets
  std::string port;     ///< in digits
  std::string target;   ///< of the request: path and query, as sent

  /// As it was written: "https://go.dev/dl/x.tar.gz".
  std::string str() const;
  /// For the Host field: the port stands in it if it is not the usual one.
  std::string authority() const;
};

/// Throws std::invalid_argument with a sentence: another scheme than http and https, a user in it, no host, a port that
/// is none, blanks or control characters, more than 8 KiB. A fragment is dropped.
HttpUrl parse_http_url(std::string_view text);

/// Where `location`, of a redirect that `from` was answered with, leads: a whole URL, or a path or query relative to
/// `from`. Throws as parse_http_url().
HttpUrl redirected_url(const HttpUrl& from, std::string_view location);

/// Who is at an address, as far as the address tells.
enum class AddressKind {
  everybody,  ///< anybody can reach it
  inside,     ///< of a private network, or this machine
  nobody,     ///< link-local (the clouds' metadata, with the machine's secrets), multicast, unspecified: never fetched
              ///< from
};

/// Of an IPv4 or IPv6 address in digits. IPv6 addresses that stand for an IPv4 one are judged as that one; what is no
/// address is AddressKind::nobody.
AddressKind kind_of_address(std::string_view address);

/// Why a redirect is not followed; empty if it is. Whoever asks a worker to fetch may run commands on it, which reach
/// what the worker reaches. A web server somewhere that is asked for an archive may not: it must not choose what is
/// asked for inside.
std::string redirect_objection(const HttpUrl& from, AddressKind from_kind, const HttpUrl& to, AddressKind to_kind);

}  // namespace build::buildlet
