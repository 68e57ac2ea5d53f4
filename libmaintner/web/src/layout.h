// What all pages have: the frame, marks for states, people, times, tables, pages of a list.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "links.h"
#include "page.h"

namespace maintner::web {

/// A number for the view, and for how much was counted then: another one if a page may be another one.
std::string moment_of(const View& view, const Catalog& catalog);

enum class Section { corpus, people, search, sql, other };

/// What a page's script does when there is something new.
enum class Live {
  no,
  list,    ///< it takes over what is new
  reading  ///< it says that there is something new
};

struct Frame {
  Section section = Section::other;
  std::string title;
  Live live = Live::no;
  std::string search = {};  ///< what stands in the search box
};

/// The whole document around `main`.
Answer write_page(const Context& context, const Frame& frame, const Html& main);
/// That of a page that is not there.
Answer write_error(const View& view, int status, const Html& main);

/// "golang/go / #1": links, the last without one if its address is empty.
void write_crumbs(Html& html, std::initializer_list<std::pair<std::string, std::string>> names_and_paths);

/// How something stands, by a shape, a word and a colour.
std::string_view state_name(const Issue& issue);   ///< "open", "closed", "merged"
std::string_view state_name(ChangeStatus status);  ///< "open", "merged", "abandoned", "draft"
void write_state(Html& html, std::string_view state);

/// The day, with the whole time for those who point at it; "unknown".
void write_day(Html& html, const std::optional<Time>& time);
void write_minute(Html& html, const std::optional<Time>& time);
inline Time time_of(const PersonAndTime& person) { return {person.seconds, 0}; }

/// A link to whoever it is; "somebody".
void write_user(Html& html, const std::optional<User>& user);
/// "Name <email>" of git's, or an account of Gerrit's, by its name.
void write_person(Html& html, const Context& context, std::string_view person);
std::string name_of_person(const Context& context, std::string_view person);
/// By ten digits, in a link.
void write_commit(Html& html, const Commit& commit);

void write_label(Html& html, const Repo& repo, std::string_view label);
void write_hashtags(Html& html, const Project& project, std::string_view hashtags);

struct Column {
  enum class Of { texts, numbers };
  template <std::size_t N>
  consteval Column(const char (&text)[N], Of of_what = Of::texts)
      : name(text), of(of_what) {}  // NOLINT: implicit on purpose
  Html::Literal name;
  Of of;
};
inline constexpr Column::Of kNumbers = Column::Of::numbers;

/// A table that scrolls sideways where it is too wide; rows follow, then close_table().
void open_table(Html& html, std::string_view label, std::initializer_list<Column> columns);
void close_table(Html& html);

/// An address with some of what is asked now, and other things instead of the rest; values that are empty are left out.
std::string address_with(const Asked& asked, const std::vector<std::pair<std::string, std::string>>& changes);

/// Which part of the list is shown, and links to the others.
void write_paging(Html& html, const Asked& asked, const Slice& slice, std::string_view noun);

/// A field of a form; `options` are proposed.
void write_input(Html& html, std::string_view label, std::string_view name, std::string_view value,
                 const std::vector<std::string>& options = {});
/// One of some values, each with what is shown of it.
void write_choice(Html& html, std::string_view label, std::string_view name, std::string_view value,
                  std::initializer_list<std::pair<std::string_view, std::string_view>> options);

/// Links to the states of a list, with how many there are.
void write_states(Html& html, const Asked& asked, std::string_view state, std::size_t open, std::size_t closed);

/// Says so if the counts are of an older view, or not there.
void write_lag(Html& html, const Context& context);

}  // namespace maintner::web
