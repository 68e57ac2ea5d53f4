// The table of -l, on standard output.
#pragma once

#include "convert.h"

#include <cstdint>
#include <ctime>
#include <optional>
#include <ostream>
#include <string>

namespace pargzip::tool {

class Listing {
 public:
  enum class Columns { sizes, all };
  enum class Frame { none, head_and_total };

  Listing(std::ostream& out, Columns columns, Frame frame) : out_(out), columns_(columns), frame_(frame) {}

  /// `check` is the CRC-32 of the last member, if it could be read.
  void add(const std::string& name, const Converted& content, std::optional<std::uint32_t> check, std::time_t time);
  /// A last line, if there was more than one file.
  void end();

 private:
  void line(const std::string& name, const Converted& content);

  std::ostream& out_;
  Columns columns_;
  Frame frame_;
  Converted total_;
  std::size_t files_ = 0;
};

}  // namespace pargzip::tool
