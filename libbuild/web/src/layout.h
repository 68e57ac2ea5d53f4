// What all pages have: the frame around them, marks for states, times.
#pragma once

#include <build/model/records.h>
#include <build/web/farm_view.h>
#include <build/web/html.h>

#include <optional>
#include <string>

namespace build::web {

/// How something stands, shown by a shape, a word and a colour.
enum class Mark { waiting, running, ok, failed, lost };
Mark mark_of(const model::Build& build);
Mark mark_of(model::AttemptOutcome outcome);

/// The word, also the name of the CSS class and of the shape: "ok".
std::string_view word_of(Mark mark);
void write_shape(Html& html, Mark mark);
/// Shape and word.
void write_mark(Html& html, Mark mark);

/// A time as an age, with the whole time for those who point at it, and for programs.
void write_age(Html& html, model::Time time, model::Time now);

struct Frame {
  std::string title;
  std::string json_path;    ///< the page's JSON twin; empty if it has none
  int refresh_seconds = 0;  ///< the page changes: how often to look again; 0 if it does not
};

/// The whole document around `main`.
std::string write_page(const FarmView& farm, model::Time now, const Frame& frame, const Html& main);

}  // namespace build::web
