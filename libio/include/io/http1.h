// The HTTP/1 codec: heads, body framing, chunked coding, percent-encoding. Bytes in, values out: no I/O, no
// clock, no state outside the objects here, so it can be used from any thread and tried on any input.
//
// It is strict where leniency lets two parties see different messages in the same bytes (request smuggling):
// lines end in CRLF only, no folded fields, no space before the colon, never Content-Length beside
// Transfer-Encoding, no transfer coding but one "chunked". It is lenient where the original's programs need
// it: "HTTP/0.0" in a response, an empty block of fields, an empty Host.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace io {

/// A message that cannot be taken, or a handler's wish to refuse a request: the status to answer with and a
/// sentence for the peer. Malformed responses (read by a client) carry 502.
class HttpError : public std::runtime_error {
 public:
  HttpError(int status, const std::string& text) : std::runtime_error(text), status_(status) {}
  int status() const noexcept { return status_; }

 private:
  int status_;
};

struct Field {
  std::string name, value;
};

/// The fields of a message in their order. Names compare without regard to ASCII case and keep the case given.
class Fields {
 public:
  void add(std::string name, std::string value);
  void reserve(std::size_t count) { fields_.reserve(count); }
  /// Replaces every field of that name by one, at the place of the first (or at the end).
  void set(std::string_view name, std::string value);
  void remove(std::string_view name);
  /// The first value of that name, nullptr if there is none. Good until the next change.
  const std::string* find(std::string_view name) const;
  /// The first value of that name, or an empty string.
  std::string get(std::string_view name) const;
  bool has(std::string_view name) const { return find(name) != nullptr; }
  std::vector<std::string> values(std::string_view name) const;
  /// Whether `token` stands in the comma-separated list that the fields `name` make together (Connection: close).
  bool has_token(std::string_view name, std::string_view token) const;

  std::size_t size() const noexcept { return fields_.size(); }
  bool empty() const noexcept { return fields_.empty(); }
  std::vector<Field>::const_iterator begin() const noexcept { return fields_.begin(); }
  std::vector<Field>::const_iterator end() const noexcept { return fields_.end(); }

 private:
  std::vector<Field> fields_;
};

struct RequestHead {
  std::string method = "GET";
  std::string target = "/";  ///< as sent, not decoded: "/exec?mode=sys"
  int major = 1, minor = 1;
  Fields fields;
};

struct ResponseHead {
  int status = 200;
  std::string reason;  ///< serialize() fills in the usual phrase if it is empty and `status` has one
  int major = 1, minor = 1;
  Fields fields;
};

struct HeadLimits {
  std::size_t max_bytes = 64 * 1024;  ///< of the whole head with its empty line
  std::size_t max_fields = 128;
};

/// Finds the end of a head in a buffer that grows, looking at each byte once.
class HeadScanner {
 public:
  explicit HeadScanner(HeadLimits limits = {}) : limits_(limits) {}

  /// `buffer` starts with what was given the last time, and may be longer now. Returns the head's length,
  /// the closing empty line included, once it is all there. Throws HttpError 431 when a limit is passed, 400
  /// at the first byte that no head may contain (NUL, a bare LF, ...).
  std::optional<std::size_t> scan(std::string_view buffer);
  void reset() { *this = HeadScanner(limits_); }

 private:
  HeadLimits limits_;
  std::size_t position_ = 0, line_start_ = 0, lines_ = 0;
};

/// `head` is a whole head up to and including its empty line. Throws HttpError: 400 for anything malformed,
/// 505 for a major version other than 1, 431 for too many fields.
RequestHead parse_request_head(std::string_view head, const HeadLimits& limits = {});
/// Also accepts HTTP/0.0 and a missing reason phrase. Throws HttpError 502.
ResponseHead parse_response_head(std::string_view head, const HeadLimits& limits = {});

/// The bytes of a head. Throws std::invalid_argument, naming the culprit, if something in it would not be
/// read back as what it is (a line break in a value, a space in the target, ...).
std::string serialize(const RequestHead& head);
std::string serialize(const ResponseHead& head);

/// Whether the sender of this head keeps the connection open after the message, as far as it says so.
bool keeps_alive(const RequestHead& head);
bool keeps_alive(const ResponseHead& head);

