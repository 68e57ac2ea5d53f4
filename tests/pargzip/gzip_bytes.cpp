#include "gzip_bytes.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <stdexcept>

namespace testing {
namespace {

Bytef* octets(std::string_view bytes) { return reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data())); }

constexpr unsigned kExtra = 4;

}  // namespace

std::string text(std::size_t size) {
  std::string lines;
  for (std::uint64_t i = 0; lines.size() < size; ++i) {
    lines += "line " + std::to_string(i) + ": the quick brown fox jumps over the lazy dog " +
             std::to_string(i * i % 9973) + " times\n";
  }
  lines.resize(size);
  return lines;
}

std::string noise(std::size_t size, std::uint64_t seed) {
  std::string bytes;
  while (bytes.size() < size) {
    std::uint64_t z = seed += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    bytes += little_endian(z ^ z >> 31, 8);
  }
  bytes.resize(size);
  return bytes;
}

std::string deflated(std::string_view content, int level) {
  z_stream state{};
  REQUIRE(deflateInit2(&state, level, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&state, content.size()) + 16, '\0');
  state.next_in = octets(content);
  state.avail_in = static_cast<uInt>(content.size());
  state.next_out = octets(out);
  state.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&state, Z_FINISH) == Z_STREAM_END);
  out.resize(state.total_out);
  deflateEnd(&state);
  return out;
}

std::string little_endian(std::uint64_t value, std::size_t bytes) {
  std::string text;
  for (; bytes > 0; --bytes, value >>= 8) text += static_cast<char>(value & 0xff);
  return text;
}

std::string Member::bytes() const {
  std::string all("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
  all[3] = static_cast<char>(flags);
  all += after_fixed_header;
  all += data ? *data : deflated(content);
  all += little_endian(crc ? *crc : crc32(0, octets(content), static_cast<uInt>(content.size())), 4);
  return all + little_endian(length ? *length : content.size(), 4);
}

std::string extra_field(std::string_view id, std::string_view content) {
  const std::string subfield = std::string(id) + little_endian(content.size(), 2) + std::string(content);
  return little_endian(subfield.size(), 2) + subfield;
}

std::string sized_member(std::string_view content, std::optional<std::uint32_t> size) {
  Member member{.content = std::string(content), .flags = kExtra, .after_fixed_header = extra_field("XB", "1234")};
  if (!size) size = static_cast<std::uint32_t>(member.bytes().size());
  member.after_fixed_header = extra_field("XB", little_endian(*size, 4));
  return member.bytes();
}

std::string bgzf_member(std::string_view content) {
  Member member{.content = std::string(content), .flags = kExtra, .after_fixed_header = extra_field("BC", "12")};
  member.after_fixed_header = extra_field("BC", little_endian(member.bytes().size() - 1, 2));
  return member.bytes();
}

std::string compressed(std::string_view content, const pargzip::WriterOptions& options) {
  std::string file;
  pargzip::Writer writer([&](std::span<const char> bytes) { file.append(bytes.data(), bytes.size()); }, options);
  writer.write(content);
  writer.finish();
  return file;
}

std::optional<std::vector<SeenMember>> seen_by_zlib(std::string_view file) {
  std::vector<SeenMember> members;
  std::string room(1 << 16, '\0');
  std::size_t at = 0;
  while (at < file.size()) {
    z_stream state{};
    REQUIRE(inflateInit2(&state, MAX_WBITS + 16) == Z_OK);
    state.next_in = octets(file.substr(at));
    state.avail_in = static_cast<uInt>(file.size() - at);
    SeenMember member{.begin = at, .header = std::string(file.substr(at, 10))};
    int result = Z_OK;
    while (result == Z_OK) {
      state.next_out = octets(room);
      state.avail_out = static_cast<uInt>(room.size());
      result = inflate(&state, Z_NO_FLUSH);
      member.content.append(room, 0, room.size() - state.avail_out);
    }
    at = member.end = file.size() - state.avail_in;
    inflateEnd(&state);
    if (result != Z_STREAM_END) return std::nullopt;
    members.push_back(std::move(member));
  }
  return members;
}

std::string unzipped(std::string_view file) {
  const auto members = seen_by_zlib(file);
  REQUIRE(members);
  std::string all;
  for (const SeenMember& member : *members) all += member.content;
  return all;
}

pargzip::Source source_of(std::string_view file, std::size_t at_once) {
  return [=](std::span<char> into) mutable {
    const std::size_t size = std::min({file.size(), into.size(), at_once});
    std::copy_n(file.begin(), size, into.begin());
    file.remove_prefix(size);
    return size;
  };
}

Outcome read_all(std::string_view file, const pargzip::ReaderOptions& options, std::size_t at_once) {
  pargzip::Reader reader(source_of(file, at_once), options);
  Outcome outcome;
  try {
    for (;;) {
      const std::span<const char> bytes = reader.next();
      if (bytes.empty()) break;
      outcome.output.append(bytes.data(), bytes.size());
    }
  } catch (const pargzip::ReadError& error) {
    outcome.error = error.kind();
    outcome.offset = error.offset();
    outcome.sentence = error.what();
  }
  outcome.members = reader.members();
  outcome.bytes_in = reader.bytes_in();
  CHECK(reader.bytes_out() == outcome.output.size());
  return outcome;
}

}  // namespace testing
