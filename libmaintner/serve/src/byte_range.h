// The Range field of a request, as Go's net/http reads it: RFC 9110, section 14.
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>

namespace maintner {

struct ByteRange {
  std::uint64_t begin = 0, end = 0;

  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};
/// All of it: there is no range, or several, which need not be served.
struct WholeRange {};
/// It is not in the content.
struct NoOverlap {};
struct BadRange {};

/// `field` is what Range has, of content of `size` bytes.
std::variant<WholeRange, ByteRange, NoOverlap, BadRange> parse_range(std::string_view field, std::uint64_t size);

}  // namespace maintner
