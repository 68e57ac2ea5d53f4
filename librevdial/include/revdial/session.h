// What both ends of a control channel tell about its end.
#pragma once

#include <string>

namespace revdial {

/// Why a session is over.
struct SessionEnd {
  enum class Cause {
    closed_here,     ///< close() was called
    closed_by_peer,  ///< the peer ended the control channel in an orderly way
    protocol_error,  ///< the peer sent a control line that is none
    peer_silent,     ///< nothing was heard, or written bytes were not taken, for too long
    transport_lost,  ///< the control channel broke
  };
  Cause cause = Cause::closed_here;
  std::string text;  ///< a sentence for people and logs
};

}  // namespace revdial
