// A file's bytes, mapped.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string_view>

namespace maintner {

/// Of a file as long as it was when this was made. Whoever makes it shorter meanwhile takes the pages away.
class Mapping {
 public:
  /// `file` is for what a failure says: std::system_error.
  Mapping(int fd, const std::filesystem::path& file);
  ~Mapping();
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  std::string_view bytes() const noexcept { return {static_cast<const char*>(start_), size_}; }

 private:
  void* start_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace maintner
