#include "url.h"

#include <algorithm>
#include <stdexcept>

namespace maintner {

namespace {

constexpr std::string_view kHttp = "http://", kHttps = "https://";

bool has_scheme(std::string_view text) {
  const std::size_t colon = text.find(':');
  return colon != std::string_view::npos && colon < text.find_first_of("/?#");
}

bool is_clean(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

/// RFC 3986, 5.2.4: what "." and ".." in it mean.
std::string without_dots(std::string_view target) {
  const std::string_view query = target.substr(std::min(target.find('?'), target.size()));
  std::string_view path = target.substr(0, target.size() - query.size());
  std::string out;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/', 1), path.size());
    const std::string_view segment = path.substr(0, end);
    path.remove_prefix(end);
    const bool up = segment == "/..";
    if (!up && segment != "/.") {
      out += segment;
      continue;
    }
    if (up) out.erase(std::min(out.rfind('/'), out.size()));
    if (path.empty()) out += '/';
  }
  return out.append(query);
}

}  // namespace

Url parse_url(std::string_view text) {
  const auto refuse = [&](const char* why) {
    return std::invalid_argument("\"" + std::string(text.substr(0, 200)) + "\" " + why);
  };
  Url url;
  std::string_view rest = text.substr(0, text.find('#'));
  if (!is_clean(rest)) throw refuse("has a character that is none of an address");
  if (rest.starts_with(kHttps)) {
    url.tls = true;
    rest.remove_prefix(kHttps.size());
  } else if (rest.starts_with(kHttp)) {
    rest.remove_prefix(kHttp.size());
  } else {
    throw refuse("does not begin with http:// or https://");
  }
  const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
  url.host_field = rest.substr(0, end);
  if (url.host_field.find('@') != std::string::npos) throw refuse("names a user, of which nothing is known here");
  if (url.host_field.empty() || url.host_field.front() == ':') throw refuse("names no host");
  const bool has_port = url.host_field.rfind(':') != std::string::npos && url.host_field.back() != ']';
  try {
    url.address = io::HostPort::parse(has_port ? url.host_field : url.host_field + (url.tls ? ":443" : ":80"));
  } catch (const std::invalid_argument&) {
    throw refuse("names no host that we understand");
  }
  url.target = rest.substr(end);
  if (!url.target.starts_with('/')) url.target.insert(0, "/");
  return url;
}

Url resolve(const Url& base, std::string_view reference) {
  reference = reference.substr(0, reference.find('#'));
  if (has_scheme(reference)) return parse_url(reference);
  const std::string origin = std::string(base.tls ? kHttps : kHttp);
  if (reference.starts_with("//")) return parse_url(origin + std::string(reference.substr(2)));
  const std::string_view path = std::string_view(base.target).substr(0, base.target.find('?'));
  std::string target(reference);
  if (reference.empty() || reference.starts_with('?'))
    target.insert(0, reference.empty() ? std::string_view(base.target) : path);
  else if (!reference.starts_with('/'))
    target.insert(0, path.substr(0, path.rfind('/') + 1));
  return parse_url(origin + base.host_field + without_dots(target));
}

Url with_query(const Url& url, std::string_view pair) {
  Url changed = url;
  changed.target += (url.target.find('?') == std::string::npos ? "?" : "&") + std::string(pair);
  return changed;
}

}  // namespace maintner
