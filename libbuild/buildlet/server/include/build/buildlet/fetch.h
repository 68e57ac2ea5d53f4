// Fetching what a URL names, over HTTP or HTTPS: a GET, redirects followed, everything bounded.
//
// Lives on one executor; clock and pool outlive it. One open(), then read_some() until it gives 0.
#pragma once

#include <build/buildlet/http_url.h>
#include <build/net/client.h>
#include <io/blocking_pool.h>
#include <io/clock.h>
#include <io/tls.h>

#include <cstdint>
#include <memory>
#include <string>

namespace build::buildlet {

struct FetchOptions {
  io::Duration time = std::chrono::minutes{30};  ///< for all of it, from open() to the last byte
  io::Duration connect = std::chrono::seconds{30};
  io::Duration answer = std::chrono::seconds{60};  ///< for the head of each answer
  io::Duration stall = std::chrono::seconds{60};   ///< for the next bytes of the body
  std::uint64_t bytes = std::uint64_t{8} << 30;    ///< of the body
  int redirects = 10;
  io::TlsTrust trust;  ///< whose certificates are good
};

class Fetch {
 public:
  Fetch(io::Executor executor, io::Clock& clock, io::BlockingPool& pool, FetchOptions options);
  ~Fetch();
  Fetch(const Fetch&) = delete;
  Fetch& operator=(const Fetch&) = delete;

  /// Returns when an answer of 200 has begun. Throws HttpError 500 in the original's words: the URL cannot be taken,
  /// there is no connection, the answer is another one, a redirect is not to be followed.
  io::Task<> open(std::string url);
  /// As BodyReader::read_some(). Throws HttpError 500: the body is too long, the connection broke, the time is over.
  io::Task<std::size_t> read_some(io::asio::mutable_buffer into);
  /// Ends it: what is under way fails soon, and so do later calls.
  void cancel() noexcept;

 private:
  io::Task<io::StreamPtr> connect(const HttpUrl& url);
  io::Task<io::ResponseHead> ask(const HttpUrl& url);
  io::Task<> follow(HttpUrl url);
  void check_running() const;

  io::Executor executor_;
  io::Clock& clock_;
  io::BlockingPool& pool_;
  FetchOptions options_;
  std::string asked_;                       ///< the URL, as it was given
  AddressKind kind_ = AddressKind::inside;  ///< of the server that is connected
  std::unique_ptr<io::TlsClientContext> tls_;
  io::StreamPtr stream_;  ///< connected, and nothing asked on it yet
  std::unique_ptr<net::ClientConnection> connection_;
  std::unique_ptr<io::Deadline> deadline_;
  std::uint64_t received_ = 0;
  bool cancelled_ = false;
};

}  // namespace build::buildlet
