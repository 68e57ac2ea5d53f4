#include "member.h"

#include <algorithm>
#include <cstring>

namespace pargzip {
namespace {

constexpr std::size_t kFixedHeader = 10;
constexpr unsigned kHeaderCrc = 2, kExtra = 4, kName = 8, kComment = 16, kReserved = 0xe0;
// The extra field of docs/pargzip-format.md.
constexpr char kSizeId[2] = {'X', 'B'};
constexpr std::size_t kSizeField = 4 + 4;
constexpr std::size_t kMaxStored = 65535;

std::uint32_t read_little_endian(const char* bytes, std::size_t count) {
  std::uint32_t value = 0;
  while (count-- > 0) value = value << 8 | static_cast<unsigned char>(bytes[count]);
  return value;
}

char* put_little_endian(char* out, std::uint32_t value, std::size_t count) {
  for (; count > 0; --count, value >>= 8) *out++ = static_cast<char>(value & 0xff);
  return out;
}

/// What the extra field says on the member's size; 0 if nothing. Fields that are no chain of subfields are let pass.
std::uint64_t find_member_size(std::span<const char> extra) {
  while (extra.size() >= 4) {
    const std::size_t length = read_little_endian(extra.data() + 2, 2);
    if (length > extra.size() - 4) break;
    const char* const content = extra.data() + 4;
    if (std::equal(kSizeId, kSizeId + 2, extra.data()) && length == 4) return read_little_endian(content, 4);
    if (extra[0] == 'B' && extra[1] == 'C' && length == 2) return std::uint64_t{read_little_endian(content, 2)} + 1;
    extra = extra.subspan(4 + length);
  }
  return 0;
}

std::size_t stored_size(std::size_t size) {
  const std::size_t blocks = size == 0 ? 1 : (size + kMaxStored - 1) / kMaxStored;
  return size + 5 * blocks;
}

char* put_stored(std::span<const char> input, char* out) {
  do {
    const std::size_t size = std::min(input.size(), kMaxStored);
    *out++ = size == input.size() ? '\1' : '\0';
    out = put_little_endian(out, static_cast<std::uint32_t>(size), 2);
    out = put_little_endian(out, static_cast<std::uint32_t>(~size), 2);
    if (size > 0) std::memcpy(out, input.data(), size);
    out += size;
    input = input.subspan(size);
  } while (!input.empty());
  return out;
}

Header damaged(std::string_view complaint) { return {.state = Header::State::damaged, .complaint = complaint}; }

}  // namespace

Header parse_header(std::span<const char> bytes) {
  constexpr char kMagic[2] = {'\x1f', '\x8b'};
  Header header;
  if (!std::equal(bytes.begin(), bytes.begin() + std::min<std::ptrdiff_t>(bytes.size(), 2), kMagic)) {
    header.state = Header::State::no_magic;
    return header;
  }
  if (bytes.size() >= 3 && bytes[2] != 8) return damaged("unknown compression method");
  const unsigned flags = bytes.size() >= 4 ? static_cast<unsigned char>(bytes[3]) : 0;
  if ((flags & kReserved) != 0) return damaged("reserved flags are set");
  if (bytes.size() < kFixedHeader) return header;
  std::size_t at = kFixedHeader;
  if ((flags & kExtra) != 0) {
    if (bytes.size() < at + 2) return header;
    const std::size_t length = read_little_endian(bytes.data() + at, 2);
    at += 2;
    if (bytes.size() < at + length) return header;
    header.member_size = find_member_size(bytes.subspan(at, length));
    at += length;
  }
  for (const unsigned flag : {kName, kComment}) {
    if ((flags & flag) == 0) continue;
    const auto* const end = at < bytes.size() ? std::memchr(bytes.data() + at, '\0', bytes.size() - at) : nullptr;
    if (end == nullptr) return bytes.size() > kMaxHeader ? damaged("the header is longer than 1 MiB") : header;
    at = static_cast<std::size_t>(static_cast<const char*>(end) - bytes.data()) + 1;
  }
  if ((flags & kHeaderCrc) != 0) {
    if (bytes.size() < at + 2) return header;
    if (read_little_endian(bytes.data() + at, 2) != (engine::crc32(0, bytes.first(at)) & 0xffff)) {
      return damaged("the header's checksum is wrong");
    }
    at += 2;
  }
  if (at > kMaxHeader) return damaged("the header is longer than 1 MiB");
  header.state = Header::State::complete;
  header.size = at;
  return header;
}

Trailer parse_trailer(std::span<const char> bytes) {
  return {.crc = read_little_endian(bytes.data(), 4), .length = read_little_endian(bytes.data() + 4, 4)};
}

MemberMaker::MemberMaker(int level, bool sized)
    : sized_(sized), compressor_(level == 0 ? nullptr : engine::make_compressor(level)) {}

std::size_t MemberMaker::put_header(char* out) const {
  std::memset(out, 0, kFixedHeader);
  out[0] = '\x1f';
  out[1] = '\x8b';
  out[2] = 8;
  out[9] = '\xff';
  if (!sized_) return kFixedHeader;
  out[3] = kExtra;
  char* at = put_little_endian(out + kFixedHeader, kSizeField, 2);
  *at++ = kSizeId[0];
  *at++ = kSizeId[1];
  put_little_endian(at, 4, 2);
  return kFixedHeader + 2 + kSizeField;
}

std::span<const char> MemberMaker::make(std::span<const char> input, std::uint64_t number, Buffer& output) {
  const std::size_t stored = stored_size(input.size());
  output.reserve(kFixedHeader + 2 + kSizeField + stored + kTrailerSize);
  char* const begin = output.data();
  const std::size_t header = put_header(begin);
  const std::size_t compressed = compressor_ ? compressor_->compress(input, {begin + header, stored}, number) : 0;
  char* at = compressed > 0 ? begin + header + compressed : put_stored(input, begin + header);
  at = put_little_endian(at, engine::crc32(0, input), 4);
  at = put_little_endian(at, static_cast<std::uint32_t>(input.size()), 4);
  const std::size_t size = static_cast<std::size_t>(at - begin);
  if (sized_) put_little_endian(begin + header - 4, static_cast<std::uint32_t>(size), 4);
  return {begin, size};
}

}  // namespace pargzip
