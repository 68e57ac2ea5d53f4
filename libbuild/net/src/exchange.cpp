// How an answer comes to look the way it does.
//
// The rules are those of Go's net/http server, because the original's clients and recorded exchanges were made
// with it: a complete answer has a Content-Length unless trailers are announced, a streamed one is chunked (for
// HTTP/1.0: ended by the end of the connection), and the order of fields is: the handler's own by name, Date,
// Content-Length, a guessed Content-Type, Connection, Transfer-Encoding.

#include "exchange.h"

#include <io/http1.h>

#include <algorithm>
#include <stdexcept>
#include <utility>
#include <vector>

namespace build::net {

namespace {

constexpr std::string_view kPlainText = "text/plain; charset=utf-8";

// A guess that can do no harm: unlike the original's it never says HTML, so that something a program printed is
// not run by a browser.
std::string_view guess_content_type(std::string_view body) {
  if (body.empty()) return {};
  if (body.substr(0, 3) == "\x1f\x8b\x08") return "application/x-gzip";
  const bool binary =
      std::any_of(body.begin(), body.begin() + std::min<std::ptrdiff_t>(512, std::ssize(body)), [](char c) {
        const auto u = static_cast<unsigned char>(c);
        return u <= 0x08 || u == 0x0b || (u >= 0x0e && u <= 0x1a) || (u >= 0x1c && u <= 0x1f);
      });
  return binary ? "application/octet-stream" : kPlainText;
}

bool status_allows_body(int status) { return status >= 200 && status != 204 && status != 304; }

bool is_servers_business(std::string_view name) {
  for (const std::string_view own : {"Date", "Connection", "Transfer-Encoding"})
    if (io::iequals(name, own)) return true;
  return false;
}

// The path and query of a target: "/a?b", "http://host/a?b" or "*".
std::string_view without_authority(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!io::iequals(target.substr(0, scheme.size()), scheme)) continue;
    const std::size_t end = target.find_first_of("/?", scheme.size());
    return end == std::string_view::npos ? std::string_view() : target.substr(end);
  }
  if (target.front() != '/' && target != "*") throw HttpError(400, "the request target is malformed");
  return target;
}

BodyOptions body_options(const io::RequestHead& head, const ServerLimits& limits) {
  BodyOptions options{.framing = io::framing_of(head),
                      .chunks = limits.chunks,
                      .read_timeout = limits.body_timeout,
                      .write_timeout = limits.write_timeout,
                      .malformed_status = 400,
                      .doing = "reading the request's body",
                      .interim = {}};
  if (const std::string* expect = head.fields.find("Expect")) {
    if (!io::iequals(*expect, "100-continue")) throw HttpError(417, "an unknown expectation");
    if (head.minor >= 1 && options.framing.kind != io::BodyFraming::Kind::none)
      options.interim = "HTTP/1.1 100 Continue\r\n\r\n";
  }
  return options;
}

}  // namespace

Exchange::Exchange(Context context, io::RequestHead head)
    : context_(std::move(context)),
      head_(std::move(head)),
      source_(std::make_shared<BodySource>(context_.wire, body_options(head_, context_.limits))),
      body_(source_) {
  const std::string_view target = without_authority(head_.target);
  const std::size_t question = std::min(target.find('?'), target.size());
  raw_path_ = target.substr(0, question);
  if (raw_path_.empty()) raw_path_ = "/";
  raw_query_ = target.substr(std::min(question + 1, target.size()));
  auto path = io::percent_decode(raw_path_);
  if (!path || path->find('\0') != std::string::npos) throw HttpError(400, "the request's path is malformed");
  path_ = std::move(*path);
  query_ = io::parse_query(raw_query_);
}

Exchange::~Exchange() { context_.wire->unwatch(); }

void Exchange::require(bool condition, const char* rule) const {
  if (!condition) throw std::logic_error("answer to " + head_.method + " " + path_ + ": " + rule);
}

void Exchange::decide_keep_alive() {
  const bool wanted = client_speaks_11() && io::keeps_alive(head_) && !fields_.has_token("Connection", "close");
  // A body that will not be skipped, or that the client still waits to be asked for, ends the connection.
  const bool body_in_the_way = !source_->ended() && (source_->malformed() || source_->interim_pending() ||
                                                     source_->announced() > context_.limits.drain_limit);
  keep_alive_ = wanted && !body_in_the_way && context_.may_keep_alive();
  source_->drop_interim();
}

std::string Exchange::answer_head(int status, std::optional<std::uint64_t> length, std::string_view sniffed) {
  decide_keep_alive();
  status_ = status;
  std::vector<const io::Field*> own;
  for (const io::Field& field : fields_) {
    if (is_servers_business(field.name) || (length && io::iequals(field.name, "Content-Length"))) continue;
    if (!client_speaks_11() && io::iequals(field.name, "Trailer")) continue;
    own.push_back(&field);
  }
  std::stable_sort(own.begin(), own.end(), [](const auto* a, const auto* b) { return a->name < b->name; });

  io::ResponseHead head{.status = status, .reason = {}, .major = 1, .minor = client_speaks_11() ? 1 : 0, .fields = {}};
  head.fields.reserve(own.size() + 4);
  for (const io::Field* field : own) head.fields.add(field->name, field->value);
  head.fields.add("Date", io::http_date(std::chrono::floor<std::chrono::seconds>(context_.wire->clock().wall_now())));
  if (length) head.fields.add("Content-Length", std::to_string(*length));
  if (!sniffed.empty()) head.fields.add("Content-Type", std::string(sniffed));
  if (!keep_alive_ && client_speaks_11()) head.fields.add("Connection", "close");
  if (chunked_) head.fields.add("Transfer-Encoding", "chunked");
  return io::serialize(head);
}

