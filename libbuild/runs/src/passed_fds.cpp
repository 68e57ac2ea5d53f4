#include "passed_fds.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <sys/socket.h>
#include <sys/uio.h>

namespace build::runs {

namespace {

/// A message's head, and room for its descriptors.
struct Message {
  explicit Message(std::span<char> bytes) : piece{bytes.data(), bytes.size()} {
    head.msg_iov = &piece;
    head.msg_iovlen = 1;
    head.msg_control = room.data();
    head.msg_controllen = room.size();
  }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;

  iovec piece;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxPassedFds * sizeof(int))> room{};
  msghdr head{};
};

}  // namespace

ssize_t send_with_fds(int socket, std::string_view bytes, std::span<const int> fds, int flags) noexcept {
  Message message({const_cast<char*>(bytes.data()), bytes.size()});
  fds = fds.first(std::min(fds.size(), kMaxPassedFds));
  message.head.msg_controllen = CMSG_SPACE(fds.size_bytes());
  cmsghdr* control = CMSG_FIRSTHDR(&message.head);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_RIGHTS;
  control->cmsg_len = CMSG_LEN(fds.size_bytes());
  std::memcpy(CMSG_DATA(control), fds.data(), fds.size_bytes());
  return ::sendmsg(socket, &message.head, flags | MSG_NOSIGNAL);
}

ssize_t receive_with_fds(int socket, std::span<char> into, std::vector<base::UniqueFd>& fds, int flags) {
  Message message(into);
  const ssize_t size = ::recvmsg(socket, &message.head, flags | MSG_CMSG_CLOEXEC);
  if (size < 0) return size;
  const int error = errno;
  for (cmsghdr* control = CMSG_FIRSTHDR(&message.head); control != nullptr;
       control = CMSG_NXTHDR(&message.head, control)) {
    if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(control) + i * sizeof fd, sizeof fd);
      fds.emplace_back(fd);
    }
  }
  errno = error;
  return size;
}

}  // namespace build::runs
