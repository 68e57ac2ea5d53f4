#include "exchange.h"

#include <build/net/server.h>

#include <algorithm>
#include <set>
#include <stdexcept>
#include <tuple>
#include <utility>

namespace build::net {

namespace {

// "/a/b" gives "a", "b"; "/a/" gives "a", "".
std::vector<std::string> split_path(std::string_view path) {
  std::vector<std::string> segments;
  if (path.empty() || path.front() != '/') return {std::string(path)};
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::size_t end = std::min(path.find('/'), path.size());
    segments.emplace_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return segments;
}

io::Task<> answer_not_found(Request&, Response& response) { co_await response.send_error(404, "404 page not found"); }

bool serves(const std::string& routed, const std::string& method) {
  return routed.empty() || routed == method || (routed == "GET" && method == "HEAD");
}

}  // namespace

Router::Router() : not_found_(answer_not_found) {}

void Router::add(std::string method, std::string_view pattern, Handler handler) {
  const auto refuse = [&](const std::string& why) {
    throw std::invalid_argument("route " + method + " " + std::string(pattern) + ": " + why);
  };
  if (pattern.empty() || pattern.front() != '/') refuse("a pattern begins with a slash");
  Route route{std::move(method), std::string(pattern), {}, std::move(handler)};
  method = route.method;
  const std::vector<std::string> parts = split_path(pattern);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    std::string text = parts[i];
    Segment::Kind kind = Segment::Kind::literal;
    if (text.find_first_of("{}") != std::string::npos) {
      if (text.size() < 3 || text.front() != '{' || text.back() != '}') refuse("a {name} is a whole segment");
      text = text.substr(1, text.size() - 2);
      kind = Segment::Kind::name;
      if (text.size() > 3 && text.ends_with("...")) {
        if (i + 1 != parts.size()) refuse("a {rest...} is the last segment");
        text.resize(text.size() - 3);
        kind = Segment::Kind::rest;
      }
    }
    route.segments.push_back({kind, std::move(text)});
  }
  for (const Route& other : routes_) {
    const bool same = std::equal(other.segments.begin(), other.segments.end(), route.segments.begin(),
                                 route.segments.end(), [](const Segment& a, const Segment& b) {
                                   return a.kind == b.kind && (a.kind != Segment::Kind::literal || a.text == b.text);
                                 });
    if (same && other.method == method) refuse("it is there already");
  }
  routes_.push_back(std::move(route));
}

void Router::not_found(Handler handler) { not_found_ = std::move(handler); }

bool Router::matches(const Route& route, const std::vector<std::string>& path, io::Params* params) {
  std::size_t next = 0;
  for (const Segment& segment : route.segments) {
    if (segment.kind == Segment::Kind::rest) {
      std::string rest;
      for (std::size_t i = next; i < path.size(); ++i) rest += (i == next ? "" : "/") + path[i];
      if (params) params->add(segment.text, std::move(rest));
      return true;
    }
    if (next == path.size()) return false;
    const std::string& part = path[next++];
    if (segment.kind == Segment::Kind::literal && part != segment.text) return false;
    if (segment.kind == Segment::Kind::name) {
      if (part.empty()) return false;
      if (params) params->add(segment.text, part);
    }
  }
  return next == path.size();
}

bool Router::better(const Route& a, const Route& b) {
  const std::size_t common = std::min(a.segments.size(), b.segments.size());
  for (std::size_t i = 0; i < common; ++i)
    if (a.segments[i].kind != b.segments[i].kind) return a.segments[i].kind < b.segments[i].kind;
  // The longer one has a {rest...} where the other ends; a route for the very method beats one for every method.
  return std::tuple(a.segments.size(), a.method.empty(), a.method == "GET") <
         std::tuple(b.segments.size(), b.method.empty(), b.method == "GET");
}

io::Task<> Router::operator()(Request& request, Response& response) const {
  std::vector<std::string> path = split_path(request.raw_path());
  for (std::string& segment : path) segment = io::percent_decode(segment).value_or(std::string());
  const Route* best = nullptr;
  std::set<std::string> allowed;
  for (const Route& route : routes_) {
    if (!matches(route, path, nullptr)) continue;
    allowed.insert(route.method);
    if (serves(route.method, request.method()) && (!best || better(route, *best))) best = &route;
  }
  if (best) {
    matches(*best, path, &request.path_params_);
    request.route_ = best->pattern;
    co_await best->handler(request, response);
    co_return;
  }
  if (allowed.empty()) {
    co_await not_found_(request, response);
    co_return;
  }
  if (allowed.contains("GET")) allowed.insert("HEAD");
  std::string list;
  for (const std::string& method : allowed) list += (list.empty() ? "" : ", ") + method;
  response.fields().set("Allow", list);
  co_await response.send_error(405, "Method Not Allowed");
}

}  // namespace build::net
