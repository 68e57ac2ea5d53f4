// GitHub's Markdown as HTML of which every element and every link is ours.
//
// The parser is cmark-gfm's; what it found is written by hand, through Html: HTML that stands in the text is shown as
// text (known tags are left out), images are links, links lead to http, https and mailto only.
#pragma once

#include <string_view>

#include "links.h"

namespace maintner::web {

/// Longer ones are shown as they are.
inline constexpr std::size_t kMaxMarkdown = 64 * 1024;

void write_markdown(Html& html, const Context& context, const Surroundings& around, std::string_view text);

}  // namespace maintner::web
