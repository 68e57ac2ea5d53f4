// Request and Response: thin faces of the Exchange.

#include "exchange.h"

#include <build/net/server.h>

#include <utility>

namespace build::net {

Request::Request(Exchange& exchange) : exchange_(exchange) {}

const io::RequestHead& Request::head() const noexcept { return exchange_.head(); }
const std::string& Request::path() const noexcept { return exchange_.path(); }
const std::string& Request::raw_path() const noexcept { return exchange_.raw_path(); }
const std::string& Request::raw_query() const noexcept { return exchange_.raw_query(); }
const io::Params& Request::query() const noexcept { return exchange_.query(); }
bool Request::secure() const noexcept { return exchange_.wire().stream().secure(); }
std::string Request::peer() const { return exchange_.wire().peer(); }
BodyReader& Request::body() noexcept { return exchange_.body(); }

bool Request::http_at_least(int major, int minor) const noexcept {
  return head().major > major || (head().major == major && head().minor >= minor);
}

io::Task<io::Params> Request::read_form(std::size_t limit) {
  const std::string type = fields().get("Content-Type");
  const std::string media = type.substr(0, type.find_first_of("; \t"));
  if (!io::iequals(media, "application/x-www-form-urlencoded")) co_return io::Params();
  const std::string text = co_await body().read_all(limit);
  co_return io::parse_query(text);
}

Response::Response(Exchange& exchange) : exchange_(exchange) {}

io::Fields& Response::fields() noexcept { return exchange_.fields(); }
bool Response::started() const noexcept { return exchange_.started(); }
int Response::status() const noexcept { return exchange_.status(); }

io::Task<> Response::send(int status, std::string body) { return exchange_.send(status, std::move(body)); }

io::Task<> Response::send(int status, std::string_view content_type, std::string body) {
  fields().set("Content-Type", std::string(content_type));
  return exchange_.send(status, std::move(body));
}

io::Task<> Response::send(int status, io::Fields more, std::string body) {
  for (const io::Field& field : more) fields().add(field.name, field.value);
  return exchange_.send(status, std::move(body));
}

io::Task<> Response::send_error(int status, std::string text) { return exchange_.send_error(status, std::move(text)); }

io::Task<> Response::start(int status) { return exchange_.start(status); }

io::Task<> Response::start(int status, io::Fields more, std::vector<std::string> trailer_names) {
  for (const io::Field& field : more) fields().add(field.name, field.value);
  for (std::string& name : trailer_names) fields().add("Trailer", std::move(name));
  return exchange_.start(status);
}

io::Task<> Response::write(std::string_view text) { return exchange_.write(text); }
io::Task<> Response::finish() { return exchange_.finish(io::Fields()); }
io::Task<> Response::finish(io::Fields trailers) { return exchange_.finish(std::move(trailers)); }

io::Task<io::StreamPtr> Response::hijack(std::string raw_head) { return exchange_.hijack(std::move(raw_head)); }

void Response::on_client_gone(std::function<void()> gone) { exchange_.on_client_gone(std::move(gone)); }

}  // namespace build::net
