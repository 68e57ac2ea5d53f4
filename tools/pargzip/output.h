// The file that is made of another.
#pragma once

#include "input.h"
#include "messages.h"
#include "options.h"
#include "partial_file.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace pargzip::tool {

class Output {
 public:
  /// Asks, if there is such a file already and somebody to ask. nullptr: it is to stay. Throws FileError.
  static std::unique_ptr<Output> make(const std::string& path, const Options& options, Messages& messages);

  void write(std::span<const char> bytes) { write_all(file_->fd(), bytes, path_); }
  /// Gives it the input's mode and times, and the owner where that is permitted, and then its name. `stored_time`,
  /// where it is not 0, counts more than the input's time.
  void finish(const Input& input, std::uint32_t stored_time, Messages& messages);

 private:
  Output(std::string path, Fd directory, const std::string& leaf, bool replace, bool synchronous);
  void take_over(const struct stat& status, std::uint32_t stored_time, Messages& messages);

  std::string path_;
  Fd directory_;
  bool replace_, synchronous_;
  std::unique_ptr<PartialFile> file_;
};

}  // namespace pargzip::tool
