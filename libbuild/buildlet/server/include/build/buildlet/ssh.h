// POST /connect-ssh: a person's way into a worker.
//
// Each connection gets an sshd of its own (sshd -i), which talks over two pipes and listens nowhere. It reads one
// configuration, one host key and one authorized key, all of the worker's own: neither the machine's sshd nor anybody's
// ~/.ssh has a part in it, and what was allowed ends with the connection.
//
// Ownership: executor, clock, pool and log outlive the door. Lives on one executor.
#pragma once

#include <build/base/log.h>
#include <build/base/subprocess.h>
#include <io/blocking_pool.h>
#include <io/byte_stream.h>
#include <io/clock.h>
#include <io/event.h>
#include <io/http1.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <string_view>

namespace build::buildlet {

struct SshOptions {
  std::filesystem::path directory;  ///< private, the worker's own; made if missing. Empty: /connect-ssh is refused
  std::filesystem::path sshd = "/usr/sbin/sshd";
  std::filesystem::path keygen = "/usr/bin/ssh-keygen";
  /// Where sshd locks up who has not logged in yet, when root runs it; made if missing.
  std::filesystem::path privilege_directory = "/run/sshd";
  /// Its threads may write to `directory`. nullptr: the server's own pool does.
  io::BlockingPool* pool = nullptr;
  /// The one who may log in. Empty: whom the worker runs as, or, if that is root, anybody who is asked for.
  std::string user;
};

/// Who wants in.
struct SshRequest {
  std::string user;
  std::string authorized_key;  ///< "ssh-ed25519 AAAA... comment"
};

/// From X-Go-Ssh-User and X-Go-Authorized-Key. Throws io::HttpError: 502 if there are none, since then nobody could log
/// in; 400, in the original's words, for a name that is none, for more than one key, and for a key of an unknown kind
/// or with options before it.
SshRequest parse_ssh_request(const io::Fields& fields);

/// sshd's configuration for one connection. `keys` holds the one key; `environment` has "NAME=value", and entries that
/// sshd could not be told are left out. Throws std::invalid_argument for a path with a quotation mark or a line break.
enum class KeysReadBy { user, command };
std::string sshd_configuration(const std::string& user, const std::filesystem::path& keys, KeysReadBy read_by,
                               const base::Environment& environment);

class SshDoor {
 public:
  SshDoor(io::Executor executor, io::Clock& clock, io::BlockingPool& pool, base::Logger& log, SshOptions options);
  ~SshDoor();
  SshDoor(const SshDoor&) = delete;
  SshDoor& operator=(const SshDoor&) = delete;

  class Visit;

  static constexpr int kMaxVisits = 32;

  /// Starts an sshd for `request`, whose sessions get `environment`. Throws io::HttpError: 400 if its user may not log
  /// in here, 502 if there is no sshd or it does not start, 503 if kMaxVisits are there already.
  io::Task<std::shared_ptr<Visit>> open(SshRequest request, base::Environment environment);
  /// Carries bytes between the client and the sshd until either ends, then ends both.
  io::Task<> serve(std::shared_ptr<Visit> visit, io::StreamPtr client);
  /// Ends all visits: serve() returns soon, also for those that come.
  void stop() noexcept;

 private:
  io::Task<> make_host_key(std::uint64_t number);

  io::Executor executor_;
  io::Clock& clock_;
  io::BlockingPool& pool_;
  base::Logger& log_;
  SshOptions options_;
  std::set<Visit*> visits_;
  std::uint64_t opened_ = 0;
  std::shared_ptr<int> present_ = std::make_shared<int>(0);  ///< visits that there are, served yet or not
  bool stopped_ = false;
};

}  // namespace build::buildlet
