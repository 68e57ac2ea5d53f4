// Identifiers as text: hexadecimal forms and random ids.
#pragma once

#include <build/base/random.h>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace build::base {

/// Two lower-case hexadecimal digits per byte.
std::string to_hex(std::span<const std::byte> bytes);

/// The bytes that `text` stands for (either case); nullopt if it has an odd length or another character.
std::optional<std::vector<std::byte>> from_hex(std::string_view text);

/// Whether `text` is exactly `digits` lower-case hexadecimal digits, as ids and commit hashes are kept.
bool is_lower_hex(std::string_view text, std::size_t digits);

/// An id of `bytes` random bytes in hexadecimal (16 bytes, 32 digits, unless said otherwise).
std::string random_id(RandomSource& random, std::size_t bytes = 16);

}  // namespace build::base
