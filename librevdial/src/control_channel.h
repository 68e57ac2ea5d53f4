// What Dialer and Listener have in common: a control channel that is written with a limit and ends once.
#pragma once

#include <io/byte_stream.h>
#include <io/clock.h>
#include <revdial/control.h>
#include <revdial/session.h>

#include <chrono>
#include <exception>
#include <optional>
#include <string>
#include <utility>

namespace revdial {

/// How long the other side is given to take our goodbye.
inline constexpr io::Duration kGoodbyeLimit = std::chrono::seconds{1};

/// Longest pick-up path that we put into a message: it fits into a line even if every byte is escaped.
inline constexpr std::size_t kMaxOwnPath = 512;

/// The end of a session has one cause: the first that is reported. Everything after it is a consequence.
class ControlChannel {
 public:
  ControlChannel(io::StreamPtr stream, io::Clock& clock, std::chrono::milliseconds user_timeout)
      : stream_(std::move(stream)), clock_(clock) {
    stream_->set_user_timeout(user_timeout);
  }

  io::ByteStream& stream() noexcept { return *stream_; }
  io::Clock& clock() noexcept { return clock_; }
  bool ended() const noexcept { return end_.has_value(); }
  /// Only once ended().
  const SessionEnd& end() const { return *end_; }

  /// False if the session had ended before.
  bool set_end(SessionEnd::Cause cause, std::string text);
  /// The cause that `error`, thrown while doing `what` ("reading the control channel"), stands for.
  SessionEnd cause_of(const std::exception_ptr& error, const std::string& what) const;

  /// Writes one message. Throws what the stream throws. When `limit` is over the channel is closed, which makes
  /// reading fail as well; cause_of() knows the true cause of both.
  io::Task<> write(ControlMessage message, io::Duration limit);
  /// Ends our side in an orderly way if the session was ended by this side, then closes the channel.
  io::Task<> say_goodbye();

 private:
  io::StreamPtr stream_;
  io::Clock& clock_;
  std::optional<SessionEnd> end_;
  std::optional<io::Duration> missed_limit_;  // the write limit that the other side did not keep
};

std::string in_seconds(io::Duration time);

}  // namespace revdial
