// Heads: scanning, parsing, writing, framing.
//
// A head goes through two sieves. The scanner sees every byte as it arrives and refuses what no head may hold
// (so that a client which sends "\n\n" is told at once instead of timing out); the parser then looks at whole
// lines. Both are complete on their own: the parser does not rely on the scanner having run.

#include <io/http1.h>

#include <algorithm>
#include <charconv>

namespace io {

namespace {

bool is_token_char(char c) {
  if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return true;
  return c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_token(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char); }

bool is_control(char c) {
  const auto u = static_cast<unsigned char>(c);
  return u < 0x20 || u == 0x7f;
}

// What may stand in a field's value or a reason phrase: a tab is no harm, and bytes over 0x7f are somebody's text.
bool is_value(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return is_control(c) && c != '\t'; });
}

bool is_target(std::string_view text) {
  return !text.empty() && std::none_of(text.begin(), text.end(), [](char c) { return is_control(c) || c == ' '; });
}

std::string_view trim(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

// The first line of what is left of a head, without its CRLF.
std::string_view next_line(std::string_view& head, int status) {
  const std::size_t end = head.find("\r\n");
  if (end == std::string_view::npos) throw HttpError(status, "the message head ends in the middle of a line");
  const std::string_view line = head.substr(0, end);
  head.remove_prefix(end + 2);
  return line;
}

Field parse_field(std::string_view line, int status) {
  if (line.front() == ' ' || line.front() == '\t') throw HttpError(status, "a header field is folded over lines");
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) throw HttpError(status, "a header line has no colon");
  const std::string_view name = line.substr(0, colon), value = trim(line.substr(colon + 1));
  if (!is_token(name)) throw HttpError(status, "a header field's name is malformed");
  if (!is_value(value)) throw HttpError(status, "a header field's value contains a control character");
  return Field{std::string(name), std::string(value)};
}

Fields parse_fields(std::string_view head, const HeadLimits& limits, int status, int too_many) {
  Fields fields;
  while (true) {
    const std::string_view line = next_line(head, status);
    if (line.empty()) break;
    if (fields.size() >= limits.max_fields) throw HttpError(too_many, "too many header fields");
    Field field = parse_field(line, status);
    fields.add(std::move(field.name), std::move(field.value));
  }
  if (!head.empty()) throw HttpError(status, "something follows the empty line of a message head");
  return fields;
}

// "HTTP/1.1"; false if it is not of that form.
bool parse_version(std::string_view text, int& major, int& minor) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (text.size() != 8 || text.substr(0, 5) != "HTTP/" || !digit(text[5]) || text[6] != '.' || !digit(text[7]))
    return false;
  major = text[5] - '0';
  minor = text[7] - '0';
  return true;
}

void append_fields(std::string& out, const Fields& fields) {
  for (const Field& field : fields) {
    if (!is_token(field.name)) throw std::invalid_argument("header field name cannot be sent: " + field.name);
    if (!is_value(field.value) || trim(field.value).size() != field.value.size())
      throw std::invalid_argument("value of header field " + field.name + " cannot be sent as it is");
    out += field.name;
    out += ": ";
    out += field.value;
    out += "\r\n";
  }
}

void append_version(std::string& out, int major, int minor) {
  if (major < 0 || major > 9 || minor < 0 || minor > 9) throw std::invalid_argument("impossible HTTP version");
  out += "HTTP/";
  out += static_cast<char>('0' + major);
  out += '.';
  out += static_cast<char>('0' + minor);
}

bool keeps_connection(int major, int minor, const Fields& fields) {
  if (major != 1 || fields.has_token("Connection", "close")) return false;
  return minor >= 1 || fields.has_token("Connection", "keep-alive");
}

// 18 digits are enough for everything and cannot overflow.
std::optional<std::uint64_t> parse_length(std::string_view text) {
  if (text.empty() || text.size() > 18) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The part of framing that requests and responses share. nullopt: neither field is there.
std::optional<BodyFraming> announced_framing(const Fields& fields, bool chunks_allowed, int bad, int unknown_coding) {
  const std::vector<std::string> codings = fields.values("Transfer-Encoding");
  const std::vector<std::string> lengths = fields.values("Content-Length");
  if (!codings.empty()) {
    if (!lengths.empty()) throw HttpError(bad, "both Content-Length and Transfer-Encoding are given");
    if (!chunks_allowed) throw HttpError(bad, "Transfer-Encoding in a message of HTTP/1.0");
    if (codings.size() > 1) throw HttpError(bad, "more than one Transfer-Encoding is given");
    if (!iequals(codings.front(), "chunked")) throw HttpError(unknown_coding, "unsupported transfer encoding");
    return BodyFraming{BodyFraming::Kind::chunked, 0};
  }
  if (lengths.empty()) return std::nullopt;
  const std::optional<std::uint64_t> length = parse_length(lengths.front());
  if (!length) throw HttpError(bad, "Content-Length is not a number of bytes");
  for (const std::string& other : lengths)
    if (other != lengths.front()) throw HttpError(bad, "two different Content-Lengths are given");
  if (*length == 0) return BodyFraming{};
  return BodyFraming{BodyFraming::Kind::length, *length};
}

}  // namespace

