// What stands in front of a gzip member, RFC 1952.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace pargzip::tool {

struct GzipHeader {
  std::size_t length = 0;
  std::string name;        ///< of the file, without directories; empty: not stored
  std::uint32_t time = 0;  ///< of the file, seconds since 1970; 0: not stored
};

bool is_gzip(std::span<const char> beginning);

/// nullopt if `beginning` is no header, or not all of one.
std::optional<GzipHeader> read_header(std::span<const char> beginning);

/// A member with nothing in it but a name and a time; it goes before all others.
std::string naming_member(const std::string& name, std::uint32_t time);

}  // namespace pargzip::tool
