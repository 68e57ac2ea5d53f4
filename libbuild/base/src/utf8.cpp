#include <build/base/utf8.h>

namespace build::base {

Character first_character(std::string_view bytes) noexcept {
  const auto byte = [bytes](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {.code = first, .size = 1, .valid = true};
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || bytes.size() < size) return {};
  char32_t code = first & (0xffU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = (code << 6) | (byte(i) & 0x3fU);
  }
  const bool overlong = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
  if (overlong || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return {};
  return {.code = code, .size = size, .valid = true};
}

std::string valid_utf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const Character c = first_character(bytes);
    out += c.valid ? bytes.substr(0, c.size) : "\xEF\xBF\xBD";
    bytes.remove_prefix(c.size);
  }
  return out;
}

std::string terminal_text(std::string_view bytes, std::size_t most, std::size_t least) {
  std::string out;
  std::size_t count = 0;
  for (; count < most && !bytes.empty(); ++count) {
    const Character c = first_character(bytes);
    const bool steers = c.code < 0x20 || (c.code >= 0x7f && c.code < 0xa0);
    out += c.valid && !steers ? bytes.substr(0, c.size) : "?";
    bytes.remove_prefix(c.size);
  }
  return count < least ? out.append(least - count, ' ') : out;
}

}  // namespace build::base