bool iequals(std::string_view a, std::string_view b) noexcept {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [&](char x, char y) { return lower(x) == lower(y); });
}

void Fields::add(std::string name, std::string value) { fields_.push_back({std::move(name), std::move(value)}); }

void Fields::set(std::string_view name, std::string value) {
  const auto same = [&](const Field& field) { return iequals(field.name, name); };
  const auto first = std::find_if(fields_.begin(), fields_.end(), same);
  if (first == fields_.end()) {
    add(std::string(name), std::move(value));
    return;
  }
  first->value = std::move(value);
  fields_.erase(std::remove_if(first + 1, fields_.end(), same), fields_.end());
}

void Fields::remove(std::string_view name) {
  std::erase_if(fields_, [&](const Field& field) { return iequals(field.name, name); });
}

const std::string* Fields::find(std::string_view name) const {
  for (const Field& field : fields_)
    if (iequals(field.name, name)) return &field.value;
  return nullptr;
}

std::string Fields::get(std::string_view name) const {
  const std::string* value = find(name);
  return value ? *value : std::string();
}

std::vector<std::string> Fields::values(std::string_view name) const {
  std::vector<std::string> found;
  for (const Field& field : fields_)
    if (iequals(field.name, name)) found.push_back(field.value);
  return found;
}

bool Fields::has_token(std::string_view name, std::string_view token) const {
  for (const Field& field : fields_) {
    if (!iequals(field.name, name)) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      if (iequals(trim(rest.substr(0, comma)), token)) return true;
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  return false;
}

std::optional<std::size_t> HeadScanner::scan(std::string_view buffer) {
  for (; position_ < buffer.size(); ++position_) {
    if (position_ >= limits_.max_bytes) throw HttpError(431, "the message head is too large");
    const char c = buffer[position_];
    const bool after_cr = position_ > line_start_ && buffer[position_ - 1] == '\r';
    if (c != '\n') {
      if (after_cr) throw HttpError(400, "a carriage return in a message head is not followed by a line feed");
      if (is_control(c) && c != '\r' && c != '\t') throw HttpError(400, "a control character in a message head");
      continue;
    }
    if (!after_cr) throw HttpError(400, "a line of the message head ends without a carriage return");
    if (position_ - line_start_ == 1) return ++position_;
    if (++lines_ > limits_.max_fields + 1) throw HttpError(431, "too many header fields");
    line_start_ = position_ + 1;
  }
  return std::nullopt;
}

RequestHead parse_request_head(std::string_view head, const HeadLimits& limits) {
  const std::string_view line = next_line(head, 400);
  const std::size_t first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) throw HttpError(400, "the request line is malformed");
  RequestHead request;
  request.method = line.substr(0, first);
  request.target = line.substr(first + 1, last - first - 1);
  if (!is_token(request.method) || !is_target(request.target) ||
      !parse_version(line.substr(last + 1), request.major, request.minor))
    throw HttpError(400, "the request line is malformed");
  if (request.major != 1) throw HttpError(505, "only HTTP/1 is spoken here");
  request.fields = parse_fields(head, limits, 400, 431);
  return request;
}

ResponseHead parse_response_head(std::string_view head, const HeadLimits& limits) {
  const std::string_view line = next_line(head, 502);
  ResponseHead response;
  unsigned status = 0;
  const bool shape = line.size() >= 12 && parse_version(line.substr(0, 8), response.major, response.minor) &&
                     line[8] == ' ' && (line.size() == 12 || line[12] == ' ');
  if (!shape || std::from_chars(line.data() + 9, line.data() + 12, status).ptr != line.data() + 12 || status < 100)
    throw HttpError(502, "the answer's status line is malformed");
  if (response.major > 1) throw HttpError(502, "the answer is of an HTTP version that is not spoken here");
  response.status = static_cast<int>(status);
  if (line.size() > 13) response.reason = line.substr(13);
  if (!is_value(response.reason)) throw HttpError(502, "a control character in the answer's status line");
  response.fields = parse_fields(head, limits, 502, 502);
  return response;
}

std::string serialize(const RequestHead& head) {
  if (!is_token(head.method)) throw std::invalid_argument("method cannot be sent: " + head.method);
  if (!is_target(head.target)) throw std::invalid_argument("request target cannot be sent: " + head.target);
  std::string out = head.method + " " + head.target + " ";
  append_version(out, head.major, head.minor);
  out += "\r\n";
  append_fields(out, head.fields);
  return out += "\r\n";
}

