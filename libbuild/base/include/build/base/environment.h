// Environment lists: "NAME=value" entries in order, where a later entry of a name wins.
//
// Lists are built by appending and cleaned up once, just before a process starts.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace build::base {

using Environment = std::vector<std::string>;

/// A copy of a process environment as main() gets it (`environ`); null gives an empty list.
Environment environment_from(const char* const* envp);

/// Drops every entry whose name comes again later; the others keep their order, so a name stands where its
/// last entry stood. An entry without "=" is kept if it is not empty. Names are case-sensitive. As Go's os/exec.
Environment deduplicated(const Environment& list);

/// The value of the last entry for `name`.
std::optional<std::string> find_variable(const Environment& list, std::string_view name);

/// Appends "name=value".
void set_variable(Environment& list, std::string_view name, std::string_view value);

/// Drops every entry for `name`.
void remove_variable(Environment& list, std::string_view name);

}  // namespace build::base
