// Making text that came from a repository or from git fit to be shown.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace build::git {

/// At most `limit` bytes of `text`, not cutting a UTF-8 sequence in two.
std::string_view cut_at(std::string_view text, std::size_t limit);

/// Control characters replaced by '?', at most `limit` bytes.
std::string one_line(std::string_view text, std::size_t limit);

/// The last few lines of what git said, on one line.
std::string last_lines(std::string_view text);

bool is_hash(std::string_view text);

}  // namespace build::git