std::string serialize(const ResponseHead& head) {
  if (head.status < 100 || head.status > 999)
    throw std::invalid_argument("status cannot be sent: " + std::to_string(head.status));
  const std::string reason = head.reason.empty() ? std::string(reason_phrase(head.status)) : head.reason;
  if (!is_value(reason)) throw std::invalid_argument("reason phrase cannot be sent: " + reason);
  std::string out;
  out.reserve(512);
  append_version(out, head.major, head.minor);
  out += " " + std::to_string(head.status) + " " + reason + "\r\n";
  append_fields(out, head.fields);
  return out += "\r\n";
}

bool keeps_alive(const RequestHead& head) { return keeps_connection(head.major, head.minor, head.fields); }
bool keeps_alive(const ResponseHead& head) { return keeps_connection(head.major, head.minor, head.fields); }

BodyFraming framing_of(const RequestHead& head) {
  const bool chunks_allowed = head.major == 1 && head.minor >= 1;
  return announced_framing(head.fields, chunks_allowed, 400, 501).value_or(BodyFraming{});
}

BodyFraming framing_of(const ResponseHead& head, std::string_view method) {
  const bool chunks_allowed = head.major == 1 && head.minor >= 1;
  const auto announced = announced_framing(head.fields, chunks_allowed, 502, 502);
  if (method == "HEAD" || head.status < 200 || head.status == 204 || head.status == 304) return {};
  return announced.value_or(BodyFraming{BodyFraming::Kind::until_close, 0});
}

bool ChunkDecoder::take_line(std::string_view& input, std::size_t limit) {
  const std::size_t end = input.find('\n');
  const std::string_view part = input.substr(0, std::min(end, input.size()));
  if (line_.size() + part.size() > limit) throw HttpError(400, "a line of the chunked body is too long");
  line_ += part;
  input.remove_prefix(part.size());
  if (end == std::string_view::npos) return false;
  input.remove_prefix(1);
  if (line_.empty() || line_.back() != '\r')
    throw HttpError(400, "a line of the chunked body ends without a carriage return");
  line_.pop_back();
  if (!is_value(line_)) throw HttpError(400, "a control character in a line of the chunked body");
  return true;
}

void ChunkDecoder::size_line_ended() {
  const std::size_t digits = std::min(line_.find(';'), line_.size());
  const char* const end = line_.data() + digits;
  // 15 digits cannot overflow.
  if (digits == 0 || digits > 15 || std::from_chars(line_.data(), end, remaining_, 16).ptr != end)
    throw HttpError(400, "a chunk's size is malformed");
  line_.clear();
  state_ = remaining_ == 0 ? State::trailers : State::data;
}

void ChunkDecoder::trailer_line_ended() {
  if (line_.empty()) {
    state_ = State::done;
    return;
  }
  trailer_bytes_ += line_.size() + 2;
  if (trailers_.size() >= limits_.max_trailer_fields) throw HttpError(400, "too many trailer fields");
  Field field = parse_field(line_, 400);
  trailers_.add(std::move(field.name), std::move(field.value));
  line_.clear();
}

ChunkDecoder::Step ChunkDecoder::feed(std::string_view input) {
  const std::size_t size = input.size();
  while (!input.empty() && state_ != State::done) {
    switch (state_) {
      case State::size_line:
        if (take_line(input, limits_.max_line)) size_line_ended();
        break;
      case State::data: {
        const std::string_view data = input.substr(0, std::min<std::uint64_t>(remaining_, input.size()));
        remaining_ -= data.size();
        if (remaining_ == 0) state_ = State::data_end;
        return {size - input.size() + data.size(), data};
      }
      case State::data_end:
        // Not take_line: the first wrong byte is enough to know.
        if (input.front() != (line_.empty() ? '\r' : '\n')) throw HttpError(400, "a chunk is longer than its size");
        line_ += input.front();
        input.remove_prefix(1);
        if (line_.size() < 2) break;
        line_.clear();
        state_ = State::size_line;
        break;
      case State::trailers:
        if (take_line(input, limits_.max_trailer_bytes - std::min(limits_.max_trailer_bytes, trailer_bytes_)))
          trailer_line_ended();
        break;
      case State::done:
        break;
    }
  }
  return {size - input.size(), {}};
}

std::string chunk_header(std::size_t size) {
  char digits[2 * sizeof size];
  const auto end = std::to_chars(digits, digits + sizeof digits, size, 16).ptr;
  return std::string(digits, end) + "\r\n";
}

std::string last_chunk(const Fields& trailers) {
  std::string out = "0\r\n";
  append_fields(out, trailers);
  return out += "\r\n";
}

}  // namespace io
