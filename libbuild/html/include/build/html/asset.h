// A file that is part of the program: what embed.cmake makes of those of an assets/ folder.
#pragma once

#include <string_view>

namespace build::html {

struct Asset {
  std::string_view name;
  std::string_view tag;  ///< changes with the bytes
  std::string_view bytes;
};

}  // namespace build::html
