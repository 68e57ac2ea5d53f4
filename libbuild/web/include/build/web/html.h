// What the pages are written with (build/html/html.h), and logs as markup.
#pragma once

#include <build/html/html.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace build::web {

using html::begun_character;
using html::clipped;
using html::Html;
using html::json_quoted;
using html::readable;

/// Writes a log's bytes: readable() text, line ends of any kind as line feeds, the colours and weights of ANSI
/// sequences as classes (a0 to a15, bold, dim, italic, underline), all other terminal sequences left out.
void write_log(Html& html, std::string_view bytes);

/// How the lines of a log are named.
struct LineNames {
  std::string prefix;       ///< of their ids: "s1-0-L" makes "s1-0-L123"
  std::uint64_t first = 1;  ///< the number of the first line
  /// Whether the lines get these ids, or only lead to lines elsewhere that have them.
  enum class Ids { yes, no } ids = Ids::yes;
  std::string page = {};  ///< where those are: a path with its query; empty for the same page
};

/// The same, each line in an element of its own that begins with its number, which leads to it. A line ends with a line
/// feed; a lone carriage return breaks it, but makes no line that is counted.
void write_log_lines(Html& html, std::string_view bytes, const LineNames& names);

/// How much of `bytes` can be shown while more is to come: all but a terminal sequence, a character or a line end whose
/// rest is missing.
std::size_t whole_length(std::string_view bytes);

/// Where a tail that was cut at any byte may begin to be shown: after the first line end if one is near, else
/// at the next character's beginning.
std::size_t first_whole_line(std::string_view bytes);

}  // namespace build::web
