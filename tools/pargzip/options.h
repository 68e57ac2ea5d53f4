// What the command line asks for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pargzip::tool {

enum class Work { compress, decompress, test, list };

struct Options {
  Work work = Work::compress;
  int level = 6;
  unsigned threads = 0;  ///< 0: one for each core this process may use
  std::size_t chunk_size = std::size_t{1} << 20;
  std::string suffix = ".gz";
  std::optional<std::string> output;  ///< -o
  bool to_stdout = false;
  bool force = false;
  bool keep = false;
  bool name = false;  ///< -N: store or restore the name and the time
  bool quiet = false;
  bool recursive = false;
  bool synchronous = false;
  bool verbose = false;
  std::vector<std::string> operands;  ///< none, or "-": standard input
};

}  // namespace pargzip::tool
