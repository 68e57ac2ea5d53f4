// A request and its answer may overlap: a server that refuses an upload answers in the middle of it, and often closes
// the connection, so that sending fails while the answer is there to be read. Therefore a read is under way in the
// background while a body is sent, and a failure to send is kept until the answer was looked for.

#include <build/net/client.h>

#include "body_source.h"
#include "wire.h"

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <utility>

namespace build::net {

namespace {

constexpr std::size_t kAnswerRead = 4096;
constexpr int kMaxInformational = 100;

}  // namespace

struct ClientConnection::State {
  std::shared_ptr<Wire> wire;
  bool exchange_begun = false;
  // The request.
  std::string method;
  io::BodyFraming framing;
  std::uint64_t left = 0;     // of a body with a length
  bool request_sent = false;  // to its end
  bool gave_up = false;       // a piece of the body was not sent
  bool request_keeps_alive = false;
  std::exception_ptr write_error;
  // The answer.
  bool head_read = false, switched = false, answer_keeps_alive = false;
  std::shared_ptr<BodySource> source;
  std::optional<BodyReader> body;

  void begin() {
    const std::shared_ptr<Wire> kept = wire;
    *this = State();
    wire = kept;
    exchange_begun = true;
  }
};

ClientConnection::ClientConnection(io::StreamPtr stream, io::Clock& clock, ClientLimits limits)
    : clock_(clock), limits_(limits), state_(std::make_unique<State>()) {
  state_->wire = std::make_shared<Wire>(std::move(stream), clock);
}

ClientConnection::~ClientConnection() { close(); }

void ClientConnection::close() noexcept {
  if (state_->wire) state_->wire->close();
}

bool ClientConnection::reusable() const noexcept {
  const State& s = *state_;
  if (!s.wire || s.wire->closed()) return false;
  if (!s.exchange_begun) return true;
  // Bytes behind the answer belong to no request: whatever they are, they must not be taken for the next answer.
  return s.request_sent && s.head_read && !s.switched && s.source->ended() && s.request_keeps_alive &&
         s.answer_keeps_alive && !s.write_error && s.wire->buffered().empty();
}

// Writes; false, and the failure kept, if the server does not take it.
io::Task<bool> ClientConnection::put(std::string bytes) {
  State& s = *state_;
  try {
    co_await s.wire->write(bytes, "sending a request", limits_.write_timeout);
  } catch (const ConnectionLost&) {
    s.write_error = std::current_exception();
  }
  co_return !s.write_error;
}

io::Task<> ClientConnection::send_head(io::RequestHead head) {
  if (!reusable()) throw std::logic_error("a request was to be sent before the last exchange was over");
  std::string bytes = io::serialize(head);
  io::BodyFraming framing;
  try {
    framing = io::framing_of(head);
  } catch (const HttpError& error) {
    throw std::invalid_argument("request cannot be sent: " + std::string(error.what()));
  }
  State& s = *state_;
  s.begin();
  s.method = head.method;
  s.framing = framing;
  s.left = framing.length;
  s.request_sent = framing.kind == io::BodyFraming::Kind::none;
  s.request_keeps_alive = io::keeps_alive(head);
  // One read is enough to know that an answer has begun.
  if (!s.request_sent) s.wire->watch(1);
  co_await put(std::move(bytes));
}

io::Task<bool> ClientConnection::send_body(std::string_view piece) {
  State& s = *state_;
  const bool chunked = s.framing.kind == io::BodyFraming::Kind::chunked;
  if (s.request_sent || (!chunked && piece.size() > s.left))
    throw std::logic_error("more of a request's body was to be sent than its head says");
  while (!piece.empty()) {
    if (s.write_error || s.head_read || !s.wire->buffered().empty()) {
      s.gave_up = true;
      co_return false;
    }
    const std::string_view part = piece.substr(0, 32 * 1024);
    std::string bytes;
    bytes.reserve(part.size() + 24);
    if (chunked) bytes += io::chunk_header(part.size());
    bytes += part;
    if (chunked) bytes += "\r\n";
    if (!co_await put(std::move(bytes))) continue;
    if (!chunked) s.left -= part.size();
    piece.remove_prefix(part.size());
  }
  co_return true;
}

io::Task<bool> ClientConnection::finish_body() { return finish_body(io::Fields()); }

io::Task<bool> ClientConnection::finish_body(io::Fields trailers) {
  State& s = *state_;
  if (s.request_sent) co_return true;
  if (s.gave_up || s.write_error) co_return false;
  if (s.framing.kind == io::BodyFraming::Kind::chunked) {
    s.request_sent = co_await put(io::last_chunk(trailers));
  } else {
    if (s.left > 0) throw std::logic_error("less of a request's body was sent than its head says");
    s.request_sent = true;
  }
  co_return s.request_sent;
}

io::Task<std::string> ClientConnection::read_head_bytes(const io::Deadline& deadline) {
  State& s = *state_;
  io::HeadScanner scanner(limits_.head);
  while (true) {
    std::optional<std::size_t> size;
    try {
      size = scanner.scan(s.wire->buffered());
    } catch (const HttpError& error) {
      throw HttpError(502, "the answer of " + s.wire->peer() + ": " + error.what());
    }
    if (size) {
      std::string head(s.wire->buffered().substr(0, *size));
      s.wire->consume(*size);
      co_return head;
    }
    bool more = false;
    std::exception_ptr error;
    try {
      more = co_await s.wire->fill(kAnswerRead, "waiting for an answer", deadline);
    } catch (const ConnectionLost&) {
      error = std::current_exception();
    }
    if (more) continue;
    // There is no answer. If sending failed, that is the reason.
    if (s.write_error) std::rethrow_exception(s.write_error);
    if (error) std::rethrow_exception(error);
    throw ConnectionLost(
        ConnectionLost::Why::closed,
        s.wire->peer() + (s.wire->buffered().empty() ? " closed the connection without an answer"
                                                     : " closed the connection in the middle of an answer"));
  }
}

io::Task<io::ResponseHead> ClientConnection::read_head(io::Duration limit) {
  State& s = *state_;
  if (!s.exchange_begun || s.head_read) throw std::logic_error("an answer was to be read without a request");
  s.wire->unwatch();
  io::Deadline deadline(clock_, s.wire->executor(), limit, [this] { state_->wire->close(); });
  for (int informational = 0; informational < kMaxInformational; ++informational) {
    const std::string bytes = co_await read_head_bytes(deadline);
    io::ResponseHead head = io::parse_response_head(bytes, limits_.head);
    if (head.status < 200 && head.status != 101) continue;
    BodyOptions options{.framing = io::framing_of(head, s.method),
                        .chunks = limits_.chunks,
                        .read_timeout = limits_.body_timeout,
                        .malformed_status = 502,
                        .doing = "reading the answer's body",
                        .interim = {}};
    s.switched = head.status == 101;
    s.answer_keeps_alive = io::keeps_alive(head) && options.framing.kind != io::BodyFraming::Kind::until_close;
    s.source = std::make_shared<BodySource>(s.wire, std::move(options));
    s.body.emplace(s.source);
    s.head_read = true;
    co_return head;
  }
  throw HttpError(502, s.wire->peer() + " sent informational answers without end");
}

BodyReader& ClientConnection::body() {
  if (!state_->body) throw std::logic_error("an answer's body was to be read before its head");
  return *state_->body;
}

void ClientConnection::set_body_timeout(io::Duration limit) {
  limits_.body_timeout = limit;
  if (state_->source) state_->source->set_read_timeout(limit);
}

io::StreamPtr ClientConnection::release() {
  if (!state_->wire || !state_->switched) throw std::logic_error("a stream is released after an answer of 101 only");
  io::StreamPtr stream = state_->wire->take();
  state_ = std::make_unique<State>();
  return stream;
}

io::Task<SimpleResponse> ClientConnection::exchange(io::RequestHead head, std::string body, std::size_t max_body) {
  if (!head.fields.has("Host")) {
    io::Fields with_host;
    with_host.add("Host", "");
    for (const io::Field& field : head.fields) with_host.add(field.name, field.value);
    head.fields = std::move(with_host);
  }
  const bool usually_has_one = head.method == "POST" || head.method == "PUT" || head.method == "PATCH";
  if (!body.empty() || usually_has_one) head.fields.set("Content-Length", std::to_string(body.size()));
  co_await send_head(std::move(head));
  if (!body.empty()) {
    co_await send_body(body);
    co_await finish_body();
  }
  SimpleResponse answer;
  answer.head = co_await read_head();
  answer.body = co_await this->body().read_all(max_body);
  answer.trailers = this->body().trailers();
  co_return answer;
}

io::Task<SimpleResponse> ClientConnection::request(io::RequestHead head, std::string body, std::size_t max_body) {
  std::exception_ptr error;
  try {
    co_return co_await exchange(std::move(head), std::move(body), max_body);
  } catch (const std::exception&) {
    error = std::current_exception();
  }
  close();
  std::rethrow_exception(error);
}

}  // namespace build::net
