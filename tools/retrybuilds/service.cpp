#include "service.h"

#include <build/net/client.h>
#include <io/http1.h>
#include <rapidjson/document.h>

#include <stdexcept>
#include <utility>

namespace retrybuilds {

namespace {

namespace net = build::net;

constexpr io::Duration kConnectLimit = std::chrono::seconds{20};
constexpr std::size_t kMaxAnswer = 16 * 1024 * 1024, kMaxLog = 1024 * 1024;
constexpr int kTries = 10;

std::string text_of(const rapidjson::Value& object, const char* name) {
  const auto member = object.FindMember(name);
  if (member == object.MemberEnd() || !member->value.IsString()) return {};
  return {member->value.GetString(), member->value.GetStringLength()};
}

rapidjson::Document parse(const std::string& body, const std::string& what) {
  rapidjson::Document document;
  document.Parse(body.data(), body.size());
  if (document.HasParseError() || !document.IsObject())
    throw std::runtime_error("the answer to " + what + " is no JSON object: is a coordinator there?");
  return document;
}

}  // namespace

Service::Service(const std::string& prefix, const io::TlsTrust& trust) {
  const bool secure = prefix.starts_with("https://");
  if (!secure && !prefix.starts_with("http://"))
    throw std::invalid_argument("\"" + prefix + "\" does not begin with https:// or http://");
  std::string host = prefix.substr(secure ? 8 : 7);
  while (host.ends_with('/')) host.pop_back();
  if (host.empty() || host.find_first_of("/?#@ ") != std::string::npos)
    throw std::invalid_argument("\"" + prefix + "\" is not https://HOST:PORT or http://HOST:PORT");
  host_field_ = host;
  const bool has_port = host.rfind(':') != std::string::npos && host.back() != ']';
  address_ = io::HostPort::parse(has_port ? host : host + (secure ? ":443" : ":80"));
  if (secure) tls_.emplace(trust);
}

std::string Service::ask(const std::string& method, const std::string& target, bool beginning_only) {
  std::string body;
  const auto run = [&]() -> io::Task<> { body = co_await exchange(method, target, beginning_only); };
  loop_.run_until_done(run());
  return body;
}

io::Task<std::string> Service::exchange(std::string method, std::string target, bool beginning_only) {
  // What is said of it must not show the key, which is in the query.
  const std::string what = method + " " + target.substr(0, target.find('?')) + " at " + host_field_;
  io::StreamPtr stream = co_await io::tcp_connect(loop_.executor(), clock_, address_, kConnectLimit);
  if (tls_) stream = co_await tls_->connect(std::move(stream), address_.host, clock_, kConnectLimit);
  net::ClientConnection connection(std::move(stream), clock_);
  io::RequestHead head;
  head.method = method;
  head.target = target;
  head.fields.add("Host", host_field_);
  head.fields.add("Connection", "close");
  if (method == "POST") head.fields.add("Content-Length", "0");
  co_await connection.send_head(head);
  co_await connection.finish_body();
  const io::ResponseHead answer = co_await connection.read_head();
  std::string body;
  std::vector<char> buffer(64 * 1024);
  const std::size_t limit = beginning_only ? kMaxLog : kMaxAnswer;
  while (body.size() < limit) {
    const io::asio::mutable_buffer into(buffer.data(), buffer.size());
    const std::size_t count = co_await connection.body().read_some(into);
    if (count == 0) break;
    body.append(buffer.data(), count);
  }
  connection.close();
  if (answer.status != 200)
    throw std::runtime_error(what + " was answered with status " + std::to_string(answer.status));
  if (body.size() >= kMaxAnswer) throw std::runtime_error("the answer to " + what + " is too long");
  co_return body;
}

std::vector<FinishedBuild> Service::finished_builds() {
  const std::string target = "/api/v1/builds?limit=500";
  const rapidjson::Document document = parse(ask("GET", target), target);
  const auto list = document.FindMember("builds");
  if (list == document.MemberEnd() || !list->value.IsArray())
    throw std::runtime_error("the answer to " + target + " has no builds");
  std::vector<FinishedBuild> builds;
  for (const rapidjson::Value& item : list->value.GetArray()) {
    if (!item.IsObject() || text_of(item, "state") != "finished") continue;
    const auto id = item.FindMember("id");
    if (id == item.MemberEnd() || !id->value.IsInt64()) continue;
    builds.push_back({.id = id->value.GetInt64(),
                      .builder = text_of(item, "builder"),
                      .commit = text_of(item, "commit"),
                      .repository = text_of(item, "repository"),
                      .branch = text_of(item, "branch"),
                      .result = text_of(item, "result")});
  }
  return builds;
}

std::string Service::log(std::int64_t build) {
  return ask("GET", "/api/v1/builds/" + std::to_string(build) + "/log", true);
}

std::optional<std::string> Service::clear(const std::string& builder, const std::string& hash, const std::string& key) {
  io::Params query;
  query.add("builder", builder);
  query.add("hash", hash);
  query.add("key", key);
  const std::string target = "/clear-results?" + query.encode();
  for (int tries = 1;; ++tries) {
    const rapidjson::Document document = parse(ask("POST", target), "/clear-results");
    std::string error = text_of(document, "Error");
    if (error.empty()) return std::nullopt;
    // The original's words for it, and ours.
    const bool later = error.find("concurrent transaction") != std::string::npos ||
                       error.find("store cannot be written") != std::string::npos;
    if (!later || tries == kTries) return error;
    loop_.run_until_done(clock_.sleep_for(std::chrono::seconds{1}));
  }
}

}  // namespace retrybuilds
