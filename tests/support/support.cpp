#include "support/support.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>

namespace testing {

namespace fs = std::filesystem;

namespace {
bool skipped = false;
}

TempDir::TempDir() {
  std::string pattern = (fs::temp_directory_path() / "xbuild-test.XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp " + pattern + " failed");
  root_ = pattern;
  path_ = root_ / "a" / "b" / "c" / "d";
  fs::create_directories(path_);
}

TempDir::~TempDir() {
  std::error_code ignored;
  fs::remove_all(root_, ignored);
}

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path.string());
  std::ostringstream out;
  out << in.rdbuf();
  return std::move(out).str();
}

void write_file(const fs::path& path, std::string_view content) {
  fs::create_directories(path.parent_path());
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  if (!out.flush()) throw std::runtime_error("cannot write " + path.string());
}

std::optional<fs::path> golden(std::string_view subdirectory, std::string_view test_name) {
  const char* root = std::getenv("XBUILD_GOLDEN");
  if (root == nullptr || *root == '\0' || !fs::exists(fs::path(root) / subdirectory)) {
    skip(test_name, "XBUILD_GOLDEN does not name the golden data");
    return std::nullopt;
  }
  return fs::path(root) / subdirectory;
}

bool anything_skipped() { return skipped; }

void skip(std::string_view test_name, std::string_view why) {
  skipped = true;
  std::cerr << "skipped: " << test_name << " (" << why << ")\n";
}

}  // namespace testing
