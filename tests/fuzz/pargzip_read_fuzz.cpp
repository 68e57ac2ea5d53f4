// Gzip files of any content: Reader against zlib, which knows nothing of members side by side.
//
// The first byte says how the file is read (threads, how it is cut) and whether it is mended first: checksums, lengths
// and sizes put right as far as they can be, so that the fuzzer gets past them. The next two say where something is
// then made wrong by one, so that it stops just there.

#include <pargzip/reader.h>

#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::size_t kMost = std::size_t{4} << 20;

Bytef* octets(std::string_view bytes) { return reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data())); }

struct Verdict {
  std::string output;
  bool fine = false;
  bool sizes_right = true;  ///< of those members that say one
  std::uint64_t members = 0;
  std::size_t end = 0;  ///< of the last member that is fine
};

struct Member {
  std::size_t header = 0, data = 0;
  bool ended = false;
  std::string output;
};

/// How long a header is; 0 if it is none, or cut off.
std::size_t header_size(std::string_view file) {
  if (file.size() < 10 || file.substr(0, 3) != "\x1f\x8b\x08" || (file[3] & 0xe0) != 0) return 0;
  const int flags = file[3];
  std::size_t at = 10;
  if ((flags & 4) != 0) {
    if (file.size() < 12) return 0;
    at = 12 + static_cast<unsigned char>(file[10]) + 256 * std::size_t{static_cast<unsigned char>(file[11])};
  }
  for (const int flag : {8, 16}) {
    if ((flags & flag) == 0) continue;
    const std::size_t end = at < file.size() ? file.find('\0', at) : std::string_view::npos;
    if (end == std::string_view::npos) return 0;
    at = end + 1;
  }
  if ((flags & 2) != 0) at += 2;
  return at <= file.size() ? at : 0;
}

/// What a member says that its size is; 0 if it does not.
std::uint64_t said_size(std::string_view file) {
  if ((file[3] & 4) == 0) return 0;
  const auto octet = [&](std::size_t at) { return std::uint64_t{static_cast<unsigned char>(file[at])}; };
  const std::size_t end = 12 + octet(10) + 256 * octet(11);
  for (std::size_t at = 12; at + 4 <= end;) {
    const std::size_t length = octet(at + 2) + 256 * octet(at + 3), next = at + 4 + length;
    if (next > end) return 0;
    const std::string_view id = file.substr(at, 2);
    if (id == "XB" && length == 4) {
      return octet(at + 4) + (octet(at + 5) << 8) + (octet(at + 6) << 16) + (octet(at + 7) << 24);
    }
    if (id == "BC" && length == 2) return octet(at + 4) + 256 * octet(at + 5) + 1;
    at = next;
  }
  return 0;
}

Member inflate_member(std::string_view file) {
  Member member{.header = header_size(file)};
  if (member.header == 0) return member;
  z_stream state{};
  if (inflateInit2(&state, -MAX_WBITS) != Z_OK) std::abort();
  const std::string_view data = file.substr(member.header);
  state.next_in = octets(data);
  state.avail_in = static_cast<uInt>(data.size());
  int result = Z_OK;
  static char room[1 << 16];
  while (result == Z_OK && member.output.size() < kMost) {
    state.next_out = reinterpret_cast<Bytef*>(room);
    state.avail_out = sizeof room;
    result = inflate(&state, Z_NO_FLUSH);
    member.output.append(room, sizeof room - state.avail_out);
  }
  member.data = data.size() - state.avail_in;
  member.ended = result == Z_STREAM_END;
  inflateEnd(&state);
  return member;
}

