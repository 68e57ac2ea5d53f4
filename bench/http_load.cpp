// http_load PORT CONNECTIONS SECONDS [COUNT] <REQUEST: sends the same request to a server on this machine again and
// again over connections that are kept, each the next as soon as it is answered. Ends after SECONDS, or COUNT answers.
// Prints how many answers there were and how long they took. One thread; an answer other than 200 ends it.
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

std::string read_request() {
  std::string text;
  std::array<char, 4096> piece;
  for (ssize_t size; (size = ::read(STDIN_FILENO, piece.data(), piece.size())) > 0;)
    text.append(piece.data(), static_cast<std::size_t>(size));
  return text;
}

/// Where the chunk or trailer line at `at` ends, behind its line break; 0: it is not all there.
std::size_t line_end(std::string_view text, std::size_t at) {
  const std::size_t end = text.find("\r\n", at);
  return end == text.npos ? 0 : end + 2;
}

/// The same for a body in chunks, with its trailers.
std::size_t chunks_end(std::string_view text, std::size_t at) {
  while (true) {
    const std::size_t data = line_end(text, at);
    if (data == 0) return 0;
    const std::size_t size = std::strtoul(text.data() + at, nullptr, 16);
    at = data;
    if (size == 0) break;
    at += size + 2;
    if (at > text.size()) return 0;
  }
  while (true) {
    const std::size_t next = line_end(text, at);
    if (next == 0 || next == at + 2) return next;
    at = next;
  }
}

/// The length of the answer that `text` begins with; 0: it is not all there.
std::size_t answer_length(const std::string& text) {
  const std::size_t blank = text.find("\r\n\r\n");
  if (blank == text.npos) return 0;
  if (!text.starts_with("HTTP/1.1 200 ")) throw std::runtime_error("answered: " + text.substr(0, blank));
  const std::size_t body = blank + 4;
  const char* const length = ::strcasestr(text.c_str(), "\r\ncontent-length:");
  if (length == nullptr || length > text.c_str() + blank) return chunks_end(text, body);
  const std::size_t end = body + std::strtoul(length + 17, nullptr, 10);
  return end <= text.size() ? end : 0;
}

class Load {
 public:
  Load(std::uint16_t port, int connections, std::string request)
      : request_(std::move(request)), epoll_(::epoll_create1(0)) {
    if (epoll_ < 0) fail("epoll");
    for (int i = 0; i < connections; ++i) connections_.push_back({connect(port), {}, {}});
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.u64 = i;
      if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, connections_[i].fd, &event) != 0) fail("epoll");
    }
  }

  void run(std::chrono::duration<double> time, std::size_t count) {
    const auto begin = Clock::now();
    for (Connection& connection : connections_) ask(connection);
    while (times_.size() < count && Clock::now() - begin < time) {
      std::array<epoll_event, 64> events;
      const int ready = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 100);
      for (int i = 0; i < ready; ++i) take(connections_[events[static_cast<std::size_t>(i)].data.u64]);
    }
    report(std::chrono::duration<double>(Clock::now() - begin).count());
  }

 private:
  struct Connection {
    int fd;
    std::string answer;
    Clock::time_point asked;
  };

  static int connect(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0), on = 1;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("connect");
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
  }

  void ask(Connection& connection) {
    connection.asked = Clock::now();
    if (::send(connection.fd, request_.data(), request_.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request_.size()))
      fail("send");
  }

  void take(Connection& connection) {
    std::array<char, 16384> piece;
    const ssize_t size = ::recv(connection.fd, piece.data(), piece.size(), 0);
    if (size <= 0) throw std::runtime_error("the server ended a connection");
    connection.answer.append(piece.data(), static_cast<std::size_t>(size));
    const std::size_t length = answer_length(connection.answer);
    if (length == 0) return;
    if (length != connection.answer.size()) throw std::runtime_error("more than one answer");
    connection.answer.clear();
    times_.push_back(std::chrono::duration<double, std::micro>(Clock::now() - connection.asked).count());
    ask(connection);
  }

  void report(double seconds) {
    if (times_.empty()) throw std::runtime_error("no answer");
    std::sort(times_.begin(), times_.end());
    std::printf("count=%zu seconds=%.6f p50=%.1f p99=%.1f\n", times_.size(), seconds, times_[times_.size() / 2],
                times_[times_.size() * 99 / 100]);
  }

  std::string request_;
  int epoll_;
  std::vector<Connection> connections_;
  std::vector<double> times_;  // us
};

}  // namespace

int main(int count, char** arguments) try {
  if (count < 4) {
    std::fputs("usage: http_load PORT CONNECTIONS SECONDS [COUNT] <REQUEST\n", stderr);
    return 2;
  }
  Load load(static_cast<std::uint16_t>(std::atoi(arguments[1])), std::atoi(arguments[2]), read_request());
  load.run(std::chrono::duration<double>(std::atof(arguments[3])),
           count > 4 ? std::strtoul(arguments[4], nullptr, 10) : SIZE_MAX);
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "http_load: %s\n", error.what());
  return 1;
}
