// What all pages have: the frame around them, marks for states, times.
#pragma once

#include <build/model/records.h>
#include <build/web/farm_view.h>
#include <build/web/html.h>

#include <array>
#include <initializer_list>
#include <string>

namespace build::web {

/// How something stands, shown by a shape, a word and a colour.
enum class Mark { waiting, running, ok, failed, lost, cancelled };
inline constexpr std::array kMarks{Mark::waiting, Mark::running, Mark::ok, Mark::failed, Mark::lost, Mark::cancelled};
Mark mark_of(const model::Build& build);
Mark mark_of(model::Result result);
Mark mark_of(model::AttemptOutcome outcome);

/// The word, also the name of the CSS class, which brings the shape and the colour: "ok".
std::string_view word_of(Mark mark);
/// Shape and word.
void write_mark(Html& html, Mark mark);

/// A table of its own that scrolls sideways where it is too wide; rows follow, then close_table().
/// `label` is for those who do not see it; no other table of the page may have the same.
void open_table(Html& html, std::string_view label, std::initializer_list<Html::Literal> columns);
void close_table(Html& html);

/// A time as an age, with the whole time for those who point at it, and for programs.
void write_age(Html& html, model::Time time, model::Time now);

/// What the navigation shows as open.
enum class Page { builds, queue, pools, other };

struct Frame {
  Page page = Page::other;
  std::string title;
  std::string json_path;    ///< the page's JSON twin; empty if it has none
  std::string events_path;  ///< where the page's changes come from as events; empty if it has no such stream
  int refresh_seconds = 0;  ///< the page changes: how often to look again; 0 if it does not
};

/// The whole document around `main`.
std::string write_page(const FarmView& farm, model::Time now, const Frame& frame, const Html& main);

}  // namespace build::web
