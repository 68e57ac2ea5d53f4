#include <build/net/basic_auth.h>

#include <cstdint>
#include <vector>

namespace build::net {

namespace {

// 0 to 63, -1 for what is no digit of base64.
int digit_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

}  // namespace

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  const std::size_t end = text.find_last_not_of('=') + 1;
  if (text.size() - end > 2) return std::nullopt;
  std::string bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text.substr(0, end)) {
    const int value = digit_value(c);
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 0xff);
  }
  return bytes;
}

std::optional<BasicCredentials> parse_basic_credentials(std::string_view authorization) {
  constexpr std::string_view kScheme = "Basic ";
  if (!io::iequals(authorization.substr(0, kScheme.size()), kScheme)) return std::nullopt;
  const auto plain = decode_base64(authorization.substr(kScheme.size()));
  if (!plain) return std::nullopt;
  const std::size_t colon = plain->find(':');
  if (colon == std::string::npos) return std::nullopt;
  return BasicCredentials{plain->substr(0, colon), plain->substr(colon + 1)};
}

std::optional<BasicCredentials> basic_credentials(const io::Fields& fields) {
  const std::vector<std::string> values = fields.values("Authorization");
  if (values.size() != 1) return std::nullopt;
  return parse_basic_credentials(values.front());
}

}  // namespace build::net
