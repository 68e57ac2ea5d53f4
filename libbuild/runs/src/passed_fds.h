// Packets with descriptors in them, over Unix sockets.
#pragma once

#include <build/base/file.h>

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace build::runs {

inline constexpr std::size_t kMaxPassedFds = 3;

/// As send(2), with no more than kMaxPassedFds descriptors.
ssize_t send_with_fds(int socket, std::string_view bytes, std::span<const int> fds, int flags) noexcept;
/// As recv(2). The descriptors are close-on-exec.
ssize_t receive_with_fds(int socket, std::span<char> into, std::vector<base::UniqueFd>& fds, int flags);

}  // namespace build::runs
