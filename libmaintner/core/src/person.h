#pragma once

#include <maintner/commit_text.h>
#include <maintner/meta_text.h>

#include <string_view>

namespace maintner {

/// Calls `each` with all that a person, "NAME <MAIL>", may be asked for by: the name, the e-mail address, and the
/// number of the account if that is one of Gerrit's own addresses.
template <class Each>
void for_each_name(std::string_view person, const Each& each) {
  each(person_name(person));
  const std::string_view email = person_email(person);
  each(email);
  if (account_id_of(email) >= 0) each(email.substr(0, email.find('@')));
}

inline bool is_called(std::string_view person, std::string_view name) {
  bool found = false;
  for_each_name(person, [&](std::string_view each) { found = found || each == name; });
  return found;
}

}  // namespace maintner
