// The files of assets/, as part of the program.
#pragma once

#include <string_view>

namespace build::web {

struct Asset {
  std::string_view name;
  std::string_view tag;  ///< changes with the bytes
  std::string_view bytes;
};

/// nullptr if there is none of that name.
const Asset* find_asset(std::string_view name);

}  // namespace build::web