std::uint32_t number(std::string_view bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 4; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

void put(char* at, std::uint64_t value, std::size_t bytes) {
  for (; bytes > 0; --bytes, value >>= 8) *at++ = static_cast<char>(value & 0xff);
}

struct Place {
  std::size_t begin = 0, end = 0;
};

/// Puts checksum, length and size right, of each member that zlib can inflate; gives their places.
std::vector<Place> mend(std::string& file, bool sizes) {
  std::vector<Place> places;
  for (std::size_t at = 0; at < file.size();) {
    const std::string_view rest = std::string_view(file).substr(at);
    const Member member = inflate_member(rest);
    const std::size_t size = member.header + member.data + 8;
    if (!member.ended || size > rest.size()) break;
    char* const begin = file.data() + at;
    if (sizes && (begin[3] & 4) != 0 && member.header >= 20) {
      if (std::memcmp(begin + 12, "XB\4\0", 4) == 0) put(begin + 16, size, 4);
      if (std::memcmp(begin + 12, "BC\2\0", 4) == 0) put(begin + 16, size - 1, 2);
    }
    if ((begin[3] & 2) != 0) {
      put(begin + member.header - 2, crc32(0, octets(rest), static_cast<uInt>(member.header - 2)), 2);
    }
    put(begin + size - 8, crc32(0, octets(member.output), static_cast<uInt>(member.output.size())), 4);
    put(begin + size - 4, member.output.size(), 4);
    places.push_back({at, at + size});
    at += size;
  }
  return places;
}

/// Makes one number of one member wrong by one.
void spoil(std::string& file, const Place& place, unsigned how) {
  switch (how % 8) {
    case 1:
      ++file[place.end - 4];
      break;
    case 2:
      --file[place.end - 4];
      break;
    case 3:
      ++file[place.end - 8];
      break;
    case 4:
      ++file[place.begin + 16];
      break;
    case 5:
      --file[place.begin + 16];
      break;
    case 6:
      file.erase(place.end - 1, 1);
      break;
    case 7:
      file.insert(place.end, 1, '\0');
      break;
    default:
      break;
  }
}

Verdict by_zlib(std::string_view file) {
  Verdict verdict;
  std::size_t at = 0;
  while (at < file.size() && verdict.output.size() < kMost) {
    const std::string_view rest = file.substr(at);
    const bool magic = rest.starts_with("\x1f\x8b");
    if (!magic && at > 0) break;
    const Member member = inflate_member(rest);
    const std::size_t size = member.header + member.data + 8;
    if (member.header > 0 && (rest[3] & 2) != 0) {
      const auto crc = crc32(0, octets(rest), static_cast<uInt>(member.header - 2));
      char said[2];
      put(said, crc, 2);
      if (rest.substr(member.header - 2, 2) != std::string_view(said, 2)) return verdict;
    }
    verdict.output += member.output;
    const std::uint64_t said = member.header > 0 ? said_size(rest) : 0;
    if (said != 0 && (!member.ended || said != size)) verdict.sizes_right = false;
    if (!member.ended || size > rest.size()) return verdict;
    if (number(rest.substr(size - 8)) != crc32(0, octets(member.output), static_cast<uInt>(member.output.size())))
      return verdict;
    if (number(rest.substr(size - 4)) != member.output.size()) return verdict;
    ++verdict.members;
    at += size;
    verdict.end = at;
  }
  verdict.fine = at > 0 && std::all_of(file.begin() + static_cast<std::ptrdiff_t>(at), file.end(),
                                       [](char c) { return c == '\0'; });
  return verdict;
}

[[noreturn]] void differ(const char* what) {
  std::cerr << "Reader and zlib differ: " << what << "\n";
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4) return 0;
  const unsigned how = data[0];
  std::string file(reinterpret_cast<const char*>(data) + 3, size - 3);
  if ((how & 1) != 0) {
    const std::vector<Place> places = mend(file, (how & 2) != 0);
    if (!places.empty()) spoil(file, places[data[2] % places.size()], data[1]);
  }
  const Verdict expected = by_zlib(file);
  if (expected.output.size() >= kMost) return 0;

  const std::size_t at_once = (how & 4) != 0 ? 1 + (how & 32) : file.size() + 1;
  std::size_t at = 0;
  const pargzip::Source source = [&](std::span<char> into) {
    const std::size_t count = std::min({into.size(), file.size() - at, at_once});
    std::copy_n(file.data() + at, count, into.data());
    at += count;
    return count;
  };
  const pargzip::ReaderOptions options{.threads = (how & 24) == 24 ? 2U : 1U, .max_output = kMost};
  pargzip::Reader reader(source, options);
  std::string output;
  bool fine = false, size_lies = false;
  try {
    for (;;) {
      const std::span<const char> bytes = reader.next();
      if (bytes.empty()) break;
      output.append(bytes.data(), bytes.size());
    }
    fine = true;
  } catch (const pargzip::ReadError& error) {
    const std::string_view sentence = error.what();
    size_lies = sentence.find("size field") != std::string_view::npos;
    if (!sentence.starts_with("gzip: ") || error.offset() > file.size()) differ("the sentence");
  }
  if (fine && !expected.fine) differ("only Reader likes it");
  if (fine && !expected.sizes_right) differ("a size that lies");
  if (size_lies && expected.sizes_right) differ("a size that is right");
  if (!fine && expected.fine && expected.sizes_right) differ("only zlib likes it");
  if (fine && output != expected.output) differ("the output");
  if (fine && (reader.members() != expected.members || reader.bytes_in() != expected.end)) differ("the counts");
  // Before damaged data one may have got further than the other.
  const std::size_t both = std::min(output.size(), expected.output.size());
  if (output.compare(0, both, expected.output, 0, both) != 0) differ("the output before the error");
  if (reader.members() < expected.members && !size_lies) differ("a member that is fine");
  return 0;
}
