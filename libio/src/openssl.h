// OpenSSL's objects as owning pointers, and its error queue as text.
#pragma once

#include <io/tls.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>

namespace io {

template <auto Free>
struct OpensslFree {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};

using BioPtr = std::unique_ptr<BIO, OpensslFree<BIO_free_all>>;
using CertificatePtr = std::unique_ptr<X509, OpensslFree<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, OpensslFree<EVP_PKEY_free>>;
using SslPtr = std::unique_ptr<SSL, OpensslFree<SSL_free>>;
using SslContextPtr = std::unique_ptr<SSL_CTX, OpensslFree<SSL_CTX_free>>;

/// Empties the error queue; the reason of its newest entry, or `otherwise` if there is none.
std::string take_openssl_error(std::string_view otherwise);

/// A read-only view of `text`, which must outlive it.
BioPtr bio_over(std::string_view text);

/// The next certificate or key in `bio`; null at the end or if it is unusable (see take_openssl_error).
CertificatePtr next_certificate(BIO* bio);
KeyPtr next_private_key(BIO* bio);

Fingerprint fingerprint_of(const X509* certificate);

}  // namespace io
