// The control channel's messages: one JSON object per line, in both directions (docs/revdial.md).
//
// Plain functions and values; no threads, no I/O except LineReader.
#pragma once

#include <io/byte_stream.h>
#include <io/task.h>

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace revdial {

/// A control line's longest length in bytes, newline included. The original's peers end the session on a
/// longer one, and so do we.
inline constexpr std::size_t kMaxControlLine = 4096;

inline constexpr std::string_view kKeepAlive = "keep-alive";
inline constexpr std::string_view kConnReady = "conn-ready";
inline constexpr std::string_view kPickupFailed = "pickup-failed";

/// One message. An empty field is not on the wire. Receivers ignore commands they do not know.
struct ControlMessage {
  std::string command;
  std::string conn_path;
  std::string err;
  /// Of a keep-alive, ours alone: the next one comes within so many seconds. The original ignores it.
  std::string period = {};

  bool operator==(const ControlMessage&) const = default;
};

/// The peer sent something that ends the session. what() is a sentence about it.
class ControlError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Reads one line (with or without its newline). Keys in any order and case, the last of equal ones wins,
/// unknown ones are ignored, null leaves a field empty. Bytes that are not UTF-8 become U+FFFD. Throws
/// ControlError if it is not one JSON object or a known key has another type than string.
ControlMessage parse_control_line(std::string_view line);

/// The line with its newline, as the original's encoder writes it: keys in the order command, connPath, err, period,
/// and & < > as \u0026 \u003c \u003e. If it would be longer than kMaxControlLine, `err` is cut (between
/// characters, the cut marked by "...") so that it fits. Throws std::length_error if it is too long even
/// without `err`.
std::string serialize_control(const ControlMessage& message);

/// Cuts a byte stream into control lines. Holds at most kMaxControlLine bytes. Does not own the stream.
class LineReader {
 public:
  explicit LineReader(io::ByteStream& stream) : stream_(stream) {}

  /// The next line without its newline; nullopt when the peer has ended its side after a whole line. Throws
  /// ControlError on a line that is too long or cut short, and what the stream throws.
  io::Task<std::optional<std::string>> next();

 private:
  io::ByteStream& stream_;
  std::string held_;
  std::size_t searched_ = 0;  // no newline in the first searched_ bytes of held_
};

}  // namespace revdial
