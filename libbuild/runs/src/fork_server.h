// What a worker and its fork server say to each other. The worker sends packets over a SOCK_SEQPACKET Unix socket, each
// of one byte with two descriptors: a run's directory, and a SOCK_SEQPACKET socket to answer on. Answers are packets:
// the fork server's kForked, with a pidfd of the supervisor; then the supervisor's own kAtWork, or kFailed and why.
#pragma once

namespace build::runs::fork_server {

inline constexpr char kForked = 'f';
inline constexpr char kAtWork = '+';
inline constexpr char kFailed = '-';

}  // namespace build::runs::fork_server
