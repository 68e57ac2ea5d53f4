// The files of assets/ and queries/, as part of the program.
#pragma once

#include <build/html/asset.h>

#include <span>
#include <string_view>

namespace maintner::web {

using build::html::Asset;

/// nullptr if there is none of that name.
const Asset* find_asset(std::string_view name);
/// All of them, in the order in which they were named.
std::span<const Asset> all_assets();

}  // namespace maintner::web
