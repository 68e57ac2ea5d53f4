#include "openssl.h"

#include <boost/asio/ip/address.hpp>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include <array>
#include <cctype>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace io {

std::string take_openssl_error(std::string_view otherwise) {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  if (code == 0) return std::string(otherwise);
  if (ERR_SYSTEM_ERROR(code)) return std::generic_category().message(ERR_GET_REASON(code));
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : std::string(otherwise);
}

BioPtr bio_over(std::string_view text) {
  BioPtr bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  if (!bio) throw std::bad_alloc();
  return bio;
}

namespace {

// OpenSSL's own would ask on the terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

void check(bool good, const char* what) {
  if (!good) throw std::runtime_error(std::string("make a certificate: ") + what + ": " + take_openssl_error("failed"));
}

struct FreeNames {
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};

GENERAL_NAME* general_name(const std::string& name) {
  boost::system::error_code not_an_address;
  const auto address = boost::asio::ip::make_address(name, not_an_address);
  GENERAL_NAME* result = GENERAL_NAME_new();
  check(result != nullptr, "a name");
  if (not_an_address) {
    ASN1_IA5STRING* text = ASN1_IA5STRING_new();
    check(text != nullptr && ASN1_STRING_set(text, name.data(), static_cast<int>(name.size())) == 1, "a name");
    GENERAL_NAME_set0_value(result, GEN_DNS, text);
    return result;
  }
  ASN1_OCTET_STRING* bytes = ASN1_OCTET_STRING_new();
  check(bytes != nullptr, "a name");
  if (address.is_v4()) {
    const auto raw = address.to_v4().to_bytes();
    check(ASN1_OCTET_STRING_set(bytes, raw.data(), static_cast<int>(raw.size())) == 1, "a name");
  } else {
    const auto raw = address.to_v6().to_bytes();
    check(ASN1_OCTET_STRING_set(bytes, raw.data(), static_cast<int>(raw.size())) == 1, "a name");
  }
  GENERAL_NAME_set0_value(result, GEN_IPADD, bytes);
  return result;
}

void add_alternative_names(X509* certificate, const std::vector<std::string>& names) {
  if (names.empty()) return;
  const std::unique_ptr<GENERAL_NAMES, FreeNames> list(GENERAL_NAMES_new());
  check(list != nullptr, "the list of names");
  for (const std::string& name : names) {
    for (const char c : name) {
      if (c <= ' ' || c > '~') throw std::invalid_argument("\"" + name + "\" is not a name for a certificate");
    }
    if (name.empty()) throw std::invalid_argument("a certificate cannot have an empty name");
    check(sk_GENERAL_NAME_push(list.get(), general_name(name)) > 0, "the list of names");
  }
  check(X509_add1_ext_i2d(certificate, NID_subject_alt_name, list.get(), 0, 0) == 1, "the list of names");
}

void add_extension(X509* certificate, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, OpensslFree<X509_EXTENSION_free>> extension(
      X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  check(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1, value);
}

void set_serial(X509* certificate) {
  std::array<unsigned char, 16> bytes{};
  check(RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1, "the serial number");
  bytes[0] = static_cast<unsigned char>((bytes[0] & 0x3f) | 0x40);  // positive, and always of the same length
  const std::unique_ptr<BIGNUM, OpensslFree<BN_free>> number(
      BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
  check(number != nullptr && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr,
        "the serial number");
}

void set_times(X509* certificate, WallTime not_before, std::chrono::days validity) {
  const auto seconds = [](WallTime time) {
    return static_cast<time_t>(std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count());
  };
  check(ASN1_TIME_set(X509_getm_notBefore(certificate), seconds(not_before)) != nullptr &&
            ASN1_TIME_set(X509_getm_notAfter(certificate), seconds(not_before + validity)) != nullptr,
        "the dates");
}

std::string text_in(const BioPtr& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

BioPtr empty_bio() {
  BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio) throw std::bad_alloc();
  return bio;
}

}  // namespace

CertificatePtr next_certificate(BIO* bio) {
  return CertificatePtr(PEM_read_bio_X509(bio, nullptr, no_passphrase, nullptr));
}

KeyPtr next_private_key(BIO* bio) { return KeyPtr(PEM_read_bio_PrivateKey(bio, nullptr, no_passphrase, nullptr)); }

CertificatePem read_certificate(const std::filesystem::path& certificate, const std::filesystem::path& private_key) {
  const auto read = [](const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::string pem{std::istreambuf_iterator<char>(file), {}};
    if (!file.is_open() || file.bad()) throw std::runtime_error("cannot read " + path.string());
    return pem;
  };
  return {read(certificate), read(private_key)};
}

CertificatePem make_self_signed(const std::string& common_name, const std::vector<std::string>& alternative_names,
                                WallTime not_before, std::chrono::days validity) {
  if (common_name.empty() || common_name.size() > 64) {
    throw std::invalid_argument("a certificate's name has 1 to 64 bytes: \"" + common_name + "\"");
  }
  const KeyPtr key(EVP_EC_gen("P-256"));
  check(key != nullptr, "the key");
  const CertificatePtr certificate(X509_new());
  check(certificate != nullptr && X509_set_version(certificate.get(), X509_VERSION_3) == 1, "the version");
  set_serial(certificate.get());
  set_times(certificate.get(), not_before, validity);

  X509_NAME* subject = X509_get_subject_name(certificate.get());
  const auto* name = reinterpret_cast<const unsigned char*>(common_name.data());
  const int name_size = static_cast<int>(common_name.size());
  check(X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, name, name_size, -1, 0) == 1 &&
            X509_set_issuer_name(certificate.get(), subject) == 1,
        "the subject");
  check(X509_set_pubkey(certificate.get(), key.get()) == 1, "the public key");

  add_extension(certificate.get(), NID_basic_constraints, "critical,CA:FALSE");
  add_extension(certificate.get(), NID_key_usage, "critical,digitalSignature");
  add_extension(certificate.get(), NID_ext_key_usage, "serverAuth");
  add_extension(certificate.get(), NID_subject_key_identifier, "hash");
  add_alternative_names(certificate.get(), alternative_names);
  check(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0, "the signature");

  const BioPtr certificate_text = empty_bio();
  const BioPtr key_text = empty_bio();
  check(PEM_write_bio_X509(certificate_text.get(), certificate.get()) == 1, "its text");
  check(PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1,
        "the key's text");
  return {text_in(certificate_text), text_in(key_text)};
}

Fingerprint fingerprint_of(const X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1) {
    throw std::runtime_error("take a certificate's fingerprint: " + take_openssl_error("failed"));
  }
  static constexpr char kDigits[] = "0123456789abcdef";
  Fingerprint result = "sha256:";
  for (unsigned int i = 0; i < size; ++i) {
    result += kDigits[digest[i] >> 4];
    result += kDigits[digest[i] & 15];
  }
  return result;
}

