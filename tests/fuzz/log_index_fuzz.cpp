// What a log server says, and what is asked of ours: the index with its addresses, names of segments, ranges.
#include <maintner/segments.h>

#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string_view>
#include <variant>

#include "byte_range.h"
#include "index.h"
#include "url.h"

namespace {

void require(bool right) {
  if (!right) std::abort();
}

void try_index(std::string_view text) {
  constexpr std::uint64_t kMost = 1 << 20;
  const maintner::Url server = maintner::parse_url("https://host/logs");
  try {
    std::uint64_t number = 0;
    for (const maintner::ListedSegment& segment : maintner::parse_index(server, text, kMost)) {
      require(segment.number == number++ && segment.size <= kMost && maintner::is_sha224(segment.sha224));
      require(segment.url.tls && maintner::parse_url(segment.url.text()).text() == segment.url.text());
    }
  } catch (const std::runtime_error&) {
  }
}

void try_url(std::string_view text) {
  try {
    const maintner::Url url = maintner::resolve(maintner::parse_url("http://host/a/b/c?d"), text);
    require(maintner::parse_url(url.text()).text() == url.text() && url.target.starts_with('/'));
    require(url.text().find_first_of("\r\n ") == std::string::npos);
  } catch (const std::invalid_argument&) {
  }
}

void try_range(std::string_view text) {
  constexpr std::uint64_t kSize = 1000;
  const auto range = maintner::parse_range(text, kSize);
  if (const auto* const bytes = std::get_if<maintner::ByteRange>(&range))
    require(bytes->begin < bytes->end && bytes->end <= kSize);
}

void try_name(std::string_view text) {
  if (const auto name = maintner::parse_segment_name(text)) require(maintner::to_text(*name) == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'u':
      try_url(text);
      break;
    case 'r':
      try_range(text);
      break;
    case 'n':
      try_name(text);
      break;
    default:
      try_index(text);
  }
  return 0;
}
