// From a file's name to the name of what is made of it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pargzip::tool {

/// The end of `name` that says it is compressed (".gz", ".tgz", "-gz" and the like, in any case, or `own`), empty if it
/// has none or is nothing but one.
std::string_view compressed_suffix(std::string_view name, std::string_view own);

/// `name` without that suffix: "a" of "a.gz", "a.tar" of "a.tgz". nullopt if it has none.
std::optional<std::string> decompressed_name(std::string_view name, std::string_view own);

/// What `name` may stand for where there is no file of that name.
std::vector<std::string> with_suffixes(const std::string& name, const std::string& own);

/// The directory of a path, "." if it names none, and what comes after.
struct Place {
  std::string directory, leaf;
};
Place place_of(const std::string& path);

}  // namespace pargzip::tool
