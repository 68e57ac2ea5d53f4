#include "gzip_header.h"

#include <string_view>

namespace pargzip::tool {

namespace {

constexpr unsigned char kHeaderCrc = 2, kExtra = 4, kName = 8, kComment = 16;
constexpr std::size_t kFixed = 10;

unsigned byte_at(std::string_view bytes, std::size_t place) { return static_cast<unsigned char>(bytes[place]); }

/// Takes text that ends with NUL off the front.
std::optional<std::string_view> take_text(std::string_view& bytes) {
  const std::size_t end = bytes.find('\0');
  if (end == bytes.npos) return std::nullopt;
  const std::string_view text = bytes.substr(0, end);
  bytes.remove_prefix(end + 1);
  return text;
}

}  // namespace

bool is_gzip(std::span<const char> beginning) {
  return beginning.size() >= 2 && beginning[0] == '\x1f' && beginning[1] == '\x8b';
}

std::optional<GzipHeader> read_header(std::span<const char> beginning) {
  std::string_view bytes(beginning.data(), beginning.size());
  if (!is_gzip(beginning) || bytes.size() < kFixed) return std::nullopt;
  GzipHeader header;
  const unsigned flags = byte_at(bytes, 3);
  for (std::size_t i = 4; i-- > 0;) header.time = header.time << 8 | byte_at(bytes, 4 + i);
  bytes.remove_prefix(kFixed);
  if ((flags & kExtra) != 0) {
    if (bytes.size() < 2) return std::nullopt;
    const std::size_t length = 2 + byte_at(bytes, 0) + (byte_at(bytes, 1) << 8);
    if (bytes.size() < length) return std::nullopt;
    bytes.remove_prefix(length);
  }
  if ((flags & kName) != 0) {
    const auto name = take_text(bytes);
    if (!name) return std::nullopt;
    header.name = name->substr(name->rfind('/') + 1);
    if (header.name == "." || header.name == "..") header.name.clear();
  }
  if ((flags & kComment) != 0 && !take_text(bytes)) return std::nullopt;
  if ((flags & kHeaderCrc) != 0) {
    if (bytes.size() < 2) return std::nullopt;
    bytes.remove_prefix(2);
  }
  header.length = beginning.size() - bytes.size();
  return header;
}

std::string naming_member(const std::string& name, std::uint32_t time) {
  constexpr char kUnix = 3;
  std::string member = {'\x1f', '\x8b', 8, static_cast<char>(kName)};
  for (unsigned shift = 0; shift < 32; shift += 8) member += static_cast<char>(time >> shift & 0xff);
  member += {0, kUnix};
  member += name;
  // The name's end, an empty block that is the last, and for its content a CRC-32 and a length of 0.
  member += std::string({0, 3, 0}) + std::string(8, '\0');
  return member;
}

}  // namespace pargzip::tool
