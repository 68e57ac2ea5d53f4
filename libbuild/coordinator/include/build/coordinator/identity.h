// What a coordinator is known by: its certificate and its master key, kept in the state directory.
//
//   STATE/tls/cert.pem, STATE/tls/key.pem   made on first start, unless files of one's own are configured
//   STATE/master.key                        made on first start; builder keys are derived from it
//   STATE/admin.token                       made on first start; who has it may do everything on the pages
//
// Blocks: call it from main, before anything is served.
#pragma once

#include <build/base/random.h>
#include <build/config/farm_config.h>
#include <io/clock.h>
#include <io/tls.h>

#include <filesystem>
#include <string>

namespace build::coordinator {

struct Identity {
  io::CertificatePem certificate;
  io::Fingerprint fingerprint;
  std::string master_key;
  std::filesystem::path master_key_file;
  std::string admin_token;
  std::filesystem::path admin_token_file;
};

/// Reads what is there and makes what is missing. Throws std::runtime_error, naming the file, if something is
/// there but of no use: it is never replaced.
Identity load_identity(const config::FarmConfig& config, base::RandomSource& random, const io::Clock& clock);

}  // namespace build::coordinator
