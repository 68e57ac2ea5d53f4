// TLS 1.2 and 1.3 over any ByteStream, on OpenSSL.
//
// A stream of our own instead of asio::ssl::stream: it works over ByteStream, releases its buffers while
// idle, and starts one record per write (which the original's revdial listeners need after a 101).
//
// The streams made here own the transport below. A read and a write may overlap, as on every ByteStream, also
// when TLS itself has something to send while reading (an answer to a key update). shutdown_write() sends
// close_notify and leaves the transport open for reading. There are no sessions to resume: the server gives no
// tickets. Cancelling a write half way breaks the stream, as part of a record may have gone out.
#pragma once

#include <io/byte_stream.h>
#include <io/clock.h>

#include <boost/system/error_code.hpp>

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace io {

/// What reading, writing and handshakes throw besides the transport's own errors
/// (boost::system::system_error, whose text has OpenSSL's reason).
enum class TlsError {
  /// The transport ended without close_notify. Either somebody cut the connection, or the peer is one of those
  /// that just close; who knows the end of the data by other means may take it as the end.
  truncated = 1,
  /// The peer sent something that is not TLS, or an alert.
  protocol = 2,
};

const boost::system::error_category& tls_category() noexcept;
inline boost::system::error_code make_error_code(TlsError error) noexcept {
  return {static_cast<int>(error), tls_category()};
}

/// SHA-256 of a certificate's DER form: "sha256:" and 64 lower-case hexadecimal digits.
using Fingerprint = std::string;

struct CertificatePem {
  std::string certificate;  ///< PEM, leaf first
  std::string private_key;  ///< PEM
};

/// From two files. Throws std::runtime_error that names the one that cannot be read.
CertificatePem read_certificate(const std::filesystem::path& certificate, const std::filesystem::path& private_key);

/// A new self-signed ECDSA P-256 certificate of a server with the given DNS names and IP addresses. Whoever puts
/// it in a file of trusted certificates trusts it. `common_name` has at most 64 bytes. Throws
/// std::invalid_argument for names that do not fit into a certificate.
CertificatePem make_self_signed(const std::string& common_name, const std::vector<std::string>& alternative_names,
                                WallTime not_before, std::chrono::days validity);

/// Of the first certificate in `pem`. Throws std::invalid_argument if there is none.
Fingerprint fingerprint_of(const std::string& pem);

/// Accepts "sha256:<64 hex>" and plain 64 hex digits, also with colons between, any case; nullopt otherwise.
std::optional<Fingerprint> parse_fingerprint(std::string_view text);

/// The server's side. Offers http/1.1 by ALPN if the client asks; clients that ask nothing are fine.
class TlsServerContext {
 public:
  /// With `client_ca`, a file of trusted certificates (PEM), only clients that show a certificate of these authorities
  /// come through the handshake. Throws std::invalid_argument with OpenSSL's reason if key and certificate are
  /// unusable, or names the file that is.
  explicit TlsServerContext(const CertificatePem& identity, const std::filesystem::path& client_ca = {});
  ~TlsServerContext();

  /// Does the handshake within `limit`. Throws boost::system::system_error (timed_out when the limit is over).
  /// `transport` is closed if it fails. The context may go before the stream does.
  Task<StreamPtr> accept(StreamPtr transport, Clock& clock, Duration limit) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// How a client decides that the server is the right one.
struct TlsTrust {
  enum class Kind { system_roots, ca_file, fingerprint, same_key, anyone };
  Kind kind = Kind::system_roots;
  std::filesystem::path ca_file;  ///< PEM, for ca_file
  Fingerprint fingerprint;        ///< of the leaf; names and dates are then not checked
  std::string certificate = {};   ///< PEM, for same_key: the leaf's public key is this one's; likewise
};

/// Trust in `ca_file` if one is named, else in `fingerprint` if there is one, else in the system's roots. Throws
/// std::invalid_argument if `fingerprint` is none.
TlsTrust trust_in(const std::filesystem::path& ca_file, std::string_view fingerprint);

class TlsClientContext {
 public:
  /// Throws std::invalid_argument if the CA file cannot be read, naming it.
  explicit TlsClientContext(const TlsTrust& trust);
  ~TlsClientContext();

  /// Handshake within `limit` (timed_out when that is over); `server_name` is sent (SNI) if it is not an address, and
  /// checked against the certificate except for fingerprint, same_key and anyone. A certificate that is not accepted
  /// throws std::runtime_error with a sentence that says why and, for a self-signed one, its fingerprint. Dates are
  /// checked against `clock`'s wall time. `transport` is closed if it fails. The context may go before the
  /// stream does.
  Task<StreamPtr> connect(StreamPtr transport, std::string server_name, Clock& clock, Duration limit) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace io

template <>
struct boost::system::is_error_code_enum<io::TlsError> : std::true_type {};
