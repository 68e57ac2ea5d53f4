// Reaching a worker that listens, as one in a virtual machine does: by its address, over TLS or without.
//
// Such a worker was given a certificate and its key when it was made, and whoever made it has both: the pair is the
// secret. The worker's certificate must be for that key, whatever names and dates it has, and the password that it asks
// for follows from the key, as in the original.
#pragma once

#include <build/buildlet/client.h>
#include <io/clock.h>
#include <io/task.h>
#include <io/tcp.h>
#include <io/tls.h>

#include <optional>
#include <string>
#include <string_view>

namespace build::buildlet {

/// What goes with a key of PEM form: SHA-1 of its text, in lower-case hexadecimal.
std::string password_of(const io::CertificatePem& pair);

struct Access {
  io::HostPort address;                         ///< an empty port: 443 with a pair, else 80
  std::optional<io::CertificatePem> pair = {};  ///< TLS, if there is one
  std::string user = "gomote";
  std::string password = {};  ///< empty: the pair's, if there is one, else none is sent
};

/// Gives connections to the worker. Each has `limit` to be made in. `clock` outlives them. Throws std::invalid_argument
/// if the pair's certificate is none.
DialWorker dial_at(io::Executor executor, io::Clock& clock, const Access& access,
                   io::Duration limit = std::chrono::seconds{20});

/// As dial_at(), with the password in use and errors that name the address.
class DirectWorker : public Worker {
 public:
  DirectWorker(io::Executor executor, io::Clock& clock, const Access& access, WorkerLimits limits = {});
};

}  // namespace build::buildlet
