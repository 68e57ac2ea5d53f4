// A coordinator, asked over HTTP: which builds failed, what they printed, and to clear a result.
//
// Calls block: each runs the event loop until its answer is there. Errors are std::runtime_error with a sentence.
#pragma once

#include <io/clock.h>
#include <io/event_loop.h>
#include <io/tcp.h>
#include <io/tls.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace retrybuilds {

struct FinishedBuild {
  std::int64_t id = 0;
  std::string builder, commit, repository, branch;
  std::string result;  ///< "ok", "failed", "lost", "cancelled"
};

class Service {
 public:
  /// `prefix` is "https://HOST[:PORT]" or "http://HOST[:PORT]". Throws std::invalid_argument if it is neither.
  Service(const std::string& prefix, const io::TlsTrust& trust);

  /// The newest finished builds, at most 500, newest first.
  std::vector<FinishedBuild> finished_builds();
  /// The first MiB of everything that a build printed.
  std::string log(std::int64_t build);
  /// Asks up to ten times, a second apart, while the coordinator says that it cannot write. Gives what it refused.
  std::optional<std::string> clear(const std::string& builder, const std::string& hash, const std::string& key);

 private:
  std::string ask(const std::string& method, const std::string& target, bool beginning_only = false);
  io::Task<std::string> exchange(std::string method, std::string target, bool beginning_only);

  io::EventLoop loop_;
  io::RealClock clock_;
  io::HostPort address_;
  std::string host_field_;
  std::optional<io::TlsClientContext> tls_;
};

}  // namespace retrybuilds
