// Addresses of pages, and texts that lead to them.
#pragma once

#include <maintner/view.h>

#include <optional>
#include <string>
#include <string_view>

#include "page.h"

namespace maintner::web {

std::string path_of(const Repo& repo);
std::string path_of(const Issue& issue);
/// "/go.googlesource.com/build", as the original; for other servers, and names with a slash, below /-/gerrit/.
std::string path_of(const Project& project);
std::string path_of(std::string_view server, std::string_view name);
std::string path_of(const Change& change);
std::string path_of(const Commit& commit);
/// `who`: a login, a name, or an e-mail address.
std::string path_of_person(std::string_view who);

/// What a text is about, which says what "#1" and "CL 1" in it mean.
struct Surroundings {
  std::optional<Repo> repo = {};
  std::string server = {};  ///< a Gerrit server; empty: any
};

/// The page for what `url` (http or https) shows, if that is known here; empty otherwise. "https://golang.org/cl/1",
/// "https://go-review.googlesource.com/c/go/+/1", "https://github.com/golang/go/issues/1" and the like.
std::string own_path(const Context& context, std::string_view url);

/// Whether it is http or https, and nothing but printable characters without spaces.
bool is_web_address(std::string_view url);

/// A link to `url`, which is_web_address(), with `shown` as its text: to the page here if there is one.
void write_link(Html& html, const Context& context, std::string_view url, std::string_view shown);

/// Any text, in which URLs, "#1", "owner/repo#1", "CL 1", "golang.org/cl/1" and commits' hashes are links if there is
/// something behind them.
void write_text(Html& html, const Context& context, const Surroundings& around, std::string_view text);

}  // namespace maintner::web
