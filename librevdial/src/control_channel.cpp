#include "control_channel.h"

#include <boost/system/system_error.hpp>

namespace revdial {

bool ControlChannel::set_end(SessionEnd::Cause cause, std::string text) {
  if (end_) return false;
  end_ = SessionEnd{cause, std::move(text)};
  return true;
}

SessionEnd ControlChannel::cause_of(const std::exception_ptr& error, const std::string& what) const {
  if (missed_limit_) {
    return {SessionEnd::Cause::peer_silent,
            "a control message was not taken by the other side within " + in_seconds(*missed_limit_)};
  }
  try {
    std::rethrow_exception(error);
  } catch (const ControlError& e) {
    return {SessionEnd::Cause::protocol_error, e.what()};
  } catch (const std::exception& e) {
    return {SessionEnd::Cause::transport_lost, what + ": " + e.what()};
  }
}

io::Task<> ControlChannel::write(ControlMessage message, io::Duration limit) {
  const std::string line = serialize_control(message);
  io::Deadline deadline(clock_, stream_->executor(), limit, [this, limit] {
    missed_limit_ = limit;
    stream_->close();
  });
  co_await stream_->write(line);
}

io::Task<> ControlChannel::say_goodbye() {
  if (end_ && end_->cause == SessionEnd::Cause::closed_here) {
    io::Deadline deadline(clock_, stream_->executor(), kGoodbyeLimit, [this] { stream_->close(); });
    try {
      co_await stream_->shutdown_write();
    } catch (const boost::system::system_error&) {
      // It was a courtesy: the channel is closed in any case.
    }
  }
  stream_->close();
}

std::string in_seconds(io::Duration time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(time).count()) + " s";
}

}  // namespace revdial
