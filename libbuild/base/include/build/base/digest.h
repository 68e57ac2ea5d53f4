// SHA-256, for comparing secrets without keeping them and for signing what comes back to us; SHA-1 where the original
// has it.
#pragma once

#include <string>
#include <string_view>

namespace build::base {

/// 64 lower-case hexadecimal digits.
std::string sha256_hex(std::string_view bytes);
/// 40 of them.
std::string sha1_hex(std::string_view bytes);

/// HMAC-SHA256, the same form. Throws std::invalid_argument for an empty key.
std::string hmac_sha256_hex(std::string_view key, std::string_view bytes);

}  // namespace build::base
