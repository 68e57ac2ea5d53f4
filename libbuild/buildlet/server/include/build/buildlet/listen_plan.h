// Listen mode: where a worker listens and what it asks of those who come. Pure, apart from reading the files that
// metadata names; meant for a program's start.
//
// A worker runs what it is told, so nothing is open by accident: no address, no listening; and an address without a
// password is refused unless somebody asked for just that.
#pragma once

#include <build/buildlet/worker_state.h>
#include <io/tcp.h>
#include <io/tls.h>

#include <optional>
#include <string>

namespace build::buildlet {

struct ListenFlags {
  std::string address;  ///< "HOST:PORT", ":PORT", or "AUTO" for the original's localhost:5936
  bool allow_unauthenticated = false;
};

struct ListenPlan {
  io::HostPort address;
  std::string password;                   ///< empty only if that was asked for
  std::optional<io::CertificatePem> tls;  ///< none: plain HTTP
  std::string warning;                    ///< a sentence for the log, empty if there is nothing to warn of
};

/// Throws std::invalid_argument with a sentence that says what to do: the address is none, there is no password, one
/// half of the certificate is missing. The metadata password, tls-cert and tls-key count. Throws as metadata_value().
ListenPlan plan_listening(const ListenFlags& flags, const EnvironmentLookup& environment);

/// The value of META_<key> ("-" in the key is "_"): itself, or, if it is "@FILE", what the file holds without line
/// breaks at its end. Empty if it is not set. Throws std::runtime_error naming a file that cannot be read or is larger
/// than 64 KiB.
std::string metadata_value(const std::string& key, const EnvironmentLookup& environment);

}  // namespace build::buildlet
