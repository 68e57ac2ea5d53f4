#include <build/base/builder_key.h>
#include <build/base/file.h>
#include <build/base/ids.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <climits>
#include <stdexcept>

namespace build::base {

std::string builder_key(std::string_view master_key, std::string_view name) {
  if (master_key.empty()) throw std::invalid_argument("cannot derive a builder key: the master key is empty");
  if (master_key.size() > INT_MAX)
    throw std::invalid_argument("cannot derive a builder key: the master key is too long");
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (HMAC(EVP_md5(), master_key.data(), static_cast<int>(master_key.size()),
           reinterpret_cast<const unsigned char*>(name.data()), name.size(), digest, &size) == nullptr) {
    throw std::runtime_error("cannot derive a builder key: OpenSSL does not offer MD5 here");
  }
  return to_hex(std::as_bytes(std::span(digest, size)));
}

std::string read_master_key(const std::filesystem::path& file) {
  const std::string content = read_file(file, 64 * 1024);
  constexpr std::string_view kBlanks = " \t\r\n\v\f";
  const std::size_t first = content.find_first_not_of(kBlanks);
  if (first == std::string::npos) throw std::runtime_error("the key file " + file.string() + " is empty");
  return content.substr(first, content.find_last_not_of(kBlanks) - first + 1);
}

bool constant_time_equal(std::string_view left, std::string_view right) {
  return left.size() == right.size() && (left.empty() || CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0);
}

}  // namespace build::base
