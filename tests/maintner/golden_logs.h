// What the tests of golden logs share.
#pragma once

#include <pargzip/istream.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace testing {

inline std::string unzipped(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  pargzip::InputStream text(in);
  text.exceptions(std::ios::badbit);
  return std::string(std::istreambuf_iterator<char>(text), {});
}

}  // namespace testing
