// Bytes that may be UTF-8, or may not.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace build::base {

struct Character {
  char32_t code = 0;
  std::size_t size = 1;  ///< in bytes
  bool valid = false;
};

/// The character at the beginning of `bytes`, which must not be empty. Overlong forms, surrogates and what lies beyond
/// Unicode are none; what is none is one byte long.
Character first_character(std::string_view bytes) noexcept;

/// `bytes` with everything that is not UTF-8 replaced by U+FFFD, byte by byte, and nothing else changed.
std::string valid_utf8(std::string_view bytes);

/// The first `most` characters of `bytes`, with blanks behind them if there are fewer than `least`, for a terminal:
/// what would steer it, and what is not UTF-8, is "?".
std::string terminal_text(std::string_view bytes, std::size_t most, std::size_t least = 0);

}  // namespace build::base
