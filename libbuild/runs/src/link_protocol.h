// What a worker and a supervisor say to each other: one message for each packet of a SOCK_SEQPACKET Unix socket. The
// first one is a pair that the worker makes; a later worker's leads to the socket named `socket` in the run's
// directory. A message is a letter and what follows. A supervisor may be older or younger than the worker: letters keep
// their meaning, unknown ones are ignored.
//
// A worker asks its fork server for a supervisor by a packet of one byte with three descriptors: the directory of all
// runs, a file with the command as JSON, and the other end of that pair.
#pragma once

#include <cstddef>

namespace build::runs::link {

/// The largest packet.
inline constexpr std::size_t kMaxMessage = 32 * 1024 + 16;
inline constexpr std::size_t kMaxInput = 32 * 1024;

// To the supervisor.
inline constexpr char kWatch = 'w';   ///< decimal offset: say kNews once there is output beyond it, or the run is over
inline constexpr char kRead = 'r';    ///< decimal offset: what is before it was read (Command::ephemeral)
inline constexpr char kKill = 'k';    ///< why: kill all of it
inline constexpr char kSignal = 's';  ///< decimal signal: for the command's group
inline constexpr char kInput = 'i';   ///< bytes for stdin; is answered by kTaken
inline constexpr char kEnd = 'e';     ///< stdin ends; is answered by kTaken
inline constexpr char kResize = 'z';  ///< decimal rows, space, decimal columns

// From it.
inline constexpr char kForked = 'f';  ///< the first word, with a pidfd of the supervisor
inline constexpr char kAtWork = '+';  ///< the run has begun
inline constexpr char kFailed = '-';  ///< why it has not: the last word
inline constexpr char kNews = 'n';    ///< look again
inline constexpr char kTaken = 't';   ///< nothing: the bytes were taken; or why they were not

}  // namespace build::runs::link