/// How long the body is.
struct BodyFraming {
  enum class Kind { none, length, chunked, until_close };
  Kind kind = Kind::none;
  std::uint64_t length = 0;  ///< for Kind::length; never 0, which is Kind::none
};

/// Throws HttpError: 501 for a transfer coding that is not exactly "chunked", 400 for contradictions.
BodyFraming framing_of(const RequestHead& head);
/// `method` is the request's. Throws HttpError 502.
BodyFraming framing_of(const ResponseHead& head, std::string_view method);

struct ChunkLimits {
  std::size_t max_line = 1024;  ///< of a size line with its extensions
  std::size_t max_trailer_bytes = 16 * 1024;
  std::size_t max_trailer_fields = 64;
};

/// Takes a chunked body apart, piece by piece. Trailers are kept apart from the head's fields for good:
/// nothing in them can change how the message is understood.
class ChunkDecoder {
 public:
  explicit ChunkDecoder(ChunkLimits limits = {}) : limits_(limits) {}

  struct Step {
    std::size_t consumed = 0;  ///< bytes of the input that are dealt with
    std::string_view data;     ///< body bytes among them, a part of the input; may be empty
  };
  /// Goes on until the next piece of body, the end of the body or the end of `input`. Bytes not consumed
  /// are to be given again, with more behind them. It keeps at most one line itself, so all input is
  /// consumed unless the step ends with data or the body ends. Throws HttpError 400; after that, or after
  /// done(), do not call it again.
  Step feed(std::string_view input);

  bool done() const noexcept { return state_ == State::done; }
  /// Complete once done().
  const Fields& trailers() const noexcept { return trailers_; }

 private:
  enum class State { size_line, data, data_end, trailers, done };
  void size_line_ended();
  void trailer_line_ended();
  bool take_line(std::string_view& input, std::size_t limit);

  ChunkLimits limits_;
  State state_ = State::size_line;
  std::uint64_t remaining_ = 0;
  std::string line_;
  std::size_t trailer_bytes_ = 0;
  Fields trailers_;
};

/// What stands before a chunk of `size` bytes (not 0); after it comes "\r\n".
std::string chunk_header(std::size_t size);
/// The end of a chunked body. Throws std::invalid_argument like serialize().
std::string last_chunk(const Fields& trailers = {});

/// "OK", "Not Found"; empty if the status has no usual phrase.
std::string_view reason_phrase(int status);

/// "Sat, 21 Nov 2026 19:46:09 GMT"
std::string http_date(std::chrono::sys_seconds time);

bool iequals(std::string_view a, std::string_view b) noexcept;

enum class Plus { literal, space };

/// nullopt if a percent sign is not followed by two hexadecimal digits.
std::optional<std::string> percent_decode(std::string_view text, Plus plus = Plus::literal);
/// Encodes everything but letters, digits and -._~ ; the result can stand in any part of a URL.
std::string percent_encode(std::string_view text);
/// The value of an Authorization field: "Basic " and `credentials`, "user:password", in base64.
std::string basic_authorization(std::string_view credentials);

/// Named values in their order: a query, a form.
class Params {
 public:
  void add(std::string name, std::string value) { items_.emplace_back(std::move(name), std::move(value)); }
  bool has(std::string_view name) const;
  /// The first value of that name, or an empty string.
  std::string get(std::string_view name) const;
  std::vector<std::string> all(std::string_view name) const;
  /// "a=1&b=two+words"
  std::string encode() const;

  std::size_t size() const noexcept { return items_.size(); }
  std::vector<std::pair<std::string, std::string>>::const_iterator begin() const noexcept { return items_.begin(); }
  std::vector<std::pair<std::string, std::string>>::const_iterator end() const noexcept { return items_.end(); }

 private:
  std::vector<std::pair<std::string, std::string>> items_;
};

/// Takes "a=1&b=two+words" apart; the same form is used by queries and urlencoded bodies. Pairs that cannot be
/// decoded or that contain a semicolon are left out, as the original does. At most `max_pairs` are kept.
Params parse_query(std::string_view text, std::size_t max_pairs = 10'000);

}  // namespace io
