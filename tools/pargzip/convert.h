// Compressing and decompressing one stream.
#pragma once

#include "input.h"
#include "options.h"
#include "progress.h"

#include <cstdint>
#include <functional>
#include <span>

namespace pargzip::tool {

using Write = std::function<void(std::span<const char>)>;

struct Converted {
  std::uint64_t in = 0, out = 0;
  std::size_t header = 0;         ///< bytes before and after the content of the first member, which gzip does not count
  bool trailing_garbage = false;  ///< everything before it was good
};

/// The compressed side's share that is saved, as gzip counts it: 0.75 is "75.0%".
double saved(std::uint64_t compressed, std::uint64_t uncompressed, std::size_t header);

/// These throw what `input` and `write` throw, and pargzip::ReadError but for trailing garbage.
Converted compress(Input& input, const Write& write, const Options& options, Progress& progress);
Converted decompress(Input& input, const Write& write, const Options& options, Progress& progress);
/// For input that is not compressed.
Converted copy(Input& input, const Write& write, Progress& progress);

}  // namespace pargzip::tool
