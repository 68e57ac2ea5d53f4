// Text that may be put into JSON and shown to people.
#pragma once

#include <string>
#include <string_view>

namespace revdial {

/// `bytes` with every byte that is not part of a UTF-8 character replaced by U+FFFD.
std::string to_utf8(std::string_view bytes);

/// The longest beginning of `text` (UTF-8) that has at most `limit` bytes and does not end inside a character.
std::string_view utf8_prefix(std::string_view text, std::size_t limit) noexcept;

}  // namespace revdial
