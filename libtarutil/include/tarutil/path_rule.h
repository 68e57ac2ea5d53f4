// Which names may be used for things below a directory.
#pragma once

#include <tarutil/export.h>

#include <optional>
#include <string>
#include <string_view>

namespace tarutil {

/// Why `name` is not a usable relative path, in the original's words; nullopt if it is one:
///
///   path not provided
///   path "/x" is not relative
///   path "a/../../x" refers to a parent directory
///
/// "..", leading "../" and absolute names are judged after lexical cleaning, so "a/../b" is fine. Backslashes and drive
/// letters are plain characters. A name with a NUL byte (which the kernel would cut) is refused as well:
/// `path "a\x00b" contains a NUL byte`.
TARUTIL_API std::optional<std::string> relative_path_problem(std::string_view name);

/// `name` without empty and "." components and with ".." resolved by the letter: "a//b/../c/." is "a/c".
/// "." for the directory itself. Only for names without a problem.
TARUTIL_API std::string cleaned_path(std::string_view name);

/// Why a symbolic link of the (cleaned) name `name`, in directories that are no links, could lead out of the tree;
/// nullopt if it cannot, given that each link in the tree keeps this rule:
///
///   its target is empty
///   its target is absolute
///   its target leads outside
///   its target has ".." after a name
///
/// The last one: that name may be a link, from whose target ".." goes up.
TARUTIL_API std::optional<std::string> symlink_problem(std::string_view name, std::string_view target);

/// As Go's %q prints it: in double quotes, quotes, backslashes and what is not printable escaped.
TARUTIL_API std::string quoted(std::string_view text);

}  // namespace tarutil
