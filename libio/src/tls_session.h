// TLS on one transport: what tls.cpp's contexts hand their SSL object to.
#pragma once

#include "openssl.h"

#include <io/byte_stream.h>
#include <io/clock.h>

#include <optional>
#include <string>

namespace io {

/// Where the verification of a certificate leaves why it refused it. Found again as the SSL's app data.
struct Verdict {
  Fingerprint expected;  ///< of the certificate; empty: anyone's
  std::string key;       ///< the leaf's public key in DER form; empty: any. With neither, roots, name and dates count
  std::string refusal;   ///< a sentence's second half, empty if nothing was refused
};

/// Shakes hands on `transport` with `ssl` (set to its role, its app data is replaced), then gives the stream.
Task<StreamPtr> start_tls(SslPtr ssl, StreamPtr transport, std::unique_ptr<Verdict> verdict, std::string who,
                          Clock& clock, Duration limit);

}  // namespace io
