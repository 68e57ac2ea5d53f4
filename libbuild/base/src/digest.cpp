#include <build/base/digest.h>
#include <build/base/ids.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <climits>
#include <stdexcept>

namespace build::base {

namespace {

std::string digest_hex(std::string_view bytes, const EVP_MD* kind, const char* name) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest, &size, kind, nullptr) != 1)
    throw std::runtime_error(std::string("cannot compute a digest: OpenSSL does not offer ") + name + " here");
  return to_hex(std::as_bytes(std::span(digest, size)));
}

[[noreturn]] void sha224_failed() { throw std::runtime_error("cannot compute a digest: OpenSSL refuses SHA-224"); }

}  // namespace

struct Sha224::State {
  State() : context(EVP_MD_CTX_new()) {
    if (context == nullptr) sha224_failed();
  }
  ~State() { EVP_MD_CTX_free(context); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  EVP_MD_CTX* context;
};

Sha224::Sha224() : state_(std::make_unique<State>()) {
  if (EVP_DigestInit_ex(state_->context, EVP_sha224(), nullptr) != 1) sha224_failed();
}

Sha224::Sha224(const Sha224& other) : state_(std::make_unique<State>()) { *this = other; }

Sha224& Sha224::operator=(const Sha224& other) {
  if (this != &other && EVP_MD_CTX_copy_ex(state_->context, other.state_->context) != 1) sha224_failed();
  return *this;
}

Sha224::~Sha224() = default;

void Sha224::update(std::string_view bytes) {
  if (EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) != 1) sha224_failed();
}

std::string Sha224::hex() const {
  const Sha224 copy = *this;
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_DigestFinal_ex(copy.state_->context, digest, &size) != 1) sha224_failed();
  return to_hex(std::as_bytes(std::span(digest, size)));
}

std::string sha256_hex(std::string_view bytes) { return digest_hex(bytes, EVP_sha256(), "SHA-256"); }

std::string sha1_hex(std::string_view bytes) { return digest_hex(bytes, EVP_sha1(), "SHA-1"); }

std::string hmac_sha256_hex(std::string_view key, std::string_view bytes) {
  if (key.empty() || key.size() > INT_MAX) throw std::invalid_argument("cannot sign with a key of that length");
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(bytes.data()),
           bytes.size(), digest, &size) == nullptr)
    throw std::runtime_error("cannot sign: OpenSSL does not offer SHA-256 here");
  return to_hex(std::as_bytes(std::span(digest, size)));
}

}  // namespace build::base