io::Task<> Exchange::put(std::string bytes) {
  const State then = state_;
  state_ = State::broken;  // for as long as it is not known to have been sent
  co_await context_.wire->write(bytes, "sending the answer", context_.limits.write_timeout);
  state_ = then;
}

io::Task<> Exchange::send(int status, std::string body) {
  require(state_ == State::fresh, "it was started already");
  require(status >= 200 && status <= 999, "no such status");
  const bool with_body = status_allows_body(status);
  require(with_body || body.empty(), "this status has no body");
  const bool head_only = head_.method == "HEAD";
  chunked_ = with_body && !head_only && client_speaks_11() && fields_.has("Trailer");
  std::optional<std::uint64_t> length;
  // To a HEAD, the length of an empty body may be that of one which was not worth making.
  if (with_body && !chunked_ && !(head_only && body.empty())) length = body.size();
  const bool typed = fields_.has("Content-Type") || !with_body;
  std::string bytes = answer_head(status, length, typed ? std::string_view() : guess_content_type(body));
  if (chunked_) {
    if (!body.empty()) bytes += io::chunk_header(body.size()) + body + "\r\n";
    bytes += io::last_chunk();
  } else if (!head_only) {
    bytes += body;
  }
  state_ = State::finished;
  co_await put(std::move(bytes));
}

io::Task<> Exchange::send_error(int status, std::string text) {
  fields_.remove("Content-Length");
  fields_.set("Content-Type", std::string(kPlainText));
  fields_.set("X-Content-Type-Options", "nosniff");
  text += '\n';
  co_await send(status, std::move(text));
}

io::Task<> Exchange::start(int status) {
  require(state_ == State::fresh, "it was started already");
  require(status >= 200 && status <= 999, "no such status");
  const bool head_only = head_.method == "HEAD";
  body_allowed_ = status_allows_body(status) && !head_only;
  if (const std::string* length = fields_.find("Content-Length")) {
    io::ResponseHead probe{.status = 200, .reason = {}, .fields = {}};
    probe.fields.add("Content-Length", *length);
    length_left_ = io::framing_of(probe, "GET").length;
  }
  chunked_ = body_allowed_ && client_speaks_11() && !length_left_;
  std::string bytes = answer_head(status, std::nullopt, {});
  // An HTTP/1.0 client knows the end of such an answer by the end of the connection (decide_keep_alive).
  state_ = State::streaming;
  co_await put(std::move(bytes));
}

io::Task<> Exchange::write(std::string_view text) {
  require(state_ == State::streaming, "write() needs start() before it and finish() after it");
  if (text.empty() || !body_allowed_) co_return;
  if (length_left_) {
    require(text.size() <= *length_left_, "more was written than its Content-Length says");
    *length_left_ -= text.size();
  }
  std::string bytes;
  bytes.reserve(text.size() + 24);
  if (chunked_) bytes += io::chunk_header(text.size());
  bytes += text;
  if (chunked_) bytes += "\r\n";
  co_await put(std::move(bytes));
}

io::Task<> Exchange::finish(io::Fields trailers) {
  require(state_ == State::streaming, "finish() needs start() before it");
  require(!body_allowed_ || !length_left_ || *length_left_ == 0, "less was written than its Content-Length says");
  std::string bytes;
  if (chunked_) bytes = io::last_chunk(trailers);
  state_ = State::finished;
  co_await put(std::move(bytes));
}

io::Task<io::StreamPtr> Exchange::hijack(std::string raw_head) {
  require(state_ == State::fresh, "hijack() after it was started");
  require(source_->ended(), "hijack() before the request's body was read");
  require(!watched_, "hijack() after on_client_gone()");
  state_ = State::broken;
  status_ = 101;
  co_await context_.wire->write(raw_head, "switching protocols", context_.limits.write_timeout);
  state_ = State::hijacked;
  co_return context_.wire->take();
}

void Exchange::on_client_gone(std::function<void()> gone) {
  require(!watched_, "on_client_gone() was called twice");
  watched_ = true;
  context_.wire->arm(std::move(gone));
  context_.wire->watch(context_.limits.read_ahead);
}

io::Task<bool> Exchange::drain_body() {
  if (source_->ended()) co_return true;
  io::Deadline deadline(context_.wire->clock(), context_.wire->executor(), context_.limits.body_timeout,
                        [this] { context_.wire->close(); });
  std::string scratch;
  scratch.resize(16 * 1024);
  std::size_t skipped = 0;
  while (skipped <= context_.limits.drain_limit) {
    const std::size_t count = co_await source_->read_some(boost::asio::buffer(scratch));
    if (count == 0) co_return true;
    skipped += count;
  }
  co_return false;
}

}  // namespace build::net
