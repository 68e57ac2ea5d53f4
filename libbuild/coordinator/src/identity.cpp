#include <build/base/builder_key.h>
#include <build/base/file.h>
#include <build/base/ids.h>
#include <build/coordinator/identity.h>

#include <stdexcept>

namespace build::coordinator {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxPem = 1024 * 1024;
constexpr std::chrono::days kCertificateValidity{3650};

io::CertificatePem load_certificate(const config::FarmConfig& config, const io::Clock& clock) {
  if (!config.tls_certificate.empty())
    return {base::read_file(config.tls_certificate, kMaxPem), base::read_file(config.tls_key, kMaxPem)};
  const fs::path directory = config.state_dir / "tls";
  const fs::path certificate = directory / "cert.pem", key = directory / "key.pem";
  if (!fs::exists(certificate) || !fs::exists(key)) {
    base::ensure_private_directory(directory);
    std::vector<std::string> names = config.tls_names;
    if (names.empty()) names = {"localhost", "127.0.0.1", "::1"};
    const auto made =
        io::make_self_signed(names.front(), names, clock.wall_now() - std::chrono::hours{1}, kCertificateValidity);
    base::write_file_atomically(key, made.private_key, 0600);
    base::write_file_atomically(certificate, made.certificate, 0644);
  }
  return {base::read_file(certificate, kMaxPem), base::read_file(key, kMaxPem)};
}

/// The secret in `file`; a new one if there is no such file and it is `ours`.
std::string load_secret(const fs::path& file, bool ours, base::RandomSource& random) {
  if (ours && !fs::exists(file)) base::write_file_atomically(file, base::random_id(random, 32) + "\n", 0600);
  return base::read_master_key(file);
}

}  // namespace

Identity load_identity(const config::FarmConfig& config, base::RandomSource& random, const io::Clock& clock) {
  Identity identity;
  identity.certificate = load_certificate(config, clock);
  identity.fingerprint = io::fingerprint_of(identity.certificate.certificate);
  identity.master_key_file = config.master_key_file.empty() ? config.state_dir / "master.key" : config.master_key_file;
  identity.master_key = load_secret(identity.master_key_file, config.master_key_file.empty(), random);
  identity.admin_token_file = config.state_dir / "admin.token";
  identity.admin_token = load_secret(identity.admin_token_file, true, random);
  return identity;
}

}  // namespace build::coordinator
