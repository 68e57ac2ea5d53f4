#include <revdial/switch.h>

#include "control_channel.h"

#include <boost/system/system_error.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace revdial {

namespace {

constexpr std::size_t kMaxRequestPath = 2048;
constexpr std::size_t kMaxRedirectBody = 64 * 1024;
constexpr std::size_t kMaxErrorBody = 4096;  // no more would fit in a control line
constexpr int kMaxRequests = 2;

/// As the original prints a string in quotes.
std::string in_quotes(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte >= 0x7F) {
      out += "\\x";
      out += kHex[byte >> 4U];
      out += kHex[byte & 0xFU];
    } else {
      out += c;
    }
  }
  return out + '"';
}

bool has_scheme(std::string_view url) noexcept {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (url.empty() || !letter(url[0])) return false;
  for (const char c : url) {
    if (c == ':') return true;
    if (!letter(c) && !(c >= '0' && c <= '9') && c != '+' && c != '-' && c != '.') return false;
  }
  return false;
}

/// Throws unless a redirect to `location` stays on the same connection.
void check_location(const std::string* location) {
  if (location == nullptr || location->empty()) throw SwitchError(307, "redirect missing Location header");
  const char* why = nullptr;
  if (has_scheme(*location)) {
    why = "is not relative: contains scheme";
  } else if (location->starts_with("//")) {
    why = "is not relative: contains host";
  } else if (!is_request_path(*location)) {
    why = "is not a path";
  }
  if (why != nullptr) {
    throw SwitchError(307, "redirect Location must be relative: URL " + in_quotes(*location) + " " + why);
  }
}

/// One connection on its way from HTTP to raw bytes. Closes it unless it is released.
class Exchange {
 public:
  explicit Exchange(io::StreamPtr stream) : stream_(std::move(stream)) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange() {
    if (stream_) stream_->close();
  }

  io::ByteStream& stream() { return *stream_; }
  io::StreamPtr release() {
    return held_.empty() ? std::move(stream_) : io::with_surplus(std::move(held_), std::move(stream_));
  }

  io::Task<io::ResponseHead> read_head() {
    io::HeadScanner scanner;
    for (;;) {
      if (const auto length = scanner.scan(held_)) {
        io::ResponseHead head = io::parse_response_head(std::string_view(held_).substr(0, *length));
        held_.erase(0, *length);
        co_return head;
      }
      const bool more = co_await read_more();
      if (!more) throw SwitchError(0, "error reading response: unexpected EOF");
    }
  }

  /// Reads a body of at most `limit` bytes into `body`. True if it ended and the connection goes on after it.
  io::Task<bool> read_body(io::BodyFraming framing, std::size_t limit, std::string& body) {
    using Kind = io::BodyFraming::Kind;
    if (framing.kind == Kind::chunked) co_return co_await read_chunked(limit, body);
    const std::size_t wanted = framing.kind == Kind::none ? 0
                               : framing.kind == Kind::length
                                   ? static_cast<std::size_t>(std::min<std::uint64_t>(framing.length, limit))
                                   : limit;
    for (;;) {
      const std::size_t count = std::min(wanted - body.size(), held_.size());
      body.append(held_, 0, count);
      held_.erase(0, count);
      if (body.size() == wanted) break;
      const bool more = co_await read_more();
      if (!more) co_return false;
    }
    co_return framing.kind == Kind::none || (framing.kind == Kind::length && framing.length <= limit);
  }

 private:
  io::Task<bool> read_chunked(std::size_t limit, std::string& body) {
    io::ChunkDecoder decoder;
    while (!decoder.done() && body.size() <= limit) {
      const io::ChunkDecoder::Step step = decoder.feed(held_);
      body.append(step.data);
      held_.erase(0, step.consumed);
      if (decoder.done() || !held_.empty()) continue;
      const bool more = co_await read_more();
      if (!more) co_return false;
    }
    co_return body.size() <= limit;
  }

  io::Task<bool> read_more() {
    std::array<char, 1024> piece;
    const auto room = io::asio::buffer(piece);
    const std::size_t count = co_await stream_->read_some(room);
    held_.append(piece.data(), count);
    co_return count > 0;
  }

  io::StreamPtr stream_;
  std::string held_;  // read but not used yet
};

/// Throws SwitchError for an answer that is neither a switch nor a redirect, with what can be read of its body.
io::Task<> refuse(Exchange& exchange, const io::ResponseHead& head, const io::Deadline& deadline) {
  std::string body;
  try {
    const io::BodyFraming framing = io::framing_of(head, "GET");
    co_await exchange.read_body(framing, kMaxErrorBody, body);
  } catch (const io::HttpError& error) {
    body += std::string("(") + error.what() + ")";
  } catch (const boost::system::system_error& error) {
    // The status is known; only cancellation is more important than telling it.
    if (error.code() == boost::asio::error::operation_aborted && !deadline.expired()) throw;
  }
  if (body.size() > kMaxErrorBody) body.resize(kMaxErrorBody);
  std::string status = std::to_string(head.status);
  if (!head.reason.empty()) status += " " + head.reason;
  throw SwitchError(head.status, "want HTTP status 101 or 307; got " + status + ":\n\t" + body);
}

/// Sends the request, also once more after a redirect, until the answer is 101.
io::Task<> negotiate(Exchange& exchange, io::RequestHead request, const io::Deadline& deadline) {
  for (int requests = 1;; ++requests) {
    const std::string bytes = io::serialize(request);
    co_await exchange.stream().write(bytes);
    const io::ResponseHead head = co_await exchange.read_head();
    if (head.status == 101) co_return;
    if (head.status != 307) co_await refuse(exchange, head, deadline);

    check_location(head.fields.find("Location"));
    if (requests == kMaxRequests) throw TooManyRedirects();
    std::string dropped;
    const io::BodyFraming framing = io::framing_of(head, "GET");
    const bool goes_on = co_await exchange.read_body(framing, kMaxRedirectBody, dropped);
    if (!goes_on || !io::keeps_alive(head)) {
      throw SwitchError(307, "redirect cannot be followed: the connection is not kept open after it");
    }
    request.target = head.fields.get("Location");
  }
}

}  // namespace

io::RequestHead switch_request(std::string target) {
  io::RequestHead head;
  head.target = std::move(target);
  head.fields.add("Host", "");
  head.fields.add("User-Agent", "Go-http-client/1.1");
  return head;
}

bool is_request_path(std::string_view target) {
  return target.starts_with('/') && target.size() <= kMaxRequestPath &&
         std::all_of(target.begin(), target.end(), [](char c) { return c > ' ' && c < '\x7F' && c != '#'; });
}

io::Task<io::StreamPtr> switch_protocols(io::StreamPtr stream, io::RequestHead request, io::Clock& clock,
                                         io::Duration limit) {
  Exchange exchange(std::move(stream));
  io::ByteStream& raw = exchange.stream();
  io::Deadline deadline(clock, raw.executor(), limit, [&raw] { raw.close(); });
  try {
    co_await negotiate(exchange, std::move(request), deadline);
  } catch (const io::HttpError& error) {
    throw SwitchError(0, std::string("error reading response: ") + error.what());
  } catch (const boost::system::system_error&) {
    if (deadline.expired()) throw SwitchError(0, "no answer within " + in_seconds(limit));
    throw;
  }
  if (deadline.expired()) throw SwitchError(0, "no answer within " + in_seconds(limit));
  deadline.disarm();
  co_return exchange.release();
}

}  // namespace revdial
