// SHA-256, for comparing secrets without keeping them and for signing what comes back to us; SHA-1 and SHA-224 where
// the original has them.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace build::base {

/// 64 lower-case hexadecimal digits.
std::string sha256_hex(std::string_view bytes);
/// 40 of them.
std::string sha1_hex(std::string_view bytes);

/// SHA-224 of bytes that come in pieces. A copy goes on by itself.
class Sha224 {
 public:
  Sha224();
  Sha224(const Sha224& other);
  Sha224& operator=(const Sha224& other);
  ~Sha224();

  void update(std::string_view bytes);
  /// Of all so far: 56 lower-case hexadecimal digits. More may follow.
  std::string hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// HMAC-SHA256, the same form. Throws std::invalid_argument for an empty key.
std::string hmac_sha256_hex(std::string_view key, std::string_view bytes);

}  // namespace build::base