Fingerprint fingerprint_of(const std::string& pem) {
  const BioPtr bio = bio_over(pem);
  const CertificatePtr certificate = next_certificate(bio.get());
  if (!certificate) {
    throw std::invalid_argument("there is no certificate in the text: " + take_openssl_error("it is empty"));
  }
  return fingerprint_of(certificate.get());
}

std::optional<Fingerprint> parse_fingerprint(std::string_view text) {
  const auto lower = [](char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c); };
  static constexpr std::string_view kPrefix = "sha256:";
  const bool prefixed =
      text.size() >= kPrefix.size() && std::equal(kPrefix.begin(), kPrefix.end(), text.begin(),
                                                  [&](char expected, char c) { return lower(c) == expected; });
  if (prefixed) text.remove_prefix(kPrefix.size());
  const bool colons = text.size() == 64 + 31;
  if (!colons && text.size() != 64) return std::nullopt;
  Fingerprint result(kPrefix);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (colons && i % 3 == 2) {
      if (text[i] != ':') return std::nullopt;
    } else if (std::isxdigit(static_cast<unsigned char>(text[i])) != 0) {
      result += lower(text[i]);
    } else {
      return std::nullopt;
    }
  }
  return result;
}

TlsTrust trust_in(const std::filesystem::path& ca_file, std::string_view fingerprint) {
  if (!ca_file.empty()) return {.kind = TlsTrust::Kind::ca_file, .ca_file = ca_file, .fingerprint = {}};
  if (fingerprint.empty()) return {};
  const std::optional<Fingerprint> parsed = parse_fingerprint(fingerprint);
  if (!parsed)
    throw std::invalid_argument(std::string(fingerprint) + " is no fingerprint: \"sha256:\" and 64 hex digits");
  return {.kind = TlsTrust::Kind::fingerprint, .ca_file = {}, .fingerprint = *parsed};
}

}  // namespace io
