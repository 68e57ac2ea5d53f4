#include "openssl.h"
#include "tls_session.h"

#include <boost/asio/ip/address.hpp>

#include <openssl/err.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <system_error>

namespace io {
namespace {

SslContextPtr new_context(const SSL_METHOD* method) {
  SslContextPtr context(SSL_CTX_new(method));
  if (!context) throw std::runtime_error("set up TLS: " + take_openssl_error("out of memory"));
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  return context;
}

SslPtr new_session(SSL_CTX* context) {
  SslPtr ssl(SSL_new(context));
  if (!ssl) throw std::runtime_error("set up TLS: " + take_openssl_error("out of memory"));
  return ssl;
}

// Those who offer only what we do not speak are not turned away: they may well go on without.
int select_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                    unsigned int offered_size, void*) {
  static constexpr unsigned char kHttp1[] = "\x08http/1.1";
  unsigned char* selected = nullptr;
  const int result = SSL_select_next_proto(&selected, out_size, kHttp1, sizeof kHttp1 - 1, offered, offered_size);
  if (result != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_NOACK;
  *out = selected;
  return SSL_TLSEXT_ERR_OK;
}

bool is_address(const std::string& name) {
  boost::system::error_code error;
  boost::asio::ip::make_address(name, error);
  return !error;
}

/// SubjectPublicKeyInfo in DER form; empty if it is unusable.
std::string public_key_of(const X509* certificate) {
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  if (size <= 0) return {};
  std::string key(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return key;
}

// Called by OpenSSL in place of its own verification.
int verify_certificate(X509_STORE_CTX* store, void*) noexcept {
  const auto* ssl = static_cast<const SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  Verdict& verdict = *static_cast<Verdict*>(SSL_get_app_data(ssl));
  X509* leaf = X509_STORE_CTX_get0_cert(store);
  if (!verdict.expected.empty()) {
    const Fingerprint got = fingerprint_of(leaf);
    if (got == verdict.expected) return 1;
    verdict.refusal = "its fingerprint is " + got + ", expected is " + verdict.expected;
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
    return 0;
  }
  if (!verdict.key.empty()) {
    if (public_key_of(leaf) == verdict.key) return 1;
    verdict.refusal = "it is for another key than the one expected";
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
    return 0;
  }
  if (X509_verify_cert(store) == 1) return 1;
  verdict.refusal = X509_verify_cert_error_string(X509_STORE_CTX_get_error(store));
  if (X509_self_signed(leaf, 0) == 1)
    verdict.refusal += "; it is self-signed, its fingerprint is " + fingerprint_of(leaf);
  return 0;
}

int accept_any_certificate(X509_STORE_CTX*, void*) noexcept { return 1; }

void trust_file(SSL_CTX* context, const std::filesystem::path& path) {
  const auto refuse = [&](const std::string& why) {
    throw std::invalid_argument("read the trusted certificates in " + path.string() + ": " + why);
  };
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  const std::string pem{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file) refuse(std::generic_category().message(errno != 0 ? errno : EIO));
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  const BioPtr bio = bio_over(pem);
  std::size_t count = 0;
  while (const CertificatePtr certificate = next_certificate(bio.get())) {
    if (X509_STORE_add_cert(store, certificate.get()) != 1) refuse(take_openssl_error("unusable certificate"));
    ++count;
  }
  ERR_clear_error();  // the end of the file counts as an error there
  if (count == 0) refuse("there is no certificate in it");
  // A server's own certificate may be in the file, not only the authority that signed it.
  X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
}

}  // namespace

// ---- server ----

struct TlsServerContext::Impl {
  SslContextPtr context = new_context(TLS_server_method());
};

TlsServerContext::TlsServerContext(const CertificatePem& identity, const std::filesystem::path& client_ca)
    : impl_(std::make_unique<Impl>()) {
  SSL_CTX* context = impl_->context.get();
  const auto check = [](bool good, const char* what) {
    if (!good) throw std::invalid_argument(std::string(what) + ": " + take_openssl_error("not in PEM form"));
  };
  const BioPtr certificates = bio_over(identity.certificate);
  CertificatePtr certificate = next_certificate(certificates.get());
  check(certificate && SSL_CTX_use_certificate(context, certificate.get()) == 1, "unusable TLS certificate");
  while ((certificate = next_certificate(certificates.get()))) {
    check(SSL_CTX_add1_chain_cert(context, certificate.get()) == 1, "unusable TLS certificate chain");
  }
  ERR_clear_error();  // the end of the text counts as an error there
  const BioPtr key_text = bio_over(identity.private_key);
  const KeyPtr key = next_private_key(key_text.get());
  check(key && SSL_CTX_use_PrivateKey(context, key.get()) == 1, "unusable TLS private key");
  check(SSL_CTX_check_private_key(context) == 1, "the TLS private key does not belong to the certificate");
  // Unread tickets would turn a client's close into a reset, and nobody reconnects often enough to gain.
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_alpn_select_cb(context, select_protocol, nullptr);
  if (client_ca.empty()) return;
  trust_file(context, client_ca);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
}

TlsServerContext::~TlsServerContext() = default;

Task<StreamPtr> TlsServerContext::accept(StreamPtr transport, Clock& clock, Duration limit) const {
  SslPtr ssl = new_session(impl_->context.get());
  SSL_set_accept_state(ssl.get());
  std::string who = transport->peer();
  return start_tls(std::move(ssl), std::move(transport), std::make_unique<Verdict>(), std::move(who), clock, limit);
}

// ---- client ----

struct TlsClientContext::Impl {
  bool checks_name() const { return kind == TlsTrust::Kind::system_roots || kind == TlsTrust::Kind::ca_file; }

  SslContextPtr context = new_context(TLS_client_method());
  TlsTrust::Kind kind;
  Fingerprint fingerprint;
  std::string key;
};

TlsClientContext::TlsClientContext(const TlsTrust& trust) : impl_(std::make_unique<Impl>()) {
  SSL_CTX* context = impl_->context.get();
  impl_->kind = trust.kind;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(context, verify_certificate, nullptr);
  switch (trust.kind) {
    case TlsTrust::Kind::system_roots:
      if (SSL_CTX_set_default_verify_paths(context) != 1) {
        throw std::invalid_argument("read the system's trusted certificates: " + take_openssl_error("failed"));
      }
      break;
    case TlsTrust::Kind::ca_file:
      trust_file(context, trust.ca_file);
      break;
    case TlsTrust::Kind::fingerprint: {
      const auto fingerprint = parse_fingerprint(trust.fingerprint);
      if (!fingerprint) throw std::invalid_argument("\"" + trust.fingerprint + "\" is not a SHA-256 fingerprint");
      impl_->fingerprint = *fingerprint;
      break;
    }
    case TlsTrust::Kind::same_key: {
      const BioPtr bio = bio_over(trust.certificate);
      const CertificatePtr certificate = next_certificate(bio.get());
      if (certificate) impl_->key = public_key_of(certificate.get());
      if (impl_->key.empty()) throw std::invalid_argument("the certificate to trust is unusable");
      break;
    }
    case TlsTrust::Kind::anyone:
      SSL_CTX_set_cert_verify_callback(context, accept_any_certificate, nullptr);
      break;
  }
}

TlsClientContext::~TlsClientContext() = default;

Task<StreamPtr> TlsClientContext::connect(StreamPtr transport, std::string server_name, Clock& clock,
                                          Duration limit) const {
  SslPtr ssl = new_session(impl_->context.get());
  SSL_set_connect_state(ssl.get());
  const bool address = is_address(server_name);
  X509_VERIFY_PARAM* rules = SSL_get0_param(ssl.get());
  X509_VERIFY_PARAM_set_time(
      rules,
      static_cast<time_t>(std::chrono::floor<std::chrono::seconds>(clock.wall_now()).time_since_epoch().count()));
  if (impl_->checks_name()) {
    // An empty name would switch the check off.
    X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    const bool good = !server_name.empty() &&
                      (address ? X509_VERIFY_PARAM_set1_ip_asc(rules, server_name.c_str())
                               : X509_VERIFY_PARAM_set1_host(rules, server_name.data(), server_name.size())) == 1;
    if (!good) throw std::invalid_argument("\"" + server_name + "\" is not a server's name");
  }
  if (!address && !server_name.empty() && SSL_set_tlsext_host_name(ssl.get(), server_name.c_str()) != 1) {
    throw std::invalid_argument("\"" + server_name + "\" is not a server's name: " + take_openssl_error("too long"));
  }
  auto verdict = std::make_unique<Verdict>();
  verdict->expected = impl_->fingerprint;
  verdict->key = impl_->key;
  std::string who = server_name.empty() ? transport->peer() : server_name + " (" + transport->peer() + ")";
  return start_tls(std::move(ssl), std::move(transport), std::move(verdict), std::move(who), clock, limit);
}

}  // namespace io
