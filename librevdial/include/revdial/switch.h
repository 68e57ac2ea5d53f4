// Turning an HTTP request into a raw connection: the 101 exchange of registrations and pick-ups.
#pragma once

#include <io/byte_stream.h>
#include <io/clock.h>
#include <io/http1.h>
#include <io/task.h>

#include <stdexcept>
#include <string>
#include <string_view>

namespace revdial {

/// The server's answer, byte for byte the original's: version 0.0 and no fields. It goes out in a write (on
/// TLS: a record) of its own, because the original's listeners drop what arrives together with it. Our own
/// side also accepts `HTTP/1.1 101 ...` with any fields, as do the original's.
inline constexpr std::string_view kSwitchResponse = "HTTP/0.0 101 Switching Protocols\r\n\r\n";

/// The server did not switch. what() is the original's text without its prefix, for instance
/// "want HTTP status 101 or 307; got 400 Bad Request:\n\tunknown dialer\n".
class SwitchError : public std::runtime_error {
 public:
  SwitchError(int status, const std::string& text) : std::runtime_error(text), status_(status) {}

  /// The status that was answered; 0 if there was no usable answer.
  int status() const noexcept { return status_; }

 private:
  int status_;
};

/// Both requests were answered 307. what() is "too many redirects".
class TooManyRedirects : public SwitchError {
 public:
  TooManyRedirects() : SwitchError(307, "too many redirects") {}
};

/// The head of a GET as the original's clients send it: `Host` empty, then `User-Agent: Go-http-client/1.1`;
/// more fields may be added (sorted by name, if the bytes are to be the original's).
io::RequestHead switch_request(std::string target);

/// Whether `target` may stand in a request line: begins with '/', then only visible ASCII without '#', at most
/// 2048 bytes.
bool is_request_path(std::string_view target);

/// Sends `request`, expects 101, and gives back the connection with every byte that came after the answer.
/// One 307 with a relative `Location` is followed on the same connection, with the same method and fields; its
/// body (at most 64 KiB, with a length or chunked) is read and dropped.
///
/// All of it takes at most `limit`. Throws SwitchError when the answer is another one, comes too late, is not
/// HTTP or is cut short; what the stream throws when the connection breaks. In all these cases, and when the
/// awaiting coroutine is cancelled, the connection is closed. `clock` must outlive the task.
io::Task<io::StreamPtr> switch_protocols(io::StreamPtr stream, io::RequestHead request, io::Clock& clock,
                                         io::Duration limit);

}  // namespace revdial
