// What pages of commits and of changes have in common.
#pragma once

#include <maintner/view.h>

#include <string_view>

#include "layout.h"

namespace maintner::web {

/// A table of the files, with a line that sums them up; the first ones, if there are very many.
void write_files(Html& html, const Commit& commit);
/// A commit's message, with links.
void write_message(Html& html, const Context& context, const Surroundings& around, std::string_view message);

}  // namespace maintner::web
