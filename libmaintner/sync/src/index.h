// What a log server says there is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "url.h"

namespace maintner {

struct ListedSegment {
  std::uint64_t number = 0;
  std::uint64_t size = 0;
  std::string sha224;
  Url url;
  bool frozen = false;
};

/// Of an index fetched from `server`. Throws std::runtime_error, naming what is wrong: the numbers must be 0, 1, 2 ...,
/// no size larger than `max_segment`.
std::vector<ListedSegment> parse_index(const Url& server, std::string_view json, std::uint64_t max_segment);

}  // namespace maintner
