// Listen mode: where a worker listens and what it asks of those who come. Pure, apart from reading the files that
// metadata names; meant for a program's start.
//
// A worker runs what it is told, so nothing is open by accident: no address, no listening; and an address where neither
// a password nor a certificate is asked for is refused unless somebody asked for just that.
#pragma once

#include <build/buildlet/cloud_metadata.h>
#include <build/buildlet/worker_state.h>
#include <io/tcp.h>
#include <io/tls.h>

#include <filesystem>
#include <optional>
#include <string>

namespace build::buildlet {

struct ListenFlags {
  /// "HOST:PORT", ":PORT" for every address of the machine, or "AUTO": the original's localhost:5936; on a machine of
  /// Google's or Amazon's cloud every address with port 443, or 80 where there is no certificate.
  std::string address;
  std::filesystem::path client_ca;  ///< only clients with a certificate of these authorities are served
  bool insecure = false;            ///< whoever reaches the address is served
};

struct ListenPlan {
  io::HostPort address;
  std::string password;                   ///< empty: none is asked for
  std::optional<io::CertificatePem> tls;  ///< none: plain HTTP
  std::filesystem::path client_ca;        ///< for the TLS handshake; empty: no certificate is asked for
  std::string warning;                    ///< a sentence for the log, empty if there is nothing to warn of
};

/// Throws std::invalid_argument with a sentence that says what to do: the address is none, there is neither password
/// nor client_ca, one half of the certificate is missing. The metadata password, tls-cert and tls-key count, each from
/// META_<key> or, if that is not set, from `cloud`. Throws as metadata_value().
ListenPlan plan_listening(const ListenFlags& flags, const EnvironmentLookup& environment,
                          const CloudMetadata& cloud = {});

/// The value of META_<key> ("-" in the key is "_"): itself, or, if it is "@FILE", what the file holds without line
/// breaks at its end. Empty if it is not set. Throws std::runtime_error naming a file that cannot be read or is larger
/// than 64 KiB.
std::string metadata_value(const std::string& key, const EnvironmentLookup& environment);

}  // namespace build::buildlet
