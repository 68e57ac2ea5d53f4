// GET over http and https, on a connection that is kept as long as one server is asked.
#pragma once

#include <build/net/client.h>
#include <io/clock.h>
#include <io/proxy.h>
#include <io/task.h>
#include <io/tls.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "url.h"

namespace maintner {

/// what() names the address.
class FetchError : public std::runtime_error {
 public:
  enum class Kind {
    no_network,  ///< this machine seems to have no way to others
    again,       ///< it may go better in a moment
    final,
  };
  FetchError(Kind kind, const std::string& text) : std::runtime_error(text), kind_(kind) {}
  Kind kind() const noexcept { return kind_; }

 private:
  Kind kind_;
};

class Fetcher {
 public:
  Fetcher(io::Executor executor, io::Clock& clock, const io::TlsTrust& trust, io::Environment environment);

  struct Answer {
    io::ResponseHead head;
    Url url;  ///< that answered, after redirections
    build::net::BodyReader* body = nullptr;
  };
  /// `range` is a Range field, or empty. The body must be read to its end, or close() called, before the next get().
  /// Throws FetchError.
  io::Task<Answer> get(Url url, std::string range, io::Duration head_limit);
  void close() noexcept { connection_.reset(); }

 private:
  io::Task<> connect(const Url& url);
  io::Task<io::ResponseHead> ask(const Url& url, const std::string& range, io::Duration head_limit);

  io::Executor executor_;
  io::Clock& clock_;
  io::TlsClientContext tls_;
  io::Environment environment_;
  std::unique_ptr<build::net::ClientConnection> connection_;
  std::string connected_to_;
};

/// An error while something was fetched from `url`, as a FetchError.
[[noreturn]] void rethrow_as_fetch_error(const Url& url);

}  // namespace maintner
